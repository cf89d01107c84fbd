#pragma once

#include "detail/sha256.hpp"

/// @file
/// SHA-256 of results.

namespace program {

using fastgpu::detail::sha256;

}  // namespace program
