#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <cuda_runtime_api.h>

#include <fastgpu/config.hpp>
#include <fastgpu/cuda/batch.hpp>

/// @file
/// What kernels get that launch their own work on a GPU.

namespace fastgpu::inline v0 {

/// Given to kernels that launch for themselves, once a batch:
///
///   void operator()(cuda_context&, const cuda_batch<N>&, views...) const
///   void operator()(cuda_context&, const cuda_batch<N>&, views..., V* values) const
///
/// a host function that enqueues work on stream() and returns without waiting for it. Its views are of memory that the
/// GPU reaches; `values` is [batch.size()] uninitialised V on the GPU, to be filled with a value for each subtask, where
/// the job reduces. With `reduced(op, width)` it is [batch.size()][width], row-major, to be filled with a vector for each
/// subtask, and stands for the tally, which is left out of the views. What it throws fails the run, unless scratch() had no
/// memory for it: then it is called again for fewer subtasks. Beside it the kernel has another form of call for the host's
/// cores, with the tally.
///
/// @par Threads  Belongs to the thread that drives the GPU, which is its current one.
class cuda_context {
 public:
  cuda_context(int ordinal, cudaStream_t stream, cudaMemPool_t pool) noexcept
      : ordinal_{ordinal}, stream_{stream}, pool_{pool}
  {
  }
  cuda_context(const cuda_context&) = delete;
  cuda_context& operator=(const cuda_context&) = delete;
  /// Frees the scratch memory once the stream is past it.
  ~cuda_context()
  {
    for (int i = 0; i < scratch_count_; ++i) (void)cudaFreeAsync(scratch_[i], stream_);
  }

  /// The GPU's number among those that this process may use.
  [[nodiscard]] int ordinal() const noexcept { return ordinal_; }

  /// Where all work goes. Others may be at work on the GPU at the same time.
  [[nodiscard]] cudaStream_t stream() const noexcept { return stream_; }

  /// `bytes` of the GPU's memory for the launches on stream(), up to 8 times a batch. The content is undefined. It counts
  /// towards gpu_options::memory_bytes_max.
  /// @return null where there is none, and from the ninth call on. A kernel that needs it throws then: it is called again
  ///         for fewer subtasks, where memory was short.
  [[nodiscard]] void* scratch(std::size_t bytes) noexcept
  {
    constexpr int scratch_max = sizeof scratch_ / sizeof *scratch_;
    missing_bytes_ = 0;
    if (scratch_count_ == scratch_max) return nullptr;
    if (earlier_ == cudaSuccess) earlier_ = cudaGetLastError();  // of launches: what follows would hide it
    const auto status = cudaMallocFromPoolAsync(&scratch_[scratch_count_], bytes, pool_, stream_);
    if (status != cudaSuccess) {
      if (status == cudaErrorMemoryAllocation) missing_bytes_ = bytes;
      (void)cudaGetLastError();
      return nullptr;
    }
    return scratch_[scratch_count_++];
  }

  /// What the last scratch() had no memory for; 0 where it had.
  [[nodiscard]] std::size_t missing_bytes() const noexcept { return missing_bytes_; }

  /// The first error of what was launched, which is forgotten then.
  [[nodiscard]] cudaError_t take_error() noexcept
  {
    const auto last = cudaGetLastError();
    return earlier_ != cudaSuccess ? std::exchange(earlier_, cudaSuccess) : last;
  }

 private:
  int ordinal_;
  cudaStream_t stream_;
  cudaMemPool_t pool_;
  void* scratch_[8] = {};
  int scratch_count_ = 0;
  std::size_t missing_bytes_ = 0;
  cudaError_t earlier_ = cudaSuccess;
};

}  // namespace fastgpu::inline v0
