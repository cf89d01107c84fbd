#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <fastgpu/index.hpp>

/// @file
/// The indices of blocks one by one, and numbers to tell them apart.

namespace support {

/// All of a block, row-major.
template <int N>
std::vector<fastgpu::index<N>> indices_of(const fastgpu::block<N>& b)
{
  std::vector<fastgpu::index<N>> all;
  all.reserve(static_cast<std::size_t>(b.count()));
  for (std::int64_t k = 0; k < b.count(); ++k) {
    fastgpu::index<N> at;
    auto rest = k;
    for (int d = N - 1; d >= 0; --d) {
      at[d] = b.begin[d] + rest % b.size(d);
      rest /= b.size(d);
    }
    all.push_back(at);
  }
  return all;
}

/// A number of its own for each index whose coordinates are below a million.
template <int N>
constexpr std::uint64_t number_of(fastgpu::index<N> at)
{
  std::uint64_t number = 0;
  for (int d = 0; d < N; ++d) number = number * 1'000'003 + static_cast<std::uint64_t>(at[d]);
  return number;
}
constexpr std::uint64_t number_of(std::uint64_t i) { return i; }

}  // namespace support
