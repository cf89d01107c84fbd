#pragma once

#include <cstdint>
#include <type_traits>

#include <fastgpu/config.hpp>
#include <fastgpu/index.hpp>
#include <fastgpu/view.hpp>

/// @file
/// The kernels of the image example: what happens to one pixel, or, for labels, to one tile.
///
/// Filters read a slice whose border is already filled (each says how wide and with what), so none of
/// them tests for the picture's edge; where the result has another shape, the kernel reads the whole
/// picture. Pixels are 8 bit: `std::uint8_t` for grey, `rgb` for colour, treated channel by channel
/// unless a kernel says otherwise. All arithmetic but the Gaussian's is in integers and exact before
/// one last rounding, so results are the same on every device.

namespace image {

/// One value a channel. No padding: a row of them is the interleaved row of an image file.
template <class T>
struct color {
  T r, g, b;
  friend constexpr bool operator==(const color&, const color&) = default;
};
using rgb = color<std::uint8_t>;
static_assert(sizeof(rgb) == 3);

template <class Pixel> inline constexpr int channels = 1;
template <class T> inline constexpr int channels<color<T>> = 3;

template <class Pixel, class T> struct rebind { using type = T; };
template <class U, class T> struct rebind<color<U>, T> { using type = color<T>; };
/// A pixel with as many channels as Pixel, each of type T.
template <class Pixel, class T> using with_channel = typename rebind<Pixel, T>::type;

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

inline constexpr int size_max = 127;             ///< Largest edge of a filter's window; windows are odd.
inline constexpr int radius_max = size_max / 2;  ///< Hence the widest halo.
inline constexpr std::int64_t side_max = std::int64_t{1} << 20;  ///< Longest side of a picture: the integer
                                                                 ///< arithmetic below has room for that much.

/// Mean of the window of (2 radius + 1)^2 pixels: the exact mean, rounded to nearest (a window has an odd
/// number of pixels, so there are no ties). Halo: radius, reflect-101.
template <class Pixel>
struct mean {
  int radius = 1;

  FASTGPU_HD void operator()(fastgpu::index<2> at, fastgpu::in2<Pixel> in, fastgpu::out2<Pixel> out) const
  {
    std::int32_t sum[channels<Pixel>] = {};
    for (std::int64_t row = at[0] - radius; row <= at[0] + radius; ++row) {
      for (std::int64_t column = at[1] - radius; column <= at[1] + radius; ++column) {
        const Pixel pixel = in(row, column);
        for (int c = 0; c < channels<Pixel>; ++c) sum[c] += channel(pixel, c);
      }
    }
    const int count = (2 * radius + 1) * (2 * radius + 1);
    Pixel result{};
    for (int c = 0; c < channels<Pixel>; ++c) {
      channel(result, c) = static_cast<std::uint8_t>((2 * sum[c] + count) / (2 * count));
    }
    out(at) = result;
  }
};

/// Gaussian of a window of (2 radius + 1)^2 pixels, in float64 and not rounded: rows first, then their
/// sums, each from the lowest index up. Halo: radius, reflect-101.
template <class Pixel>
struct gaussian {
  int radius = 0;
  double weight[radius_max + 1] = {1.0};  ///< By distance from the centre, the same in both dimensions;
                                          ///< weight[0] + 2 (weight[1] + ... + weight[radius]) = 1.

  using unrounded = with_channel<Pixel, double>;

  FASTGPU_HD void operator()(fastgpu::index<2> at, fastgpu::in2<Pixel> in, fastgpu::out2<unrounded> out) const
  {
    unrounded sum{};
    for (int down = -radius; down <= radius; ++down) {
      unrounded row_sum{};
      for (int right = -radius; right <= radius; ++right) {
        const Pixel pixel = in(at[0] + down, at[1] + right);
        const double w = weight[right < 0 ? -right : right];
        for (int c = 0; c < channels<Pixel>; ++c) channel(row_sum, c) += w * channel(pixel, c);
      }
      const double w = weight[down < 0 ? -down : down];
      for (int c = 0; c < channels<Pixel>; ++c) channel(sum, c) += w * channel(row_sum, c);
    }
    out(at) = sum;
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

/// Slope of one channel: x grows to the right, y downwards.
struct gradient {
  std::int32_t x, y;  ///< -1020 to 1020 for 8-bit pixels.
};

/// The 3x3 Sobel operator at (row, column). Reads the eight neighbours.
template <class Pixel>
FASTGPU_HD gradient sobel_at(fastgpu::in2<Pixel> in, std::int64_t row, std::int64_t column, int c)
{
  const auto value = [&](int down, int right) -> std::int32_t {
    const Pixel pixel = in(row + down, column + right);
    return channel(pixel, c);
  };
  const std::int32_t corner = value(1, 1) - value(-1, -1);  // in both sums with the same sign
  const std::int32_t other = value(-1, 1) - value(1, -1);   // in x as it is, in y reversed
  return {corner + other + 2 * (value(0, 1) - value(0, -1)), corner - other + 2 * (value(1, 0) - value(-1, 0))};
}

/// Sobel 3x3, channel by channel: both slopes, and as a picture min(255, |gx| + |gy|).
/// Halo: 1, reflect-101.
template <class Pixel>
struct sobel {
  using slope = with_channel<Pixel, std::int16_t>;

  FASTGPU_HD void operator()(fastgpu::index<2> at, fastgpu::in2<Pixel> in, fastgpu::out2<slope> gx,
                             fastgpu::out2<slope> gy, fastgpu::out2<Pixel> out) const
  {
    slope x{};
    slope y{};
    Pixel result{};
    for (int c = 0; c < channels<Pixel>; ++c) {
      const gradient g = sobel_at(in, at[0], at[1], c);
      const std::int32_t sum = (g.x < 0 ? -g.x : g.x) + (g.y < 0 ? -g.y : g.y);
      channel(x, c) = static_cast<std::int16_t>(g.x);
      channel(y, c) = static_cast<std::int16_t>(g.y);
      channel(result, c) = static_cast<std::uint8_t>(sum < 255 ? sum : 255);
    }
    gx(at) = x;
    gy(at) = y;
    out(at) = result;
  }
};

/// How Canny's edge detector measures a gradient: |x| + |y|, or x^2 + y^2 held against squared thresholds.
enum class norm : std::uint8_t { l1, l2 };

/// What Canny's edge detector finds at a pixel before hysteresis.
enum pixel_class : std::uint8_t { none = 0, weak = 1, strong = 2 };

/// Canny's edge detector up to its hysteresis: gradient, non-maximum suppression, two thresholds.
///
/// Of a colour picture's three gradients the largest counts; among equals blue before green before red.
/// Halo: 2, replicate: a neighbour's gradient reads one pixel further than the neighbour. Magnitudes
/// outside the picture are 0, whatever the border holds, which is why the kernel knows the picture's size.
template <class Pixel>
struct canny_classes {
  fastgpu::extents<2> size{};      ///< Of the whole picture.
  std::int32_t low = 0, high = 0;  ///< A pixel above `low` is weak, above `high` strong; squared for l2.
  norm measure = norm::l1;

  FASTGPU_HD void operator()(fastgpu::index<2> at, fastgpu::in2<Pixel> in, fastgpu::out2<std::uint8_t> out) const
  {
    const gradient here = steepest(in, at[0], at[1]);
    const std::int32_t m = magnitude(here);
    out(at) = m > low && is_ridge(in, at, here, m) ? (m > high ? strong : weak) : none;
  }

 private:
  FASTGPU_HD std::int32_t magnitude(gradient g) const
  {
    if (measure == norm::l2) return g.x * g.x + g.y * g.y;
    return (g.x < 0 ? -g.x : g.x) + (g.y < 0 ? -g.y : g.y);
  }

  FASTGPU_HD gradient steepest(fastgpu::in2<Pixel> in, std::int64_t row, std::int64_t column) const
  {
    gradient best = sobel_at(in, row, column, channels<Pixel> - 1);
    for (int c = channels<Pixel> - 2; c >= 0; --c) {
      const gradient other = sobel_at(in, row, column, c);
      if (magnitude(other) > magnitude(best)) best = other;
    }
    return best;
  }

  FASTGPU_HD std::int32_t magnitude_at(fastgpu::in2<Pixel> in, std::int64_t row, std::int64_t column) const
  {
    if (row < 0 || row >= size[0] || column < 0 || column >= size[1]) return 0;
    return magnitude(steepest(in, row, column));
  }

  /// Whether m, the magnitude at `at`, is largest along the gradient. Directions are told apart at
  /// 22.5 and 67.5 degrees, whose tangents are 13573 / 2^15 and 2 + 13573 / 2^15.
  FASTGPU_HD bool is_ridge(fastgpu::in2<Pixel> in, fastgpu::index<2> at, gradient here, std::int32_t m) const
  {
    const std::int64_t x = here.x < 0 ? -here.x : here.x;
    const std::int64_t y = std::int64_t{here.y < 0 ? -here.y : here.y} << 15;
    const auto neighbour = [&](int down, int right) { return magnitude_at(in, at[0] + down, at[1] + right); };
    if (y < x * 13573) return m > neighbour(0, -1) && m >= neighbour(0, 1);
    if (y > x * (13573 + (1 << 16))) return m > neighbour(-1, 0) && m >= neighbour(1, 0);
    const int side = (here.x < 0) != (here.y < 0) ? -1 : 1;
    return m > neighbour(-1, -side) && m > neighbour(1, side);
  }
};

/// First half of Canny's hysteresis, a tile at a time: components of weak and strong pixels, 8 neighbours
/// each, inside the tile. No halo.
///
/// A pixel that is neither gets label 0, all others |label| = 1 + row * columns + column of the component's
/// first pixel in reading order; the label is negative where the component has a strong pixel. So labels are
/// unique over the picture, and unite_tiles() needs nothing else.
///
/// @pre The picture has fewer than 2^31 - 1 pixels.
/// @see R. Tarjan, "Efficiency of a good but not linear set union algorithm", JACM 22(2), 1975 (path
///      halving: Tarjan & van Leeuwen, 1984); the forest lies in the labels themselves.
struct label_tile {
  std::int64_t columns = 0;  ///< Of the whole picture.

  FASTGPU_HD void operator()(fastgpu::block<2> tile, fastgpu::in2<std::uint8_t> classes,
                             fastgpu::out2<std::int32_t> labels) const
  {
    // While the forest grows, a pixel holds +-(1 + place of its parent), its place being its distance in
    // memory from the tile's first pixel. A parent never lies after its child; at a root, minus says strong.
    const forest trees{&labels(tile.begin)};
    const auto place = [&](std::int64_t row, std::int64_t column) {
      return static_cast<std::int32_t>((row - tile.begin[0]) * labels.stride()[0] + column - tile.begin[1]);
    };
    for (std::int64_t row = tile.begin[0]; row < tile.end[0]; ++row) {
      for (std::int64_t column = tile.begin[1]; column < tile.end[1]; ++column) {
        const std::uint8_t kind = classes(row, column);
        const std::int32_t here = place(row, column);
        trees.value[here] = kind == none ? 0 : kind == strong ? -(1 + here) : 1 + here;
        if (kind == none) continue;
        if (column > tile.begin[1]) trees.unite(here, place(row, column - 1));
        if (row == tile.begin[0]) continue;
        if (column > tile.begin[1]) trees.unite(here, place(row - 1, column - 1));
        trees.unite(here, place(row - 1, column));
        if (column + 1 < tile.end[1]) trees.unite(here, place(row - 1, column + 1));
      }
    }
    for (std::int64_t row = tile.begin[0]; row < tile.end[0]; ++row) {
      for (std::int64_t column = tile.begin[1]; column < tile.end[1]; ++column) {
        const std::int32_t here = place(row, column);
        const std::int32_t value = trees.value[here];
        if (value == 0) continue;
        const std::int32_t parent = forest::place_in(value);
        const auto name = static_cast<std::int32_t>(1 + row * columns + column);
        // Parents come first in reading order, so a parent already has its final label.
        trees.value[here] = parent != here ? trees.value[parent] : value < 0 ? -name : name;
      }
    }
  }

  /// Disjoint sets of pixels, kept in the labels of the pixels.
  struct forest {
    std::int32_t* value;  ///< Per place: 0, or +-(1 + place of the parent); the sign counts at roots only.

    FASTGPU_HD static std::int32_t place_in(std::int32_t label) { return (label < 0 ? -label : label) - 1; }

    FASTGPU_HD std::int32_t root_of(std::int32_t place) const
    {
      for (;;) {
        const std::int32_t parent = place_in(value[place]);
        if (parent == place) return place;
        value[place] = value[parent];  // halves the path; a parent's parent is nearer to the root
        place = parent;
      }
    }

    /// Puts the sets of two places together, strong if one of them is. Does nothing if either has label 0.
    FASTGPU_HD void unite(std::int32_t a, std::int32_t b) const
    {
      if (value[a] == 0 || value[b] == 0) return;
      a = root_of(a);
      b = root_of(b);
      if (a == b) return;
      const std::int32_t first = a < b ? a : b;
      const std::int32_t second = a < b ? b : a;
      if (value[second] < 0 && value[first] > 0) value[first] = -value[first];
      value[second] = 1 + first;
    }
  };
};

/// Which neighbours a morphological operation looks at: the square, or the row and column through it.
enum class element : std::uint8_t { rect, cross };

/// Largest (or smallest) value of each channel among the neighbours.
template <bool Largest, class Pixel>
FASTGPU_HD Pixel extreme_at(fastgpu::index<2> at, fastgpu::in2<Pixel> in, int radius, element shape)
{
  Pixel best = in(at);
  const auto look = [&](int down, int right) {
    const Pixel pixel = in(at[0] + down, at[1] + right);
    for (int c = 0; c < channels<Pixel>; ++c) {
      const std::uint8_t value = channel(pixel, c);
      std::uint8_t& kept = channel(best, c);
      if (Largest ? value > kept : value < kept) kept = value;
    }
  };
  for (int down = -radius; down <= radius; ++down) {
    if (shape == element::cross && down != 0) {
      look(down, 0);
      continue;
    }
    for (int right = -radius; right <= radius; ++right) look(down, right);
  }
  return best;
}

/// Largest value among the neighbours, pixels outside ignored. Halo: radius, replicate: what the border
/// then repeats is a pixel that the window holds anyway.
template <class Pixel>
struct dilate {
  int radius = 1;
  element shape = element::rect;

  FASTGPU_HD void operator()(fastgpu::index<2> at, fastgpu::in2<Pixel> in, fastgpu::out2<Pixel> out) const
  {
    out(at) = extreme_at<true>(at, in, radius, shape);
  }
};

/// Smallest value among the neighbours, pixels outside ignored. Halo: as dilate.
template <class Pixel>
struct erode {
  int radius = 1;
  element shape = element::rect;

  FASTGPU_HD void operator()(fastgpu::index<2> at, fastgpu::in2<Pixel> in, fastgpu::out2<Pixel> out) const
  {
    out(at) = extreme_at<false>(at, in, radius, shape);
  }
};

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
