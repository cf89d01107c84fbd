#include <fastgpu/detail/shape.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include <fastgpu/error.hpp>

namespace fastgpu::inline v0::detail {
namespace {

constexpr std::int64_t subtasks_max = std::numeric_limits<std::uint32_t>::max();
constexpr std::int64_t automatic_subtasks = std::int64_t{1} << 14;
constexpr std::int64_t automatic_tiles_max = std::int64_t{1} << 20;
constexpr std::int64_t automatic_edge_min = 32;

std::int64_t divide_up(std::int64_t n, std::int64_t by) { return n / by + (n % by != 0 ? 1 : 0); }

void check_extents(int rank, const std::int64_t* extent)
{
  std::int64_t product = 1;
  for (int d = 0; d < rank; ++d) {
    if (extent[d] < 0) {
      throw error{errc::invalid_argument, "space: extent " + std::to_string(extent[d]) + " is negative"};
    }
    if (__builtin_mul_overflow(product, std::max<std::int64_t>(extent[d], 1), &product)) {
      throw error{errc::invalid_argument, "space: more than 2^63 - 1 indices"};
    }
  }
}

/// Counts the subtasks, in which the number of tiles of all dimensions is multiplied.
void count_subtasks(space_shape& shape)
{
  std::int64_t count = 1;
  for (int d = 0; d < shape.rank; ++d) {
    if (shape.dimensions[d].tiles == 0) return;  // nothing, however long the other dimensions are
  }
  for (int d = 0; d < shape.rank; ++d) {
    const bool overflow = __builtin_mul_overflow(count, shape.dimensions[d].tiles, &count);
    if (overflow || count > subtasks_max) {
      throw error{errc::too_many_subtasks, "space: more than 2^32 - 1 subtasks; choose a larger granule"};
    }
  }
  shape.count = static_cast<std::uint32_t>(count);
}

std::uint64_t mix(std::uint64_t x)
{
  // The finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

space_shape shape_by_size(int rank, const std::int64_t* extent, const std::int64_t* tile)
{
  check_extents(rank, extent);
  space_shape shape;
  shape.rank = rank;
  for (int d = 0; d < rank; ++d) {
    if (tile[d] < 1) {
      throw error{errc::invalid_argument, "by_size: granule " + std::to_string(tile[d]) + " must be at least 1"};
    }
    const auto size = std::min(tile[d], std::max<std::int64_t>(extent[d], 1));
    shape.dimensions[d] = {extent[d], divide_up(extent[d], size), size, 0};
  }
  count_subtasks(shape);
  return shape;
}

space_shape shape_by_count(int rank, const std::int64_t* extent, std::int64_t count)
{
  check_extents(rank, extent);
  if (count < 1) {
    throw error{errc::invalid_argument, "by_count: count " + std::to_string(count) + " must be at least 1"};
  }
  space_shape shape;
  shape.rank = rank;
  for (int d = 0; d < rank; ++d) {
    const auto tiles = std::min(count, extent[d]);
    shape.dimensions[d] = {extent[d], tiles, tiles == 0 ? 1 : extent[d] / tiles, tiles == 0 ? 0 : extent[d] % tiles};
    count = tiles == 0 ? 1 : count / tiles;
  }
  count_subtasks(shape);
  return shape;
}

space_shape shape_by_cost(const double* costs, std::size_t items, std::size_t count)
{
  if (items > static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max() / 2)) {
    throw error{errc::invalid_argument, "by_cost: too many items"};
  }
  double total = 0;
  double largest = 0;
  for (std::size_t i = 0; i < items; ++i) {
    if (!std::isfinite(costs[i]) || costs[i] < 0) {
      throw error{errc::invalid_argument, "by_cost: cost of item " + std::to_string(i) + " is negative or not finite"};
    }
    total += costs[i];
    largest = std::max(largest, costs[i]);
  }
  // Where sums and shares might be beyond all numbers, or below those of full precision, another unit is taken.
  int exponent = 0;
  std::frexp(largest, &exponent);
  const bool odd_unit = largest > 0 && (exponent > 900 || exponent < -900);
  const auto cost_of = [&](std::size_t i) { return odd_unit ? std::ldexp(costs[i], -exponent) : costs[i]; };
  if (odd_unit) {
    total = 0;
    for (std::size_t i = 0; i < items; ++i) total += cost_of(i);
  }
  if (count == 0 || count > items) count = items;
  if (count > static_cast<std::size_t>(subtasks_max)) {
    throw error{errc::too_many_subtasks, "by_cost: more than 2^32 - 1 subtasks; choose a smaller count"};
  }

  ref<cost_table> table{new cost_table};
  table->bounds.reserve(count + 1);
  table->prefix.reserve(count + 1);
  double before = 0;  // cost of all items before i
  std::size_t open = 0;
  for (std::size_t i = 0; i < items; ++i) {
    // A subtask opens where its equal share of the cost begins, and where the items left would not fill those left.
    const auto share = total * static_cast<double>(open) / static_cast<double>(count);
    if (open < count && (before >= share || items - i <= count - open)) {
      table->bounds.push_back(static_cast<std::int64_t>(i));
      table->prefix.push_back(before);
      ++open;
    }
    before += cost_of(i);
  }
  table->bounds.push_back(static_cast<std::int64_t>(items));
  table->prefix.push_back(before);

  space_shape shape;
  shape.rank = 1;
  shape.count = static_cast<std::uint32_t>(table->bounds.size() - 1);
  shape.dimensions[0] = {static_cast<std::int64_t>(items), static_cast<std::int64_t>(shape.count), 1, 0};
  shape.costs = table;
  shape.bounds = table->bounds.data();
  return shape;
}

space_shape shape_automatic(int rank, const std::int64_t* extent)
{
  check_extents(rank, extent);
  std::int64_t tile[3] = {1, 1, 1};
  if (rank == 1) {
    const auto granule = divide_up(extent[0], automatic_subtasks);
    tile[0] = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(granule, 1))));
  } else {
    double indices = 1;
    for (int d = 0; d < rank; ++d) indices *= static_cast<double>(extent[d]);
    const auto ideal = std::pow(indices / static_cast<double>(automatic_subtasks), 1.0 / rank);
    auto edge = std::max(automatic_edge_min,
                         static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(std::ceil(ideal)))));
    // Spaces that are long and thin have more tiles of an edge than square ones.
    const auto tiles = [&] {
      double product = 1;
      for (int d = 0; d < rank; ++d) product *= static_cast<double>(divide_up(extent[d], edge));
      return product;
    };
    while (tiles() > static_cast<double>(automatic_tiles_max)) edge *= 2;
    for (int d = 0; d < rank; ++d) tile[d] = edge;
  }
  return shape_by_size(rank, extent, tile);
}

void largest_tile(const space_shape& shape, std::int64_t (&tile)[3]) noexcept
{
  tile[0] = tile[1] = tile[2] = 1;
  if (shape.costs) {
    for (std::size_t i = 0; i + 1 < shape.costs->bounds.size(); ++i) {
      tile[0] = std::max(tile[0], shape.costs->bounds[i + 1] - shape.costs->bounds[i]);
    }
    return;
  }
  for (int d = 0; d < shape.rank; ++d) {
    const auto& dim = shape.dimensions[d];
    tile[d] = std::min(dim.size + (dim.longer > 0 ? 1 : 0), std::max<std::int64_t>(dim.extent, 1));
  }
}

std::uint64_t digest(const space_shape& shape) noexcept
{
  std::uint64_t h = mix(static_cast<std::uint64_t>(shape.rank)) ^ mix(shape.count + 1);
  for (int d = 0; d < shape.rank; ++d) {
    const auto& dim = shape.dimensions[d];
    for (auto part : {dim.extent, dim.tiles, dim.size, dim.longer}) h = mix(h ^ static_cast<std::uint64_t>(part));
  }
  if (shape.costs) {
    for (auto bound : shape.costs->bounds) h = mix(h ^ static_cast<std::uint64_t>(bound));
  }
  return h;
}

}  // namespace fastgpu::inline v0::detail
