#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include <fastgpu/config.hpp>
#include <fastgpu/detail/argument.hpp>

/// @file
/// One GPU as the device needs it: streams, events, memory and copies. The library's own seam to the CUDA runtime, so
/// that everything above it is tested on machines without a GPU.

namespace fastgpu::inline v0::detail {

/// What a GPU says of itself.
struct gpu_properties {
  std::string name;                    ///< "NVIDIA H200"
  std::int32_t ordinal = 0;            ///< Among the GPUs that this process may use.
  std::int32_t compute_capability = 0; ///< 10 x major + minor.
  std::uint32_t multiprocessors = 1;
  std::uint64_t memory_bytes = 0;
  std::uint64_t memory_bytes_a_second = 0;  ///< Peak bandwidth; 0: unknown.
  std::string pci_address;             ///< "0000:17:00.0"
  std::int32_t driver = 0;             ///< 1000 x major + 10 x minor of the CUDA version that the driver supports.
};

/// What went wrong with a GPU.
class FASTGPU_API gpu_error : public std::runtime_error {
 public:
  enum class kind {
    out_of_memory,  ///< Of the GPU's memory or of pinned memory; the GPU is as before.
    refused,        ///< The call was not carried out; the GPU is as before.
    lost,           ///< A fault that stays: nothing works on the GPU in this process any more.
  };
  gpu_error(kind what, const std::string& detail) : std::runtime_error{detail}, kind_{what} {}
  [[nodiscard]] kind what_kind() const noexcept { return kind_; }

 private:
  kind kind_;
};

using gpu_stream = struct gpu_stream_handle*;
using gpu_event = struct gpu_event_handle*;

/// A box of rows to be copied: `planes` planes of `rows` rows of `row_bytes` bytes, all distances in bytes.
struct gpu_box_copy {
  void* to = nullptr;
  std::size_t to_pitch = 0;
  std::size_t to_plane_pitch = 0;
  const void* from = nullptr;
  std::size_t from_pitch = 0;
  std::size_t from_plane_pitch = 0;
  std::size_t row_bytes = 0;
  std::size_t rows = 1;
  std::size_t planes = 1;
};

/// Every call but properties() throws gpu_error. What is enqueued is not waited for.
///
/// @par Threads  One at a time; release functions also from a destructor on another thread.
class FASTGPU_API gpu {
 public:
  virtual ~gpu() = default;

  [[nodiscard]] virtual const gpu_properties& properties() const noexcept = 0;

  /// Makes this GPU the calling thread's current one.
  virtual void make_current() = 0;

  [[nodiscard]] virtual gpu_stream create_stream() = 0;
  [[nodiscard]] virtual gpu_event create_event() = 0;
  virtual void destroy(gpu_stream stream) noexcept = 0;
  virtual void destroy(gpu_event event) noexcept = 0;

  virtual void record(gpu_event event, gpu_stream on) = 0;
  virtual void wait(gpu_stream stream, gpu_event event) = 0;  ///< Later work of `stream` comes after `event`.
  [[nodiscard]] virtual bool ready(gpu_event event) = 0;      ///< Also tells of faults of earlier work.

  /// `bytes` of the GPU's memory, aligned to 256. Usable at once on any stream.
  [[nodiscard]] virtual void* allocate(std::size_t bytes) = 0;
  /// @pre  No work uses it any more.
  virtual void release(void* memory) noexcept = 0;
  [[nodiscard]] virtual void* allocate_pinned(std::size_t bytes) = 0;
  virtual void release_pinned(void* memory) noexcept = 0;
  /// Where allocate() has it from, as kernels that launch for themselves may use it; null where there is no such thing.
  [[nodiscard]] virtual void* memory_pool() noexcept = 0;

  /// Between any two kinds of memory. Pageable memory must stay as it is until the stream is past the copy.
  virtual void copy(void* to, const void* from, std::size_t bytes, gpu_stream on) = 0;
  virtual void copy(const gpu_box_copy& box, gpu_stream on) = 0;

  /// Copies `region` of slices, which the GPU can reach, into `to` in its memory: dense, positions outside filled by the
  /// border.
  virtual void stage(const argument& slices, const box& region, std::byte* to, gpu_stream on) = 0;

  /// Throws for the error that a program's gpu_entry gave; 0 is none. `doing` names the call.
  virtual void check(int native_error, const char* doing) = 0;
};

}  // namespace fastgpu::inline v0::detail
