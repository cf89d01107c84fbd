#pragma once

#include <cstddef>
#include <cstdint>

#include <fastgpu/config.hpp>
#include <fastgpu/detail/argument.hpp>
#include <fastgpu/detail/shape.hpp>
#include <fastgpu/detail/value_table.hpp>
#include <fastgpu/kernel.hpp>

/// @file
/// A program is what runs: kernel, arguments' types and operation, compiled together. This is its entry for code
/// that knows none of those types, and what it is called with.

namespace fastgpu::inline v0::detail {

/// How a device folds the values of a run.
enum class fold_kind : std::uint8_t {
  none,     ///< Nothing is reduced.
  single,   ///< One accumulator: order-free operations, and mode `fast`.
  exact,    ///< One exact state.
  ordered,  ///< A forest over spans: shape ordered/1.
};

struct program;

/// What a back end needs to know of a job. Immutable while a run uses it.
struct job_data {
  space_shape shape;
  const program* code = nullptr;
  const void* kernel = nullptr;
  const void* operation = nullptr;
  const argument* arguments = nullptr;
  std::uint32_t argument_count = 0;
  std::int64_t width = 1;  ///< Elements of a vector reduction's value; 1 for scalars.
};

/// Where a batch's values go. One per worker and open partial.
struct fold_target {
  fold_kind kind = fold_kind::none;
  void* value = nullptr;    ///< single: [width] values; exact: the state.
  bool present = false;     ///< single: `value` holds something.
  std::int64_t adds = 0;    ///< exact: additions since the state was normalised.
  void* span_value = nullptr;  ///< ordered, vectors: [2 * width] values of scratch.
  /// ordered: takes the value of one span.
  void (*push)(void* forest, std::uint32_t span, const void* value) = nullptr;
  void* forest = nullptr;
};

/// Context of one worker, as the library sees it.
struct FASTGPU_API worker_context : host_context {
  worker_context(device_id device, const int* stop) noexcept
  {
    device_ = device;
    stop_ = stop;
  }
  ~worker_context();
  /// Throws what fail() was called with, if it was.
  void check_failure() const
  {
    if (failed_) throw_failure();
  }
  std::byte* staging = nullptr;      ///< Room for every staged slice of one block.
  std::uint32_t subtask = 0;         ///< Where the kernel was when it threw.

 private:
  [[noreturn]] void throw_failure() const;
};

/// What a program's types say of one of its arguments: what a description from elsewhere is held against.
struct argument_form {
  argument_kind kind = argument_kind::tally;  ///< broadcast: what is read, also as slices that do not know the block.
  std::int32_t rank = 0;                      ///< Of data.
  std::uint32_t element_bytes = 0;            ///< Of data and values.
};

struct program {
  const char* kernel = "";          ///< Registered name, empty for kernels without one.
  const char* types = "";           ///< All types of the program, as the compiler writes them.
  const char* build = FASTGPU_DETAIL_BUILD;  ///< What beside the types decides what its bytes and its arithmetic are.
  const value_table* values = nullptr;  ///< Null where nothing is reduced.
  const argument_form* arguments = nullptr;
  std::uint32_t argument_count = 0;
  std::uint32_t kernel_bytes = 0;
  std::uint32_t operation_bytes = 0;  ///< 0 where nothing is reduced.
  std::int32_t rank = 1;
  bool vector_value = false;
  bool travels = false;   ///< Kernel and operation are their bytes, which another process can hold too.
  bool portable = false;  ///< The kernel declares arithmetic that gives the same bits on every device.
  /// Runs subtasks [begin, end), cut at spans, on the calling thread. Throws what the kernel throws, with
  /// `context.subtask` set.
  void (*run_host)(const job_data&, std::uint32_t begin, std::uint32_t end, fold_target&, worker_context&) = nullptr;
};

}  // namespace fastgpu::inline v0::detail
