#pragma once

#include <string>

/// @file
/// Which processes' cores compute the same bits.

namespace fastgpu::inline v0::detail {

/// The class of this process's cores: instruction set and C library, "host x86-64-v3 glibc-2.36". Libraries choose
/// their functions by the former, and change them between versions of the latter.
[[nodiscard]] std::string host_numeric_class();

}  // namespace fastgpu::inline v0::detail
