#pragma once

#include <cstdint>
#include <random>
#include <string>

#include <fastgpu/index.hpp>

#include "image/operation.hpp"

/// @file
/// Pictures to test image operations on, and the shortest way to apply one.

namespace support {

using grey = image::picture<std::uint8_t>;
using colored = image::picture<image::rgb>;

inline grey random_grey(fastgpu::extents<2> size, unsigned seed, unsigned levels = 256)
{
  std::mt19937 random{seed};
  grey out{size};
  for (auto& pixel : out.pixels) pixel = static_cast<std::uint8_t>(random() % levels * (255 / (levels - 1)));
  return out;
}

inline colored random_colored(fastgpu::extents<2> size, unsigned seed)
{
  std::mt19937 random{seed};
  const auto value = [&] { return static_cast<std::uint8_t>(random() % 256); };
  colored out{size};
  for (auto& pixel : out.pixels) {
    pixel.r = value();
    pixel.g = value();
    pixel.b = value();
  }
  return out;
}

/// Applies one operation on one thread, in tiles of this size.
inline image::outcome applied(const std::string& text, const image::any_picture& in,
                              fastgpu::extents<2> tile = {{image::side_max, image::side_max}})
{
  return image::apply(image::parse_operation(text), in, image::sequential{tile});
}

}  // namespace support
