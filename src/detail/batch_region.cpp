#include "detail/batch_region.hpp"

#include <algorithm>
#include <cstring>

namespace fastgpu::inline v0::detail {
namespace {

/// Tiles [begin, end) of the dimensions from `d` on, counted row-major, as boxes; `box` has the dimensions before.
void add_boxes(const space_shape& shape, int d, std::int64_t begin, std::int64_t end, box region, std::vector<box>& to)
{
  const auto& dim = shape.dimensions[d];
  std::int64_t inner = 1;
  for (int i = d + 1; i < shape.rank; ++i) inner *= shape.dimensions[i].tiles;
  const auto rows = [&](std::int64_t first, std::int64_t last) {  // whole ones, [first, last)
    region.begin[d] = tile_begin(dim, first);
    region.end[d] = tile_end(dim, last - 1);
  };
  auto first = begin / inner;
  if (begin % inner != 0) {
    rows(first, first + 1);
    add_boxes(shape, d + 1, begin % inner, std::min(inner, end - first * inner), region, to);
    ++first;
  }
  const auto last = end / inner;
  if (first < last) {
    rows(first, last);
    for (int i = d + 1; i < shape.rank; ++i) {
      region.begin[i] = 0;
      region.end[i] = shape.dimensions[i].extent;
    }
    to.push_back(region);
  }
  if (last >= first && end % inner != 0) {
    rows(last, last + 1);
    add_boxes(shape, d + 1, 0, end % inner, region, to);
  }
}

}  // namespace

std::vector<box> boxes_of(const space_shape& shape, std::uint32_t begin, std::uint32_t end)
{
  std::vector<box> boxes;
  if (shape.bounds != nullptr) {
    box region;
    region.begin[0] = shape.bounds[begin];
    region.end[0] = shape.bounds[end];
    boxes.push_back(region);
  } else {
    add_boxes(shape, 0, begin, end, {}, boxes);
  }
  return boxes;
}

box bounding_box(const space_shape& shape, std::uint32_t begin, std::uint32_t end)
{
  const auto boxes = boxes_of(shape, begin, end);
  auto all = boxes.front();
  for (const auto& b : boxes) {
    for (int d = 0; d < 3; ++d) {
      all.begin[d] = std::min(all.begin[d], b.begin[d]);
      all.end[d] = std::max(all.end[d], b.end[d]);
    }
  }
  return all;
}

box grown(box region, std::int64_t halo, std::int32_t rank)
{
  for (int d = 0; d < rank; ++d) {
    region.begin[d] -= halo;
    region.end[d] += halo;
  }
  return region;
}

std::int64_t count_of(const box& region) noexcept
{
  std::int64_t count = 1;
  for (int d = 0; d < 3; ++d) count *= region.end[d] - region.begin[d];
  return count;
}

box_layout layout_of(const argument& a, const box& part, const box& whole) noexcept
{
  const auto bytes = static_cast<std::int64_t>(a.element_bytes);
  const auto last = a.rank - 1;
  std::int64_t dense_stride[3] = {1, 1, 1};
  for (int d = last - 1; d >= 0; --d) dense_stride[d] = dense_stride[d + 1] * (whole.end[d + 1] - whole.begin[d + 1]);
  std::int64_t data_offset = 0;
  std::int64_t dense_offset = 0;
  for (int d = 0; d < a.rank; ++d) {
    data_offset += part.begin[d] * a.stride[d];
    dense_offset += (part.begin[d] - whole.begin[d]) * dense_stride[d];
  }
  const auto size = [&](int d) { return static_cast<std::size_t>(part.end[d] - part.begin[d]); };
  const auto in_bytes = [&](std::int64_t elements) { return static_cast<std::size_t>(elements * bytes); };
  box_layout l;
  l.data_offset = in_bytes(data_offset);
  l.dense_offset = in_bytes(dense_offset);
  l.row_bytes = size(last) * a.element_bytes;
  if (a.rank >= 2) {
    l.rows = size(last - 1);
    l.data_pitch = in_bytes(a.stride[last - 1]);
    l.dense_pitch = in_bytes(dense_stride[last - 1]);
  }
  if (a.rank == 3) {
    l.planes = size(0);
    l.data_plane_pitch = in_bytes(a.stride[0]);
    l.dense_plane_pitch = in_bytes(dense_stride[0]);
  }
  return l;
}

box whole_of(const argument& a) noexcept
{
  box whole;
  for (int d = 0; d < a.rank; ++d) whole.end[d] = a.extent[d];
  return whole;
}

void copy_in(const argument& a, const box& part, const box& whole, std::byte* dense) noexcept
{
  const auto l = layout_of(a, part, whole);
  for_each_row(l, [&](std::size_t data, std::size_t at) {
    std::memcpy(dense + at, static_cast<const std::byte*>(a.data) + data, l.row_bytes);
  });
}

void copy_out(const argument& a, const box& part, const box& whole, const std::byte* dense) noexcept
{
  const auto l = layout_of(a, part, whole);
  for_each_row(l, [&](std::size_t data, std::size_t at) {
    std::memcpy(static_cast<std::byte*>(a.data) + data, dense + at, l.row_bytes);
  });
}

}  // namespace fastgpu::inline v0::detail
