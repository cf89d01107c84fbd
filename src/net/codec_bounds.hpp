#pragma once

#include <string_view>

#include "net/codec.hpp"

/// @file
/// What a value on the wire must keep to, beyond its type.

namespace fastgpu::inline v0::detail {

/// Codes of failures are numbered up to this one.
inline constexpr errc last_errc = errc::checkpoint_error;

/// What is wrong, "too many bounds"; empty where nothing is.
[[nodiscard]] std::string_view breach_of(const message& what);
[[nodiscard]] std::string_view breach_of(const hello& what);
[[nodiscard]] std::string_view breach_of(const refusal& what);

}  // namespace fastgpu::inline v0::detail
