#pragma once

#include <cstddef>
#include <cstdint>

#include <fastgpu/config.hpp>
#include <fastgpu/index.hpp>
#include <fastgpu/team.hpp>
#include <fastgpu/view.hpp>

/// @file
/// Kernels of two steps, the second of which reads what the first has found for neighbours.

namespace image {

inline constexpr std::size_t tile_bytes = 32 * 1024;  ///< For what the first step gives. Six teams at a time have
                                                      ///< that much on a multiprocessor of an H200.
inline constexpr std::int64_t tile_rows_max = 64;

/// Goes through `pixels` tile by tile: `first(at)` gives a T for every pixel of the tile and of its margin, then
/// `second(at, given)` is called for every pixel of the tile, where `given` holds all of these.
///
/// @param margin  Rows above and below the tile, columns beside it.
/// @pre           The kernel's shared_bytes is tile_bytes, in which a column of a tile with its margin has room.
template <class T, class First, class Second>
FASTGPU_HD void in_two_steps(const fastgpu::team& team, const fastgpu::block<2>& pixels, fastgpu::extents<2> margin,
                             const First& first, const Second& second)
{
  const auto at_most = [](std::int64_t a, std::int64_t b) { return a < b ? a : b; };
  const std::int64_t rows = at_most(pixels.size(0), tile_rows_max);
  const std::int64_t room = static_cast<std::int64_t>(tile_bytes / sizeof(T)) / (rows + 2 * margin[0]);
  const std::int64_t columns = at_most(pixels.size(1), room - 2 * margin[1]);
  for (auto top = pixels.begin[0]; top < pixels.end[0]; top += rows) {
    for (auto left = pixels.begin[1]; left < pixels.end[1]; left += columns) {
      const fastgpu::block<2> tile{{top, left},
                                   {at_most(top + rows, pixels.end[0]), at_most(left + columns, pixels.end[1])}};
      const fastgpu::block<2> grown{{tile.begin[0] - margin[0], tile.begin[1] - margin[1]},
                                    {tile.end[0] + margin[0], tile.end[1] + margin[1]}};
      const fastgpu::extents<2> size{grown.size(0), grown.size(1)};
      const fastgpu::out2<T> given{team.shared<T>(size.count()), grown.begin, size, {size[1], 1}};
      team.for_each(grown, [&](fastgpu::index<2> at) { given(at) = first(at); });
      team.sync();
      const fastgpu::in2<T> found{given.data(), grown.begin, size, {size[1], 1}};
      team.for_each(tile, [&](fastgpu::index<2> at) { second(at, found); });
      team.sync();
    }
  }
}

}  // namespace image
