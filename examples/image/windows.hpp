#pragma once

#include <cstddef>
#include <cstdint>

#include <fastgpu/config.hpp>
#include <fastgpu/index.hpp>
#include <fastgpu/team.hpp>
#include <fastgpu/view.hpp>

#include "image/pixel.hpp"
#include "image/tiles.hpp"

/// @file
/// Kernels that look at a window around each pixel.
///
/// What a window of (2 radius + 1)^2 pixels gives is made of what its rows give. So each kernel first finds, for a tile and
/// the rows above and below that it needs, what a row of the window gives around each pixel, in memory that a team of
/// threads shares, and then goes down the columns: some 2 (2 radius + 1) steps a pixel in place of their square.

namespace image {

inline constexpr int size_max = 127;             ///< Largest edge of a filter's window; windows are odd.
inline constexpr int radius_max = size_max / 2;  ///< Hence the widest halo.

/// Mean of the window of (2 radius + 1)^2 pixels: the exact mean, rounded to nearest (a window has an odd
/// number of pixels, so there are no ties). Halo: radius, reflect-101.
template <class Pixel>
struct mean {
  static constexpr std::size_t shared_bytes = tile_bytes;
  int radius = 1;

  using sums = with_channel<Pixel, std::int32_t>;

  FASTGPU_HD void operator()(const fastgpu::team& team, fastgpu::block<2> pixels, fastgpu::in2<Pixel> in,
                             fastgpu::out2<Pixel> out) const
  {
    const auto along_row = [&](fastgpu::index<2> at) {
      sums row{};
      for (int right = -radius; right <= radius; ++right) {
        const Pixel pixel = in(at[0], at[1] + right);
        for (int c = 0; c < channels<Pixel>; ++c) channel(row, c) += channel(pixel, c);
      }
      return row;
    };
    const auto down_column = [&](fastgpu::index<2> at, const fastgpu::in2<sums>& rows) {
      sums sum{};
      for (int down = -radius; down <= radius; ++down) {
        const sums row = rows(at[0] + down, at[1]);
        for (int c = 0; c < channels<Pixel>; ++c) channel(sum, c) += channel(row, c);
      }
      const int count = (2 * radius + 1) * (2 * radius + 1);
      Pixel result{};
      for (int c = 0; c < channels<Pixel>; ++c) {
        channel(result, c) = static_cast<std::uint8_t>((2 * channel(sum, c) + count) / (2 * count));
      }
      out(at) = result;
    };
    in_two_steps<sums>(team, pixels, {radius, 0}, along_row, down_column);
  }
};

/// Gaussian of a window of (2 radius + 1)^2 pixels, in float64 and not rounded: rows first, then their
/// sums, each from the lowest index up. Halo: radius, reflect-101.
template <class Pixel>
struct gaussian {
  static constexpr std::size_t shared_bytes = tile_bytes;
  int radius = 0;
  double weight[radius_max + 1] = {1.0};  ///< By distance from the centre, the same in both dimensions;
                                          ///< weight[0] + 2 (weight[1] + ... + weight[radius]) = 1.

  using unrounded = with_channel<Pixel, double>;

  FASTGPU_HD void operator()(const fastgpu::team& team, fastgpu::block<2> pixels, fastgpu::in2<Pixel> in,
                             fastgpu::out2<unrounded> out) const
  {
    const auto along_row = [&](fastgpu::index<2> at) {
      unrounded row{};
      for (int right = -radius; right <= radius; ++right) {
        const Pixel pixel = in(at[0], at[1] + right);
        const double w = weight[right < 0 ? -right : right];
        for (int c = 0; c < channels<Pixel>; ++c) channel(row, c) += w * channel(pixel, c);
      }
      return row;
    };
    const auto down_column = [&](fastgpu::index<2> at, const fastgpu::in2<unrounded>& rows) {
      unrounded sum{};
      for (int down = -radius; down <= radius; ++down) {
        const unrounded row = rows(at[0] + down, at[1]);
        const double w = weight[down < 0 ? -down : down];
        for (int c = 0; c < channels<Pixel>; ++c) channel(sum, c) += w * channel(row, c);
      }
      out(at) = sum;
    };
    in_two_steps<unrounded>(team, pixels, {radius, 0}, along_row, down_column);
  }
};

/// Rounds to the nearest 8-bit value, halves up. No halo.
///
/// @pre Every channel is in [0, 255.5).
template <class Pixel>
struct rounded {
  using unrounded = with_channel<Pixel, double>;

  FASTGPU_HD void operator()(fastgpu::index<2> at, fastgpu::in2<unrounded> in, fastgpu::out2<Pixel> out) const
  {
    const unrounded value = in(at);
    Pixel result{};
    for (int c = 0; c < channels<Pixel>; ++c) {
      channel(result, c) = static_cast<std::uint8_t>(channel(value, c) + 0.5);
    }
    out(at) = result;
  }
};

/// Which neighbours a morphological operation looks at: the square, or the row and column through it.
enum class element : std::uint8_t { rect, cross };

/// The larger (or smaller) value of each channel.
template <bool Largest, class Pixel>
FASTGPU_HD Pixel extreme_of(Pixel a, const Pixel& b)
{
  for (int c = 0; c < channels<Pixel>; ++c) {
    const std::uint8_t value = channel(b, c);
    std::uint8_t& kept = channel(a, c);
    if (Largest ? value > kept : value < kept) kept = value;
  }
  return a;
}

/// Largest (or smallest) value of each channel among the neighbours, pixels outside ignored. Halo: radius,
/// replicate: what the border then repeats is a pixel that the window holds anyway.
template <bool Largest, class Pixel>
struct extreme {
  static constexpr std::size_t shared_bytes = tile_bytes;
  int radius = 1;
  element shape = element::rect;

  FASTGPU_HD void operator()(const fastgpu::team& team, fastgpu::block<2> pixels, fastgpu::in2<Pixel> in,
                             fastgpu::out2<Pixel> out) const
  {
    const auto along_row = [&](fastgpu::index<2> at) {
      Pixel best = in(at);
      for (int right = -radius; right <= radius; ++right) best = extreme_of<Largest>(best, in(at[0], at[1] + right));
      return best;
    };
    const auto down_column = [&](fastgpu::index<2> at, Pixel best, const fastgpu::in2<Pixel>& column) {
      for (int down = -radius; down <= radius; ++down) best = extreme_of<Largest>(best, column(at[0] + down, at[1]));
      out(at) = best;
    };
    if (shape == element::cross) {
      team.for_each(pixels, [&](fastgpu::index<2> at) { down_column(at, along_row(at), in); });
    } else {
      in_two_steps<Pixel>(
          team, pixels, {radius, 0}, along_row,
          [&](fastgpu::index<2> at, const fastgpu::in2<Pixel>& rows) { down_column(at, rows(at), rows); });
    }
  }
};
template <class Pixel> using dilate = extreme<true, Pixel>;
template <class Pixel> using erode = extreme<false, Pixel>;

}  // namespace image
