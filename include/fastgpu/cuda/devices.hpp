#pragma once

#include <fastgpu/config.hpp>

/// @file
/// What ties a program whose kernels nvcc compiled to the library of CUDA devices, fastgpu::cuda.

namespace fastgpu::inline v0::detail {

/// Lets device lists name `cuda:N` and `cuda:all`, and clusters without a list take every GPU. @return true
FASTGPU_API bool add_cuda_devices() noexcept;

/// Before main(), in every program with a source that nvcc compiled and fastgpu.hpp was read in.
[[maybe_unused]] inline const bool cuda_devices_are_added = add_cuda_devices();

}  // namespace fastgpu::inline v0::detail
