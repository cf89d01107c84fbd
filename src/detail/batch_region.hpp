#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <fastgpu/detail/argument.hpp>
#include <fastgpu/detail/shape.hpp>

/// @file
/// Which part of the data a batch of subtasks covers.

namespace fastgpu::inline v0::detail {

/// The smallest box that has all indices of subtasks [begin, end). @pre  begin < end
[[nodiscard]] box bounding_box(const space_shape& shape, std::uint32_t begin, std::uint32_t end);

/// Exactly the indices of subtasks [begin, end), as few boxes: up to 3 in two dimensions, 5 in three.
[[nodiscard]] std::vector<box> boxes_of(const space_shape& shape, std::uint32_t begin, std::uint32_t end);

/// `region` with `halo` more indices on every side in each of `rank` dimensions.
[[nodiscard]] box grown(box region, std::int64_t halo, std::int32_t rank);

[[nodiscard]] std::int64_t count_of(const box& region) noexcept;

/// A box of an argument's data and a dense box with the same elements: where the first element is in each, and the
/// distances of rows and planes, in bytes.
struct box_layout {
  std::size_t row_bytes = 0;
  std::size_t rows = 1;
  std::size_t planes = 1;
  std::size_t data_offset = 0;
  std::size_t data_pitch = 0;
  std::size_t data_plane_pitch = 0;
  std::size_t dense_offset = 0;
  std::size_t dense_pitch = 0;
  std::size_t dense_plane_pitch = 0;
};

/// How `part` lies in the data of `a`, and in a dense copy of `whole`, which has it.
[[nodiscard]] box_layout layout_of(const argument& a, const box& part, const box& whole) noexcept;

/// Calls `row(data, dense)` with the offset of each row in the data and in the dense copy, in their order.
template <class Row>
void for_each_row(const box_layout& l, const Row& row)
{
  for (std::size_t p = 0; p < l.planes; ++p) {
    for (std::size_t r = 0; r < l.rows; ++r) {
      row(l.data_offset + p * l.data_plane_pitch + r * l.data_pitch,
          l.dense_offset + p * l.dense_plane_pitch + r * l.dense_pitch);
    }
  }
}

/// All of the data of `a`.
[[nodiscard]] box whole_of(const argument& a) noexcept;

/// Copies `part` of the data of `a` to or from `dense`, a dense copy of `whole`, both in host memory.
void copy_in(const argument& a, const box& part, const box& whole, std::byte* dense) noexcept;
void copy_out(const argument& a, const box& part, const box& whole, const std::byte* dense) noexcept;

}  // namespace fastgpu::inline v0::detail
