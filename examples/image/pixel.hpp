#pragma once

#include <cstdint>
#include <type_traits>

#include <fastgpu/config.hpp>

/// @file
/// Pixels of 8 bits a channel: `std::uint8_t` for grey, `rgb` for colour.

namespace image {

/// One value a channel. No padding: a row of them is the interleaved row of an image file.
template <class T>
struct color {
  T r, g, b;
  friend constexpr bool operator==(const color&, const color&) = default;
};
using rgb = color<std::uint8_t>;
static_assert(sizeof(rgb) == 3);

template <class Pixel>
inline constexpr int channels = 1;
template <class T>
inline constexpr int channels<color<T>> = 3;

template <class Pixel, class T>
struct rebind {
  using type = T;
};
template <class U, class T>
struct rebind<color<U>, T> {
  using type = color<T>;
};
/// A pixel with as many channels as Pixel, each of type T.
template <class Pixel, class T>
using with_channel = typename rebind<Pixel, T>::type;

/// Channel c of a pixel, 0 <= c < channels.
template <class Pixel>
FASTGPU_HD constexpr auto& channel(Pixel& pixel, [[maybe_unused]] int c)
{
  if constexpr (channels<std::remove_const_t<Pixel>> == 1) {
    return pixel;
  } else {
    return c == 0 ? pixel.r : c == 1 ? pixel.g : pixel.b;
  }
}

inline constexpr std::int64_t side_max = std::int64_t{1} << 20;  ///< Longest side of a picture: the kernels'
                                                                 ///< integers have room for that much.

}  // namespace image
