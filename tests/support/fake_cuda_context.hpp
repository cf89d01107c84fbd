#pragma once

#include <cstddef>
#include <functional>
#include <utility>

#include <fastgpu/config.hpp>

#include "support/fake_gpu.hpp"

/// @file
/// What own launches get on a fake GPU.

namespace fastgpu::inline v0 {

/// What stands for the one of <fastgpu/cuda/context.hpp>, which needs the toolkit.
class cuda_context {
 public:
  explicit cuda_context(void* stream) : stream_{stream} {}
  void enqueue(std::function<void()> kernel) { support::fake_gpu::enqueue_kernel(stream_, std::move(kernel)); }

  /// Memory for launches that do not look at what is in it: there are `scratch_bytes_max` of it.
  [[nodiscard]] void* scratch(std::size_t bytes)
  {
    missing_bytes_ = bytes > scratch_bytes_max ? bytes : 0;
    return missing_bytes_ != 0 ? nullptr : this;
  }
  [[nodiscard]] std::size_t missing_bytes() const { return missing_bytes_; }

  static inline std::size_t scratch_bytes_max = ~std::size_t{0};

 private:
  void* stream_;
  std::size_t missing_bytes_ = 0;
};

}  // namespace fastgpu::inline v0
