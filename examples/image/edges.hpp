#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <fastgpu/config.hpp>
#include <fastgpu/index.hpp>
#include <fastgpu/team.hpp>
#include <fastgpu/view.hpp>

#include "image/pixel.hpp"
#include "image/tiles.hpp"

/// @file
/// Kernels that look for edges: slopes, Canny's classes, and labels of what is connected.

namespace image {

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
  static constexpr std::size_t shared_bytes = tile_bytes;
  fastgpu::extents<2> size{};      ///< Of the whole picture.
  std::int32_t low = 0, high = 0;  ///< A pixel above `low` is weak, above `high` strong; squared for l2.
  norm measure = norm::l1;

  FASTGPU_HD void operator()(const fastgpu::team& team, fastgpu::block<2> pixels, fastgpu::in2<Pixel> in,
                             fastgpu::out2<std::uint8_t> out) const
  {
    const auto slope = [&](fastgpu::index<2> at) {
      return is_inside(at[0], at[1]) ? steepest(in, at[0], at[1]) : gradient{};
    };
    const auto classify = [&](fastgpu::index<2> at, fastgpu::in2<gradient> slopes) {
      const std::int32_t m = magnitude(slopes(at));
      out(at) = m > low && is_ridge(slopes, at, m) ? (m > high ? strong : weak) : none;
    };
    in_two_steps<gradient>(team, pixels, {1, 1}, slope, classify);
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

  FASTGPU_HD bool is_inside(std::int64_t row, std::int64_t column) const
  {
    return row >= 0 && row < size[0] && column >= 0 && column < size[1];
  }

  /// Whether m, the magnitude at `at`, is largest along the gradient. Directions are told apart at
  /// 22.5 and 67.5 degrees, whose tangents are 13573 / 2^15 and 2 + 13573 / 2^15.
  FASTGPU_HD bool is_ridge(fastgpu::in2<gradient> slopes, fastgpu::index<2> at, std::int32_t m) const
  {
    const gradient here = slopes(at);
    const std::int64_t x = here.x < 0 ? -here.x : here.x;
    const std::int64_t y = std::int64_t{here.y < 0 ? -here.y : here.y} << 15;
    const auto neighbour = [&](int down, int right) { return magnitude(slopes(at[0] + down, at[1] + right)); };
    if (y < x * 13573) return m > neighbour(0, -1) && m >= neighbour(0, 1);
    if (y > x * (13573 + (1 << 16))) return m > neighbour(-1, 0) && m >= neighbour(1, 0);
    const int side = (here.x < 0) != (here.y < 0) ? -1 : 1;
    return m > neighbour(-1, -side) && m > neighbour(1, side);
  }
};

/// What threads do to memory that others are at work on, without an order.
FASTGPU_HD inline std::int32_t racing_load(std::int32_t& from)
{
#if defined(__CUDA_ARCH__)
  return *static_cast<volatile std::int32_t*>(&from);
#else
  return std::atomic_ref{from}.load(std::memory_order_relaxed);
#endif
}
FASTGPU_HD inline void racing_store(std::int32_t& to, std::int32_t value)
{
#if defined(__CUDA_ARCH__)
  *static_cast<volatile std::int32_t*>(&to) = value;
#else
  std::atomic_ref{to}.store(value, std::memory_order_relaxed);
#endif
}
/// @return  What was there before.
FASTGPU_HD inline std::int32_t racing_fetch_min(std::int32_t& at, std::int32_t value)
{
#if defined(__CUDA_ARCH__)
  return atomicMin(&at, value);
#else
  const std::atomic_ref all{at};
  std::int32_t was = all.load(std::memory_order_relaxed);
  while (value < was && !all.compare_exchange_weak(was, value, std::memory_order_relaxed)) {
  }
  return was;
#endif
}

/// First half of Canny's hysteresis, a tile at a time: components of weak and strong pixels, 8 neighbours
/// each, inside the tile. No halo.
///
/// A pixel that is neither gets label 0, all others |label| = 1 + row * columns + column of the component's
/// first pixel in reading order; the label is negative where the component has a strong pixel. So labels are
/// unique over the picture, and unite_tiles() needs nothing else.
///
/// @pre The picture has fewer than 2^31 - 1 pixels.
/// @see R. Tarjan, "Efficiency of a good but not linear set union algorithm", JACM 22(2), 1975 (path
///      halving: Tarjan & van Leeuwen, 1984); linked by an atomic minimum, so that threads need no lock, as
///      D. P. Playne, K. Hawick, "A New Algorithm for Parallel Connected-Component Labelling on GPUs", IEEE
///      TPDS 29(6), 2018. The forest lies in the labels themselves.
struct label_tile {
  std::int64_t columns = 0;  ///< Of the whole picture.

  FASTGPU_HD void operator()(const fastgpu::team& team, fastgpu::block<2> tile, fastgpu::in2<std::uint8_t> classes,
                             fastgpu::out2<std::int32_t> labels) const
  {
    // While the forest grows, a pixel holds 1 + place of its parent, its place being its distance in memory from the
    // tile's first pixel. A parent never lies after its child. Then a root's minus says strong.
    const places place{tile, labels.stride()[0]};
    const forest trees{&labels(tile.begin), team.size() == 1};
    team.for_each(tile, [&](fastgpu::index<2> at) {
      const std::int32_t here = place(at[0], at[1]);
      trees.set(here, classes(at) == none ? 0 : 1 + here);
    });
    team.sync();
    team.for_each(tile, [&](fastgpu::index<2> at) { join_neighbours(trees, place, classes, at); });
    team.sync();
    team.for_each(tile, [&](fastgpu::index<2> at) {
      const std::int32_t here = place(at[0], at[1]);
      if (classes(at) != none) trees.set(here, 1 + trees.root_of(here));
    });
    team.sync();
    team.for_each(tile, [&](fastgpu::index<2> at) {
      if (classes(at) != strong) return;
      const std::int32_t root = forest::place_in(trees.get(place(at[0], at[1])));
      trees.set(root, -(1 + root));
    });
    team.sync();
    team.for_each(tile, [&](fastgpu::index<2> at) {
      if (classes(at) == none) return;
      const std::int32_t here = place(at[0], at[1]);
      const std::int32_t root = forest::place_in(trees.get(here));
      const bool is_strong = trees.get(root) < 0;  // has the same sign when it is the root's label already
      const auto name = static_cast<std::int32_t>(1 + place.row(root) * columns + place.column(root));
      trees.set(here, is_strong ? -name : name);
    });
  }

  /// Disjoint sets of pixels, kept in the labels of the pixels. Threads may unite sets at the same time.
  struct forest {
    std::int32_t* value;  ///< Per place: 0, or 1 + place of the parent, which a root is itself.
    bool alone;           ///< One thread is at work, which needs no atomic operations.

    FASTGPU_HD static std::int32_t place_in(std::int32_t label) { return (label < 0 ? -label : label) - 1; }

    FASTGPU_HD std::int32_t get(std::int32_t place) const { return racing_load(value[place]); }
    FASTGPU_HD void set(std::int32_t place, std::int32_t label) const { racing_store(value[place], label); }

    /// The smaller label stays. @return  What was there before.
    FASTGPU_HD std::int32_t lower(std::int32_t place, std::int32_t label) const
    {
      if (!alone) return racing_fetch_min(value[place], label);
      const std::int32_t was = value[place];
      if (label < was) value[place] = label;
      return was;
    }

    FASTGPU_HD std::int32_t root_of(std::int32_t place) const
    {
      for (;;) {
        const std::int32_t parent = get(place) - 1;
        if (parent == place) return place;
        const std::int32_t next = get(parent);
        if (next - 1 < parent) lower(place, next);  // halves the path: a parent's parent is nearer
        place = next - 1;
      }
    }

    /// Puts the sets of two places together.
    FASTGPU_HD void unite(std::int32_t a, std::int32_t b) const
    {
      for (;;) {
        a = root_of(a);
        b = root_of(b);
        if (a == b) return;
        const std::int32_t first = a < b ? a : b;
        const std::int32_t second = a < b ? b : a;
        const std::int32_t was = lower(second, 1 + first);
        if (was == 1 + second) return;
        a = first;    // somebody was faster: `second` has, or had, another parent,
        b = was - 1;  // whose set belongs here as well
      }
    }
  };

 private:
  /// From pixels to places and back.
  struct places {
    fastgpu::block<2> tile;
    std::int64_t stride;

    FASTGPU_HD std::int32_t operator()(std::int64_t row, std::int64_t column) const
    {
      return static_cast<std::int32_t>((row - tile.begin[0]) * stride + column - tile.begin[1]);
    }
    FASTGPU_HD std::int64_t row(std::int32_t place) const { return tile.begin[0] + place / stride; }
    FASTGPU_HD std::int64_t column(std::int32_t place) const { return tile.begin[1] + place % stride; }
  };

  /// With the four neighbours that come before it in reading order.
  FASTGPU_HD static void join_neighbours(const forest& trees, const places& place,
                                         const fastgpu::in2<std::uint8_t>& classes, fastgpu::index<2> at)
  {
    if (classes(at) == none) return;
    const std::int64_t row = at[0];
    const std::int64_t column = at[1];
    const auto join = [&](std::int64_t r, std::int64_t c) {
      if (classes(r, c) != none) trees.unite(place(row, column), place(r, c));
    };
    const auto& tile = place.tile;
    if (column > tile.begin[1]) join(row, column - 1);
    if (row == tile.begin[0]) return;
    if (column > tile.begin[1]) join(row - 1, column - 1);
    join(row - 1, column);
    if (column + 1 < tile.end[1]) join(row - 1, column + 1);
  }
};

}  // namespace image
