#pragma once

#include <cstdint>

#include <fastgpu/config.hpp>
#include <fastgpu/index.hpp>
#include <fastgpu/view.hpp>

#include "image/pixel.hpp"

/// @file
/// Kernels whose result has another shape than the picture, or its pixels in other places. They read it whole.

namespace image {

/// How resize finds a value between pixels.
enum class interpolation : std::uint8_t { nearest, bilinear };

/// Scales the whole picture to `size`. Pixel centres correspond: the middle of result column c lies at
/// (c + 1/2) * columns / size[1] of the source, measured from its left edge; `nearest` takes the pixel
/// that this point lies in, `bilinear` weights the two columns (and rows) whose centres are around it,
/// exactly, and rounds once, halves up; beyond the outermost centres the edge pixel counts. Reads the picture
/// whole.
template <class Pixel>
struct resize {
  fastgpu::extents<2> size{};  ///< Of the result.
  interpolation method = interpolation::bilinear;

  FASTGPU_HD void operator()(fastgpu::index<2> at, fastgpu::in2<Pixel> in, fastgpu::out2<Pixel> out) const
  {
    const fastgpu::extents<2> from = in.shape();
    if (method == interpolation::nearest) {
      out(at) = in((2 * at[0] + 1) * from[0] / (2 * size[0]), (2 * at[1] + 1) * from[1] / (2 * size[1]));
      return;
    }
    const position row = between(at[0], from[0], size[0]);
    const position column = between(at[1], from[1], size[1]);
    const Pixel corner[2][2] = {{in(row.first, column.first), in(row.first, column.second)},
                                {in(row.second, column.first), in(row.second, column.second)}};
    const std::int64_t left = 2 * size[1] - column.weight;
    const std::int64_t upper = 2 * size[0] - row.weight;
    const std::int64_t whole = 4 * size[0] * size[1];
    Pixel result{};
    for (int c = 0; c < channels<Pixel>; ++c) {
      const std::int64_t above = left * channel(corner[0][0], c) + column.weight * channel(corner[0][1], c);
      const std::int64_t below = left * channel(corner[1][0], c) + column.weight * channel(corner[1][1], c);
      const std::int64_t sum = upper * above + row.weight * below;
      channel(result, c) = static_cast<std::uint8_t>((2 * sum + whole) / (2 * whole));
    }
    out(at) = result;
  }

 private:
  struct position {
    std::int64_t first, second;  ///< The two source rows or columns, inside the picture.
    std::int64_t weight;         ///< Of the second, in parts of 2 * to.
  };

  FASTGPU_HD static position between(std::int64_t at, std::int64_t from, std::int64_t to)
  {
    // The point is ((2 at + 1) from - to) / (2 to) from the first centre; one more keeps it positive.
    const std::int64_t parts = (2 * at + 1) * from + to;
    const std::int64_t first = parts / (2 * to) - 1;
    return {first < 0 ? 0 : first, first + 1 < from ? first + 1 : from - 1, parts % (2 * to)};
  }
};

/// Turns the whole picture about its centre, counter-clockwise, by any angle; the result has the picture's
/// size. Bilinear, in fixed point: positions to 2^-16 of a pixel, values rounded once, halves up. Pixels
/// outside are 0. Reads the picture whole.
template <class Pixel>
struct rotate {
  static constexpr int fraction_bits = 40;
  std::int64_t cosine = std::int64_t{1} << fraction_bits;  ///< Of the angle, times 2^fraction_bits.
  std::int64_t sine = 0;                                   ///< Likewise.

  FASTGPU_HD void operator()(fastgpu::index<2> at, fastgpu::in2<Pixel> in, fastgpu::out2<Pixel> out) const
  {
    const fastgpu::extents<2> size = in.shape();
    // From the centre, in half pixels: whole numbers for even and odd sizes.
    const std::int64_t down = 2 * at[0] - (size[0] - 1);
    const std::int64_t right = 2 * at[1] - (size[1] - 1);
    const std::int64_t row = to_16_bits(sine * right + cosine * down + ((size[0] - 1) << fraction_bits));
    const std::int64_t column = to_16_bits(cosine * right - sine * down + ((size[1] - 1) << fraction_bits));
    const std::int64_t top = row >> 16;
    const std::int64_t left = column >> 16;
    const std::int64_t lower = row & 0xffff;       // weight of the lower two, in parts of 2^16
    const std::int64_t further = column & 0xffff;  // weight of the two on the right
    const Pixel corner[2][2] = {{pixel_at(in, top, left), pixel_at(in, top, left + 1)},
                                {pixel_at(in, top + 1, left), pixel_at(in, top + 1, left + 1)}};
    Pixel result{};
    for (int c = 0; c < channels<Pixel>; ++c) {
      const std::int64_t above = (65536 - further) * channel(corner[0][0], c) + further * channel(corner[0][1], c);
      const std::int64_t below = (65536 - further) * channel(corner[1][0], c) + further * channel(corner[1][1], c);
      const std::int64_t sum = (65536 - lower) * above + lower * below;
      channel(result, c) = static_cast<std::uint8_t>((sum + (std::int64_t{1} << 31)) >> 32);
    }
    out(at) = result;
  }

 private:
  /// Half pixels times 2^fraction_bits to pixels times 2^16, rounded.
  FASTGPU_HD static std::int64_t to_16_bits(std::int64_t half_pixels)
  {
    constexpr int drop = fraction_bits + 1 - 16;
    return (half_pixels + (std::int64_t{1} << (drop - 1))) >> drop;
  }

  FASTGPU_HD static Pixel pixel_at(fastgpu::in2<Pixel> in, std::int64_t row, std::int64_t column)
  {
    const fastgpu::extents<2> size = in.shape();
    return row < 0 || row >= size[0] || column < 0 || column >= size[1] ? Pixel{} : in(row, column);
  }
};

/// Turns the whole picture counter-clockwise by `turns` times 90 degrees, 0 to 3. Exact; odd turns swap rows
/// and columns. Reads the picture whole.
template <class Pixel>
struct quarter_turns {
  int turns = 0;

  FASTGPU_HD void operator()(fastgpu::index<2> at, fastgpu::in2<Pixel> in, fastgpu::out2<Pixel> out) const
  {
    const std::int64_t last_row = in.shape()[0] - 1;
    const std::int64_t last_column = in.shape()[1] - 1;
    switch (turns) {
      case 1: out(at) = in(at[1], last_column - at[0]); break;
      case 2: out(at) = in(last_row - at[0], last_column - at[1]); break;
      case 3: out(at) = in(last_row - at[1], at[0]); break;
      default: out(at) = in(at); break;
    }
  }
};

/// How a picture is mirrored: h swaps left and right, v swaps top and bottom.
enum class axis : std::uint8_t { h, v };

/// Mirrors the whole picture. Reads it whole.
template <class Pixel>
struct flip {
  axis along = axis::h;

  FASTGPU_HD void operator()(fastgpu::index<2> at, fastgpu::in2<Pixel> in, fastgpu::out2<Pixel> out) const
  {
    const fastgpu::extents<2> size = in.shape();
    out(at) = along == axis::h ? in(at[0], size[1] - 1 - at[1]) : in(size[0] - 1 - at[0], at[1]);
  }
};

}  // namespace image
