#pragma once

#include <cuda_runtime_api.h>

#include <fastgpu/detail/argument.hpp>

/// @file
/// Slices of data that a GPU reaches, with their border.

namespace fastgpu::inline v0::kernels {

/// Copies `region` of `slices` into `to`, dense and row-major, positions outside the data filled by the border. The same
/// as detail::stage_slice() on the host.
///
/// @param slices  Its data lie where the current GPU reads them: its memory, or pinned memory.
/// @param to      In the GPU's memory, aligned to 256; [elements of region].
/// @param stream  Work is enqueued, not waited for.
/// @return        What the launch gave.
[[nodiscard]] cudaError_t stage_slice(const detail::argument& slices, const detail::box& region, std::byte* to,
                                      cudaStream_t stream);

}  // namespace fastgpu::inline v0::kernels
