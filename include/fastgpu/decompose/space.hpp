#pragma once

#include <concepts>
#include <cstdint>
#include <span>

#include <gsl/assert>

#include <fastgpu/detail/shape.hpp>
#include <fastgpu/index.hpp>

/// @file
/// Decompose stage: iteration spaces and the granule at which they are cut into subtasks.

namespace fastgpu::inline v0 {

/// Subtasks of a fixed size: `granule` indices, or tiles of that many rows and columns (and planes). The last ones of
/// a dimension may be smaller.
struct by_size {
  std::int64_t granule[3] = {1, 1, 1};

  constexpr explicit by_size(std::int64_t edge) : granule{edge, edge, edge} {}
  constexpr by_size(std::int64_t rows, std::int64_t columns) : granule{rows, columns, 1} {}
  constexpr by_size(std::int64_t planes, std::int64_t rows, std::int64_t columns) : granule{planes, rows, columns} {}
};

/// At most `count` subtasks whose sizes differ by one at most in each dimension, larger ones first. Spaces with
/// several dimensions are cut along the first, then along the next.
struct by_count {
  std::int64_t count = 1;
};

/// A list of items with costs, cut into at most `count` runs of about equal cost (0: one subtask an item). Costs are
/// copied; their unit does not matter; they must be finite and not negative.
struct by_cost {
  std::span<const double> costs;
  std::size_t count = 0;
};

/// An iteration space with its granule. Where none is given, it is chosen from the space alone: at most 2^14 subtasks
/// in one dimension; tiles with edges of a power of two, 32 at least, in two and three.
///
/// @throws error  errc::too_many_subtasks past 2^32 - 1 of them; errc::invalid_argument for sizes and granules that
///                are negative or zero where they must not be, and for costs that are not finite.
template <int N>
class space {
 public:
  template <std::integral I>
    requires(N == 1)
  space(I n) : space{extents<1>{{checked(n)}}}  // NOLINT: a number is a space
  {
  }
  space(extents<N> size) : shape_{detail::shape_automatic(N, size.size)} {}  // NOLINT: extents are a space
  template <std::integral I>
    requires(N == 1)
  space(I n, by_size cut) : space{extents<1>{{checked(n)}}, cut}
  {
  }
  template <std::integral I>
    requires(N == 1)
  space(I n, by_count cut) : space{extents<1>{{checked(n)}}, cut}
  {
  }
  space(extents<N> size, by_size cut) : shape_{detail::shape_by_size(N, size.size, cut.granule)} {}
  space(extents<N> size, by_count cut) : shape_{detail::shape_by_count(N, size.size, cut.count)} {}
  explicit space(by_cost list)
    requires(N == 1)
      : shape_{detail::shape_by_cost(list.costs.data(), list.costs.size(), list.count)}
  {
  }

  [[nodiscard]] const detail::space_shape& shape() const noexcept { return shape_; }

 private:
  template <std::integral I>
  static std::int64_t checked(I n)
  {
    return static_cast<std::int64_t>(n);  // beyond 2^63 - 1 it is negative, and refused as such
  }

  detail::space_shape shape_;
};
template <std::integral I>
space(I) -> space<1>;
template <std::integral I, class Cut>
space(I, Cut) -> space<1>;
template <int N>
space(extents<N>) -> space<N>;
template <int N, class Cut>
space(extents<N>, Cut) -> space<N>;
space(by_cost) -> space<1>;

}  // namespace fastgpu::inline v0
