#pragma once

#include <cstdint>

#include <fastgpu/config.hpp>
#include <fastgpu/detail/shape.hpp>
#include <fastgpu/index.hpp>

/// @file
/// The subtasks of one launch, for kernels that launch their own work on a GPU.

namespace fastgpu::inline v0 {

/// The subtasks that a launch is for: consecutive ones. Kernels take it by value: `batch[blockIdx.x]`.
template <int N>
class cuda_batch {
 public:
  /// The job's shape, with subtasks' bounds where the host and where the GPU reads them.
  cuda_batch(const detail::flat_shape& on_host, const detail::flat_shape& on_gpu, std::uint32_t begin,
             std::uint32_t end)
      : shape_{on_host}, bounds_on_gpu_{on_gpu.bounds}, begin_{begin}, end_{end}
  {
  }

  [[nodiscard]] FASTGPU_HD std::uint32_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] FASTGPU_HD std::uint32_t first_subtask() const noexcept { return begin_; }

  /// The indices of the batch's `number`-th subtask. @pre number < size()
  [[nodiscard]] FASTGPU_HD block<N> operator[](std::uint32_t number) const
  {
#if defined(FASTGPU_DETAIL_ON_GPU)
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

}  // namespace fastgpu::inline v0
