#pragma once

#include <cstdint>

#include <fastgpu/config.hpp>

/// @file
/// Positions, sizes and boxes of iteration spaces in one, two and three dimensions. Row-major: the last
/// coordinate runs fastest, so in two dimensions [0] is the row and [1] the column.

namespace fastgpu::inline v0 {

/// A position in an iteration space of N dimensions. Signed, so that neighbours at -1 can be named.
template <int N>
struct index {
  static_assert(N >= 1 && N <= 3, "iteration spaces have one, two or three dimensions");
  std::int64_t at[static_cast<unsigned>(N)] = {};

  FASTGPU_HD constexpr std::int64_t& operator[](int dimension) { return at[dimension]; }
  FASTGPU_HD constexpr std::int64_t operator[](int dimension) const { return at[dimension]; }
  friend constexpr bool operator==(const index&, const index&) = default;
};
index(std::int64_t) -> index<1>;
index(std::int64_t, std::int64_t) -> index<2>;
index(std::int64_t, std::int64_t, std::int64_t) -> index<3>;

/// The size of an iteration space or array in each dimension: rows, columns in two dimensions.
template <int N>
struct extents {
  static_assert(N >= 1 && N <= 3, "iteration spaces have one, two or three dimensions");
  std::int64_t size[static_cast<unsigned>(N)] = {};

  FASTGPU_HD constexpr std::int64_t operator[](int dimension) const { return size[dimension]; }
  FASTGPU_HD constexpr std::int64_t& operator[](int dimension) { return size[dimension]; }
  /// Number of elements.
  FASTGPU_HD constexpr std::int64_t count() const
  {
    std::int64_t product = 1;
    for (int d = 0; d < N; ++d) product *= size[d];
    return product;
  }
  friend constexpr bool operator==(const extents&, const extents&) = default;
};
extents(std::int64_t) -> extents<1>;
extents(std::int64_t, std::int64_t) -> extents<2>;
extents(std::int64_t, std::int64_t, std::int64_t) -> extents<3>;

/// A box of indices, [begin, end) in each dimension: what one subtask covers.
template <int N>
struct block {
  index<N> begin{};
  index<N> end{};
  std::uint32_t subtask = 0;  ///< The subtask's number.

  FASTGPU_HD constexpr std::int64_t size(int dimension) const { return end[dimension] - begin[dimension]; }
  /// Number of indices inside.
  FASTGPU_HD constexpr std::int64_t count() const
  {
    std::int64_t product = 1;
    for (int d = 0; d < N; ++d) product *= size(d);
    return product;
  }
  friend constexpr bool operator==(const block&, const block&) = default;
};

}  // namespace fastgpu::inline v0
