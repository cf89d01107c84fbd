#pragma once

#include <optional>

#include <fastgpu/error.hpp>

/// @file
/// What a call is refused with.

namespace support {

/// The code of the fastgpu::error that `make()` throws, or nothing.
template <class Make>
std::optional<fastgpu::errc> refusal(const Make& make)
{
  try {
    (void)make();
  } catch (const fastgpu::error& e) {
    return static_cast<fastgpu::errc>(e.code().value());
  }
  return std::nullopt;
}

}  // namespace support
