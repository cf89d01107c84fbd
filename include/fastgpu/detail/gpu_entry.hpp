#pragma once

#include <cstddef>
#include <cstdint>

#include <fastgpu/config.hpp>
#include <fastgpu/detail/program.hpp>
#include <fastgpu/detail/shape.hpp>

/// @file
/// A program's entry for GPUs, and what it is called with: plain data without a name of CUDA's, so that the library's
/// own sources, which no CUDA compiler reads, can use it.

namespace fastgpu::inline v0::detail {

/// A data argument as a launch gets it.
struct gpu_view {
  void* data = nullptr;                  ///< Address on the GPU of the element at `origin`.
  std::int64_t origin[3] = {0, 0, 0};    ///< Global index of the first element that is there.
  std::int64_t extent[3] = {1, 1, 1};
  std::int64_t stride[3] = {1, 1, 1};    ///< In elements.
};

/// Subtasks [begin, end), cut at spans, to be launched in one go. Addresses are the GPU's but for `job` and `views`,
/// which launch() has read when it returns.
struct gpu_batch {
  const job_data* job = nullptr;
  flat_shape shape;                  ///< The job's, with `bounds` on the GPU.
  std::uint32_t largest_subtask = 1; ///< Indices in the largest subtask, 2^32 - 1 where there are more.
  fold_kind fold = fold_kind::none;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  const gpu_view* views = nullptr;   ///< [job->argument_count]; of arguments by value and tallies nothing is read.
  void* total = nullptr;             ///< single, exact: the accumulator, gpu_total_bytes() of it.
  void* span_values = nullptr;       ///< ordered: [spans of the batch][job->width] values.
  void* scratch = nullptr;           ///< scratch_bytes() of it.
  std::uint32_t blocks = 1;          ///< Thread blocks that fill the GPU.
  std::int32_t ordinal = 0;          ///< The GPU's.
  void* memory_pool = nullptr;       ///< Where a kernel's own launches have scratch memory from.
  std::uint32_t launches = 0;        ///< On the lane, this one too: no fewer than into `total`.
};

/// Accumulators of one GPU, modes `single` and `exact`.
struct gpu_totals {
  const job_data* job = nullptr;
  fold_kind fold = fold_kind::none;
  void* first = nullptr;             ///< gpu_total_bytes() of it; address on the GPU.
  std::size_t stride = 0;            ///< Bytes from one to the next.
  std::uint32_t count = 1;
  std::uint32_t blocks = 1;          ///< Thread blocks that fill the GPU.
};

/// Of a forest in the GPU's memory, on values of [job->width] elements: left = op(left, right), or a move.
struct gpu_node_step {
  void* to = nullptr;                ///< The left one, where two merge.
  const void* from = nullptr;
  bool merges = false;
};

/// Steps in their order, each on what those before it have left.
struct gpu_node_steps {
  const job_data* job = nullptr;
  const gpu_node_step* steps = nullptr;
  std::uint32_t count = 0;           ///< At most gpu_node_steps_max.
  std::uint32_t blocks = 1;          ///< Thread blocks that fill the GPU.
};

/// They lie in the parameters of a launch, which are 4 KiB on GPUs of every kind.
inline constexpr std::uint32_t gpu_node_steps_max = 96;

/// What gpu_entry::launch() throws where a kernel's own launches got no scratch memory: nothing was merged, and fewer
/// subtasks may need less.
struct gpu_no_scratch {
  std::size_t bytes = 0;  ///< That were asked for.
};

/// Everything returns an error of the GPU's own interface, 0 for none. The calling thread has chosen the GPU.
struct gpu_entry {
  /// Kernels that launch(), merge_totals() and merge_nodes() may launch: a compiler that left one out has miscompiled
  /// the program.
  std::uint32_t kernels = 0;
  /// A thread works on an index at a time; else on a block, or the kernel launches for itself.
  bool index_is_thread = true;
  /// Whether the GPU can run the program: kernels may be built for other GPUs only.
  int (*load)() = nullptr;
  /// Scratch memory that a batch needs; a function of its subtasks, the job and `blocks`.
  std::size_t (*scratch_bytes)(const gpu_batch& batch) = nullptr;
  /// Enqueues the batch's kernels on `stream`. Throws gpu_no_scratch, and what else a kernel's own launches throw.
  int (*launch)(const gpu_batch& batch, void* stream) = nullptr;
  /// Enqueues the merging of all accumulators into the first, which leaves the others empty. An exact state comes out
  /// normalised. @pre  A batch was folded into one of them.
  int (*merge_totals)(const gpu_totals& totals, void* stream) = nullptr;
  /// Enqueues steps of a forest. Null where values are no vectors that merge in order.
  int (*merge_nodes)(const gpu_node_steps& steps, void* stream) = nullptr;
};

/// Where the accumulator of a scalar has its flags, 4 bytes each: whether it holds a value yet, 0 or 1, and how many
/// blocks of a launch are done, 0 between launches.
FASTGPU_HD constexpr std::size_t gpu_present_offset(std::size_t value_bytes) { return (value_bytes + 15) / 16 * 16; }

inline constexpr int gpu_arrivals_flag = 1;

/// Bytes of an accumulator on a GPU: the value or values with the flag, or the exact state.
[[nodiscard]] inline std::size_t gpu_total_bytes(const value_table& values, fold_kind fold, std::int64_t width)
{
  if (fold == fold_kind::exact) return values.exact_bytes;
  return gpu_present_offset(values.bytes * static_cast<std::size_t>(width)) + 16;
}

}  // namespace fastgpu::inline v0::detail
