#pragma once

#include <cstdint>
#include <vector>

#include <fastgpu/config.hpp>
#include <fastgpu/detail/ref.hpp>
#include <fastgpu/index.hpp>

/// @file
/// The shape of a job: its iteration space and where the boundaries of its subtasks are. Plain data, computed from
/// the job alone and never from the devices.

namespace fastgpu::inline v0::detail {

/// Subtasks of a list with costs: boundaries and running totals. Immutable once made.
struct cost_table : ref_counted {
  std::vector<std::int64_t> bounds;  ///< [subtasks + 1] first items.
  std::vector<double> prefix;        ///< [subtasks + 1] sum of the costs of all subtasks before.
};

/// One dimension: `tiles` tiles of `size` indices, the first `longer` of them one more; the last ends at `extent`.
struct dimension {
  std::int64_t extent = 1;
  std::int64_t tiles = 1;
  std::int64_t size = 1;
  std::int64_t longer = 0;
};

/// What tells the indices of a subtask: plain data, for kernels on a GPU too.
struct flat_shape {
  std::int32_t rank = 1;
  std::uint32_t count = 0;      ///< Subtasks.
  std::uint32_t span_log2 = 0;  ///< A span is 2^span_log2 subtasks.
  dimension dimensions[3];
  const std::int64_t* bounds = nullptr;  ///< [count + 1] first items, for lists with costs; replace `dimensions`.
};

struct space_shape : flat_shape {
  ref<const cost_table> costs;  ///< Owns `bounds`.
};

FASTGPU_HD inline std::int64_t tile_begin(const dimension& d, std::int64_t tile)
{
  return tile * d.size + (tile < d.longer ? tile : d.longer);
}
FASTGPU_HD inline std::int64_t tile_end(const dimension& d, std::int64_t tile)
{
  const auto begin = tile_begin(d, tile);
  const auto size = d.size + (tile < d.longer ? 1 : 0);
  return size < d.extent - begin ? begin + size : d.extent;
}

/// The indices of subtask `number`.
template <int N>
FASTGPU_HD block<N> block_of(const flat_shape& shape, std::uint32_t number)
{
  block<N> b;
  b.subtask = number;
  if constexpr (N == 1) {
    if (shape.bounds != nullptr) {
      b.begin[0] = shape.bounds[number];
      b.end[0] = shape.bounds[number + 1];
      return b;
    }
  }
  std::int64_t rest = number;
  for (int d = N - 1; d >= 0; --d) {
    const auto& dim = shape.dimensions[d];
    const auto tile = d == 0 ? rest : rest % dim.tiles;
    if (d > 0) rest /= dim.tiles;
    b.begin[d] = tile_begin(dim, tile);
    b.end[d] = tile_end(dim, tile);
  }
  return b;
}

/// Index `k` of a block's, counted row-major.
template <int N>
FASTGPU_HD index<N> index_at(const block<N>& b, std::int64_t k)
{
  index<N> at;
  for (int d = N - 1; d > 0; --d) {
    const auto size = b.size(d);
    std::int64_t row = 0;
    if (((k | size) >> 32) == 0) {  // division of 64 bits is slow, most of all on GPUs
      row = static_cast<std::uint32_t>(k) / static_cast<std::uint32_t>(size);
    } else {
      row = k / size;
    }
    at[d] = b.begin[d] + (k - row * size);
    k = row;
  }
  at[0] = b.begin[0] + k;
  return at;
}

/// Largest block's size in each dimension; 1 in those that the shape has not.
FASTGPU_API void largest_tile(const space_shape& shape, std::int64_t (&tile)[3]) noexcept;

/// 64 bits that differ, but for accidents, where two shapes differ in space or subtasks.
[[nodiscard]] FASTGPU_API std::uint64_t digest(const space_shape& shape) noexcept;

[[nodiscard]] FASTGPU_API space_shape shape_by_size(int rank, const std::int64_t* extent, const std::int64_t* tile);
[[nodiscard]] FASTGPU_API space_shape shape_by_count(int rank, const std::int64_t* extent, std::int64_t count);
[[nodiscard]] FASTGPU_API space_shape shape_by_cost(const double* costs, std::size_t items, std::size_t count);
[[nodiscard]] FASTGPU_API space_shape shape_automatic(int rank, const std::int64_t* extent);

}  // namespace fastgpu::inline v0::detail
