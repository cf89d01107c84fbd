#include "detail/batch_region.hpp"  // first: shows that the header stands alone

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include <fastgpu/decompose/space.hpp>

namespace {

using fastgpu::by_size;
using fastgpu::extents;
using fastgpu::space;
using fastgpu::detail::argument;
using fastgpu::detail::block_of;
using fastgpu::detail::bounding_box;
using fastgpu::detail::box;
using fastgpu::detail::boxes_of;
using fastgpu::detail::count_of;
using fastgpu::detail::space_shape;

bool operator==(const box& a, const box& b)
{
  return std::equal(a.begin, a.begin + 3, b.begin) && std::equal(a.end, a.end + 3, b.end);
}

box box_of(std::vector<std::int64_t> begin, std::vector<std::int64_t> end)
{
  box b;
  std::copy(begin.begin(), begin.end(), b.begin);
  std::copy(end.begin(), end.end(), b.end);
  return b;
}

/// How often each index of the space, row-major, is in the boxes.
std::vector<int> times_covered(const space_shape& shape, const std::vector<box>& boxes)
{
  const auto& d = shape.dimensions;
  std::vector<int> times(static_cast<std::size_t>(d[0].extent * d[1].extent * d[2].extent), 0);
  for (const auto& b : boxes) {
    for (auto z = b.begin[0]; z < b.end[0]; ++z) {
      for (auto y = b.begin[1]; y < b.end[1]; ++y) {
        for (auto x = b.begin[2]; x < b.end[2]; ++x) {
          ++times.at(static_cast<std::size_t>((z * d[1].extent + y) * d[2].extent + x));
        }
      }
    }
  }
  return times;
}

template <int N>
std::vector<int> indices_of_batch(const space_shape& shape, std::uint32_t begin, std::uint32_t end)
{
  std::vector<box> blocks;
  for (auto s = begin; s < end; ++s) {
    const auto b = block_of<N>(shape, s);
    auto& one = blocks.emplace_back();
    for (int d = 0; d < N; ++d) {
      one.begin[d] = b.begin[d];
      one.end[d] = b.end[d];
    }
  }
  return times_covered(shape, blocks);
}

/// The laws, for every batch of the shape. @return  The most boxes that one of them took.
template <int N>
std::size_t check_laws(const space_shape& shape)
{
  std::size_t most = 0;
  for (std::uint32_t begin = 0; begin < shape.count; ++begin) {
    for (auto end = begin + 1; end <= shape.count; ++end) {
      const auto boxes = boxes_of(shape, begin, end);
      most = std::max(most, boxes.size());
      // As often as in the blocks, which is once: disjoint, and exactly the batch's.
      EXPECT_EQ(times_covered(shape, boxes), (indices_of_batch<N>(shape, begin, end))) << begin << " to " << end;
      box all = boxes.front();
      for (const auto& b : boxes) {
        EXPECT_GT(count_of(b), 0);
        for (int d = 0; d < 3; ++d) {
          all.begin[d] = std::min(all.begin[d], b.begin[d]);
          all.end[d] = std::max(all.end[d], b.end[d]);
        }
      }
      EXPECT_TRUE(bounding_box(shape, begin, end) == all) << begin << " to " << end;
      if (testing::Test::HasFailure()) return most;
    }
  }
  return most;
}

TEST(BatchRegion, IsOneBoxInOneDimension)
{
  EXPECT_EQ(check_laws<1>(space(100, by_size{7}).shape()), 1u);
  EXPECT_EQ(check_laws<1>(space(100, fastgpu::by_count{13}).shape()), 1u);
  EXPECT_EQ(check_laws<1>(space(1, by_size{7}).shape()), 1u);
}

TEST(BatchRegion, IsThreeBoxesAtMostInTwoDimensions)
{
  EXPECT_EQ(check_laws<2>(space(extents{12, 10}, by_size{3, 4}).shape()), 3u);
  EXPECT_LE(check_laws<2>(space(extents{11, 13}, fastgpu::by_count{20}).shape()), 3u);
  EXPECT_EQ(check_laws<2>(space(extents{9, 4}, by_size{2, 4}).shape()), 1u);  // rows are one tile long
  EXPECT_EQ(check_laws<2>(space(extents{3, 20}, by_size{3, 4}).shape()), 1u);  // there is one row
}

TEST(BatchRegion, IsFiveBoxesAtMostInThreeDimensions)
{
  EXPECT_EQ(check_laws<3>(space(extents{7, 6, 8}, by_size{2, 2, 3}).shape()), 5u);
  EXPECT_LE(check_laws<3>(space(extents{5, 5, 5}, fastgpu::by_count{27}).shape()), 5u);
  EXPECT_EQ(check_laws<3>(space(extents{6, 5, 4}, by_size{2, 2, 4}).shape()), 3u);  // rows are one tile long
  EXPECT_EQ(check_laws<3>(space(extents{2, 6, 8}, by_size{2, 2, 3}).shape()), 3u);  // there is one plane
}

TEST(BatchRegion, KeepsTheLawsInSpacesOfAnySize)
{
  std::mt19937_64 random{1};
  const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
  for (int repeat = 0; repeat < 40; ++repeat) {
    const extents<3> size{{1 + below(7), 1 + below(7), 1 + below(7)}};
    const by_size tile{1 + below(4), 1 + below(4), 1 + below(4)};
    EXPECT_LE(check_laws<1>(space(extents{size[0] * size[1]}, tile).shape()), 1u);
    EXPECT_LE(check_laws<2>(space(extents{size[0], size[1]}, tile).shape()), 3u);
    EXPECT_LE(check_laws<3>(space(size, tile).shape()), 5u);
    if (HasFailure()) return;  // one is enough to look at
  }
}

TEST(BatchRegion, FollowsTheBoundariesOfSubtasksWithCosts)
{
  std::vector<double> costs(50);
  for (std::size_t i = 0; i < costs.size(); ++i) costs[i] = static_cast<double>(i % 7);
  const auto shape = space{fastgpu::by_cost{costs, 9}}.shape();
  ASSERT_NE(shape.bounds, nullptr);
  for (std::uint32_t begin = 0; begin < shape.count; ++begin) {
    for (auto end = begin + 1; end <= shape.count; ++end) {
      const auto boxes = boxes_of(shape, begin, end);
      ASSERT_EQ(boxes.size(), 1u);
      EXPECT_TRUE(boxes[0] == box_of({block_of<1>(shape, begin).begin[0]}, {block_of<1>(shape, end - 1).end[0]}));
      EXPECT_TRUE(bounding_box(shape, begin, end) == boxes[0]);
    }
  }
}

TEST(BatchRegion, NamesTheBoxesOfABatch)
{
  // Tiles of 3 x 4 over 12 x 10: four rows of three tiles, the last column two wide.
  const auto shape = space(extents{12, 10}, by_size{3, 4}).shape();
  const auto boxes = boxes_of(shape, 2, 10);
  ASSERT_EQ(boxes.size(), 3u);
  EXPECT_TRUE(boxes[0] == box_of({0, 8}, {3, 10}));
  EXPECT_TRUE(boxes[1] == box_of({3, 0}, {9, 10}));
  EXPECT_TRUE(boxes[2] == box_of({9, 0}, {12, 4}));
  EXPECT_TRUE(bounding_box(shape, 2, 10) == box_of({0, 0}, {12, 10}));
  EXPECT_TRUE(bounding_box(shape, 1, 3) == box_of({0, 4}, {3, 10}));
}

TEST(BatchRegion, GrowsInTheDimensionsThatTheDataHave)
{
  EXPECT_TRUE(fastgpu::detail::grown(box_of({2, 3}, {5, 7}), 2, 2) == box_of({0, 1}, {7, 9}));
  EXPECT_EQ(count_of(box_of({0, 1}, {7, 9})), 56);
  EXPECT_EQ(count_of(box_of({2, 3, 4}, {3, 5, 4})), 0);
}

/// Data with room between rows and planes: numbered elements, and -1 in the gaps.
struct pitched {
  std::vector<std::int32_t> memory;
  argument data;

  pitched(std::vector<std::int64_t> extent, std::vector<std::int64_t> stride)
  {
    data.rank = static_cast<std::int32_t>(extent.size());
    data.element_bytes = sizeof(std::int32_t);
    std::copy(extent.begin(), extent.end(), data.extent);
    std::copy(stride.begin(), stride.end(), data.stride);
    memory.assign(static_cast<std::size_t>(extent[0] * stride[0]), -1);
    data.data = memory.data();
  }
  template <class Each>
  void for_each(const box& in, const Each& each)
  {
    for (auto z = in.begin[0]; z < in.end[0]; ++z) {
      for (auto y = in.begin[1]; y < in.end[1]; ++y) {
        for (auto x = in.begin[2]; x < in.end[2]; ++x) {
          each(memory[static_cast<std::size_t>(z * data.stride[0] + y * data.stride[1] + x * data.stride[2])]);
        }
      }
    }
  }
};

TEST(BatchRegion, CopiesDataWithPitchesAndNothingBetween)
{
  struct layout {
    std::vector<std::int64_t> extent;
    std::vector<std::int64_t> stride;
    box part;
    box whole;
  };
  const layout layouts[] = {
      {{20}, {1}, box_of({3}, {9}), box_of({2}, {12})},
      {{6, 5}, {8, 1}, box_of({2, 1}, {4, 4}), box_of({1, 0}, {6, 5})},
      {{6, 5}, {8, 1}, box_of({1, 0}, {6, 5}), box_of({1, 0}, {6, 5})},
      {{4, 3, 5}, {40, 7, 1}, box_of({1, 1, 2}, {3, 3, 4}), box_of({1, 0, 1}, {4, 3, 5})},
  };
  for (const auto& l : layouts) {
    SCOPED_TRACE(testing::Message() << "rank " << l.extent.size());
    pitched from{l.extent, l.stride};
    box all;
    std::copy(l.extent.begin(), l.extent.end(), all.end);
    std::int32_t number = 0;
    from.for_each(all, [&](std::int32_t& element) { element = number++; });

    std::vector<std::int32_t> dense(static_cast<std::size_t>(count_of(l.whole)), -2);
    copy_in(from.data, l.part, l.whole, reinterpret_cast<std::byte*>(dense.data()));
    EXPECT_EQ(std::count(dense.begin(), dense.end(), -2), count_of(l.whole) - count_of(l.part));
    // In the dense copy an element is where the box `whole` has it, row-major.
    const auto& w = l.whole;
    for (auto z = l.part.begin[0]; z < l.part.end[0]; ++z) {
      for (auto y = l.part.begin[1]; y < l.part.end[1]; ++y) {
        for (auto x = l.part.begin[2]; x < l.part.end[2]; ++x) {
          const auto at = ((z - w.begin[0]) * (w.end[1] - w.begin[1]) + y - w.begin[1]) * (w.end[2] - w.begin[2]) + x -
                          w.begin[2];
          const auto& s = from.data.stride;
          EXPECT_EQ(dense[static_cast<std::size_t>(at)],
                    from.memory[static_cast<std::size_t>(z * s[0] + y * s[1] + x * s[2])]);
        }
      }
    }

    pitched to{l.extent, l.stride};
    copy_out(to.data, l.part, l.whole, reinterpret_cast<const std::byte*>(dense.data()));
    pitched expected{l.extent, l.stride};
    std::vector<std::int32_t> part;
    from.for_each(l.part, [&](std::int32_t element) { part.push_back(element); });
    auto next = part.begin();
    expected.for_each(l.part, [&](std::int32_t& element) { element = *next++; });
    EXPECT_EQ(to.memory, expected.memory);
  }
}

}  // namespace
