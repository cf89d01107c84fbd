#pragma once

#include <cstdint>

#include <fastgpu/config.hpp>
#include <fastgpu/detail/argument.hpp>

/// @file
/// What lies around data that are taken in slices with a halo, and where it comes from: on every back end the same.

namespace fastgpu::inline v0 {

/// What lies outside the data, for slices with a halo.
enum class border : std::uint8_t {
  reflect_101 = 0,  ///< Mirrored without repeating the edge: c b | a b c d | c b.
  replicate = 1,    ///< The edge repeated: a a | a b c d | d d.
  constant = 2,     ///< One value all around.
};

namespace detail {

/// Where position `at` of a row of `n` elements comes from, or -1 for the fill value.
FASTGPU_HD inline std::int64_t source_position(std::int64_t at, std::int64_t n, border edge)
{
  if (at >= 0 && at < n) return at;
  if (edge == border::constant) return -1;
  if (edge == border::replicate) return at < 0 ? 0 : n - 1;
  if (n == 1) return 0;
  const auto period = 2 * (n - 1);  // a b c d c b | a b c d ...
  const auto phase = ((at % period) + period) % period;
  return phase < n ? phase : period - phase;
}

/// Which element of the data is the `k`-th of a dense copy of `region`: its offset in elements, or -1 for the fill value.
FASTGPU_HD inline std::int64_t source_of_slice(const argument& slices, const box& region, std::int64_t k)
{
  const auto edge = static_cast<border>(slices.edge);
  std::int64_t offset = 0;
  for (int d = slices.rank - 1; d >= 0; --d) {
    const auto size = region.end[d] - region.begin[d];
    const auto from = source_position(region.begin[d] + k % size, slices.extent[d], edge);
    if (from < 0) return -1;
    offset += from * slices.stride[d];
    k /= size;
  }
  return offset;
}

}  // namespace detail
}  // namespace fastgpu::inline v0
