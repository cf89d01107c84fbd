#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime_api.h>

#include <fastgpu/config.hpp>
#include <fastgpu/detail/shape.hpp>
#include <fastgpu/ids.hpp>
#include <fastgpu/index.hpp>

/// @file
/// What kernels get that launch their own work on a GPU.

namespace fastgpu::inline v0 {

/// The subtasks that a launch is for: consecutive ones. Kernels take it by value: `batch[blockIdx.x]`.
template <int N>
class cuda_batch {
 public:
  /// The job's shape, with subtasks' bounds where the host and where the GPU reads them.
  cuda_batch(const detail::flat_shape& on_host, const detail::flat_shape& on_gpu, std::uint32_t begin, std::uint32_t end)
      : shape_{on_host}, bounds_on_gpu_{on_gpu.bounds}, begin_{begin}, end_{end}
  {
  }

  [[nodiscard]] FASTGPU_HD std::uint32_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] FASTGPU_HD std::uint32_t first_subtask() const noexcept { return begin_; }

  /// The indices of the batch's `number`-th subtask. @pre number < size()
  [[nodiscard]] FASTGPU_HD block<N> operator[](std::uint32_t number) const
  {
#if defined(__CUDA_ARCH__)
    auto shape = shape_;
    shape.bounds = bounds_on_gpu_;
    return detail::block_of<N>(shape, begin_ + number);
#else
    return detail::block_of<N>(shape_, begin_ + number);
#endif
  }

 private:
  detail::flat_shape shape_;
  const std::int64_t* bounds_on_gpu_;
  std::uint32_t begin_;
  std::uint32_t end_;
};

/// Given to kernels that launch for themselves, once a batch:
///
///   void operator()(cuda_context&, const cuda_batch<N>&, views...) const
///   void operator()(cuda_context&, const cuda_batch<N>&, views..., V* values) const
///
/// a host function that enqueues work on stream() and returns without waiting for it. Its views are of memory that the
/// GPU reaches; `values` is [batch.size()] uninitialised V on the GPU, to be filled with a value for each subtask, where
/// the job reduces. What it throws fails the run. Beside it the kernel has another form of call for the host's cores.
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
  /// @return null where there is none.
  [[nodiscard]] void* scratch(std::size_t bytes) noexcept
  {
    constexpr int scratch_max = sizeof scratch_ / sizeof *scratch_;
    if (scratch_count_ == scratch_max) return nullptr;
    if (cudaMallocFromPoolAsync(&scratch_[scratch_count_], bytes, pool_, stream_) != cudaSuccess) {
      (void)cudaGetLastError();
      return nullptr;
    }
    return scratch_[scratch_count_++];
  }

 private:
  int ordinal_;
  cudaStream_t stream_;
  cudaMemPool_t pool_;
  void* scratch_[8] = {};
  int scratch_count_ = 0;
};

}  // namespace fastgpu::inline v0
