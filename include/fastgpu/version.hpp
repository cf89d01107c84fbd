#pragma once

#include <fastgpu/config.hpp>

/// @file
/// The version of the library that a program runs with.

namespace fastgpu::inline v0 {

/// "major.minor.patch" of the library linked or loaded; FASTGPU_VERSION is that of the headers.
[[nodiscard]] FASTGPU_API const char* version() noexcept;

}  // namespace fastgpu::inline v0
