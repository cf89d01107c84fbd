#pragma once

#include <fastgpu/detail/shape.hpp>

/// @file
/// How large an iteration space is.

namespace fastgpu::inline v0::detail {

/// Of all dimensions, as the floating-point number to calculate with.
inline double indices_of(const space_shape& shape)
{
  double n = 1;
  for (const auto& d : shape.dimensions) n *= static_cast<double>(d.extent);
  return n;
}

}  // namespace fastgpu::inline v0::detail
