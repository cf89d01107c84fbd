#include <fastgpu/detail/argument.hpp>  // first: shows that the header stands alone

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/data.hpp>
#include <fastgpu/detail/border.hpp>

namespace {

using fastgpu::border;
using fastgpu::data_view;
using fastgpu::extents;
using fastgpu::index;
using fastgpu::slices;
using fastgpu::detail::argument;
using fastgpu::detail::box;

template <class T>
std::vector<T> numbered(std::size_t n, T first)
{
  std::vector<T> values(n);
  std::iota(values.begin(), values.end(), first);
  return values;
}

template <class T>
std::vector<T> staged(const argument& data, const box& region)
{
  std::size_t n = 1;
  for (int d = 0; d < data.rank; ++d) n *= static_cast<std::size_t>(region.end[d] - region.begin[d]);
  std::vector<T> dense(n);
  fastgpu::detail::stage_slice(data, region, reinterpret_cast<std::byte*>(dense.data()));
  return dense;
}

/// The same element by element, as a GPU does it.
template <class T>
std::vector<T> staged_by_element(const argument& data, const box& region)
{
  auto dense = staged<T>(data, region);  // of the same size
  for (std::size_t k = 0; k < dense.size(); ++k) {
    const auto from = fastgpu::detail::source_of_slice(data, region, static_cast<std::int64_t>(k));
    const auto* element = from < 0 ? reinterpret_cast<const T*>(data.fill) : static_cast<const T*>(data.data) + from;
    std::memcpy(&dense[k], element, sizeof(T));
  }
  return dense;
}

TEST(StageSlice, TakesElementByElementTheSameOnGpus)
{
  std::mt19937_64 random{1};
  const auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n)); };
  const auto values = numbered<int>(20 * 30 * 40, 1);
  for (int round = 0; round < 300; ++round) {
    const extents<3> shape{{1 + below(6), 1 + below(7), 1 + below(8)}};
    const index<3> stride{{30 * 40, 40, 1}};
    const auto edge = static_cast<border>(below(3));
    const auto data = slices(data_view<const int, 3>{values.data(), shape, stride}, 9, edge, -7).what;
    box region;
    for (int d = 0; d < 3; ++d) {
      region.begin[d] = below(shape[d] + 10) - 9;
      region.end[d] = region.begin[d] + 1 + below(12);
    }
    ASSERT_EQ(staged_by_element<int>(data, region), staged<int>(data, region)) << round;
  }
}

/// What a row a b c d e looks like from `begin` to `end`.
std::vector<int> row_of_five(border edge, std::int64_t begin, std::int64_t end, int fill = 0)
{
  std::vector<int> row{1, 2, 3, 4, 5};
  const auto data = slices(row, 2, edge, fill).what;
  return staged<int>(data, box{{begin, 0, 0}, {end, 1, 1}});
}

TEST(StageSlice, MirrorsWithoutRepeatingTheEdge)
{
  EXPECT_EQ(row_of_five(border::reflect_101, -2, 7), (std::vector{3, 2, 1, 2, 3, 4, 5, 4, 3}));
}

TEST(StageSlice, MirrorsAgainWhereTheHaloIsLongerThanTheData)
{
  EXPECT_EQ(row_of_five(border::reflect_101, -10, 15),
            (std::vector{3, 2, 1, 2, 3, 4, 5, 4, 3, 2, 1, 2, 3, 4, 5, 4, 3, 2, 1, 2, 3, 4, 5, 4, 3}));
}

TEST(StageSlice, RepeatsTheEdge)
{
  EXPECT_EQ(row_of_five(border::replicate, -3, 8), (std::vector{1, 1, 1, 1, 2, 3, 4, 5, 5, 5, 5}));
}

TEST(StageSlice, FillsWithOneValue)
{
  EXPECT_EQ(row_of_five(border::constant, -3, 8, 9), (std::vector{9, 9, 9, 1, 2, 3, 4, 5, 9, 9, 9}));
}

TEST(StageSlice, CopiesWhatIsInside)
{
  EXPECT_EQ(row_of_five(border::constant, 1, 4, 9), (std::vector{2, 3, 4}));
  EXPECT_EQ(row_of_five(border::constant, 2, 2, 9), std::vector<int>{});
}

TEST(StageSlice, TakesARegionWhollyOutside)
{
  EXPECT_EQ(row_of_five(border::constant, 7, 10, 9), (std::vector{9, 9, 9}));
  EXPECT_EQ(row_of_five(border::replicate, -4, -1), (std::vector{1, 1, 1}));
  EXPECT_EQ(row_of_five(border::reflect_101, 5, 8), (std::vector{4, 3, 2}));
}

TEST(StageSlice, RepeatsASingleElementWhereItIsMirrored)
{
  std::vector<int> one{7};
  const box region{{-3, 0, 0}, {4, 1, 1}};
  EXPECT_EQ(staged<int>(slices(one, 3, border::reflect_101).what, region), std::vector<int>(7, 7));
  EXPECT_EQ(staged<int>(slices(one, 3, border::replicate).what, region), std::vector<int>(7, 7));
  EXPECT_EQ(staged<int>(slices(one, 3, border::constant, -1).what, region), (std::vector{-1, -1, -1, 7, -1, -1, -1}));
}

TEST(StageSlice, MirrorsAlternatelyBetweenTwoElements)
{
  std::vector<int> two{1, 2};
  EXPECT_EQ(staged<int>(slices(two, 3, border::reflect_101).what, box{{-3, 0, 0}, {5, 1, 1}}),
            (std::vector{2, 1, 2, 1, 2, 1, 2, 1}));
}

TEST(StageSlice, MirrorsRowsAndColumns)
{
  auto image = numbered(6, 1);  // 1 2 3 / 4 5 6
  const auto data = slices(fastgpu::matrix(image.data(), 2, 3), 1, border::reflect_101).what;
  EXPECT_EQ(staged<int>(data, box{{-1, -1, 0}, {3, 4, 1}}), (std::vector{5, 4, 5, 6, 5,  //
                                                                         2, 1, 2, 3, 2,  //
                                                                         5, 4, 5, 6, 5,  //
                                                                         2, 1, 2, 3, 2}));
}

TEST(StageSlice, LeavesOutWhatLiesBetweenTheRows)
{
  auto image = numbered(8, 1);  // 1 2 3 (4) / 5 6 7 (8)
  const auto data = slices(fastgpu::matrix(image.data(), 2, 3, 4), 1, border::constant, 0).what;
  EXPECT_EQ(staged<int>(data, box{{0, 1, 0}, {3, 4, 1}}), (std::vector{2, 3, 0, 6, 7, 0, 0, 0, 0}));
}

TEST(StageSlice, CopiesElementsOfAnySize)
{
  struct pixel {
    std::uint8_t rgb[3];
    bool operator==(const pixel&) const = default;
  };
  std::vector<pixel> row{{{1, 2, 3}}, {{4, 5, 6}}};
  const auto data = slices(row, 1, border::constant, pixel{{7, 8, 9}}).what;
  EXPECT_EQ(staged<pixel>(data, box{{-1, 0, 0}, {3, 1, 1}}),
            (std::vector<pixel>{{{7, 8, 9}}, {{1, 2, 3}}, {{4, 5, 6}}, {{7, 8, 9}}}));
}

TEST(StageSlice, NeedsTheBlockAndItsHaloInBytes)
{
  std::vector<std::uint16_t> values(1000);
  const std::int64_t tile[3] = {10, 20, 30};
  EXPECT_EQ(staging_bytes(slices(values, 3, border::replicate).what, tile), 16u * 2);
  EXPECT_EQ(staging_bytes(slices(fastgpu::matrix(values.data(), 10, 10), 3, border::replicate).what, tile),
            16u * 26 * 2);
  EXPECT_EQ(staging_bytes(slices(fastgpu::volume(values.data(), 10, 10, 10), 3, border::replicate).what, tile),
            16u * 26 * 36 * 2);
}

TEST(StageSlice, IsNeededOnlyWhereTheRegionReachesOutside)
{
  std::vector<int> values(30);
  const auto data = slices(fastgpu::matrix(values.data(), 5, 6), 1, border::replicate).what;
  EXPECT_FALSE(needs_staging(data, box{{0, 0, 0}, {5, 6, 1}}));
  EXPECT_FALSE(needs_staging(data, box{{1, 2, 0}, {4, 5, 1}}));
  EXPECT_TRUE(needs_staging(data, box{{-1, 0, 0}, {5, 6, 1}}));
  EXPECT_TRUE(needs_staging(data, box{{0, -1, 0}, {5, 6, 1}}));
  EXPECT_TRUE(needs_staging(data, box{{0, 0, 0}, {6, 6, 1}}));
  EXPECT_TRUE(needs_staging(data, box{{0, 0, 0}, {5, 7, 1}}));
}

/// Where position `at` of n elements comes from, walked there step by step.
std::optional<std::int64_t> walked(std::int64_t at, std::int64_t n, border edge)
{
  if (at >= 0 && at < n) return at;
  if (edge == border::constant) return std::nullopt;
  if (edge == border::replicate) return at < 0 ? 0 : n - 1;
  std::int64_t place = 0;
  std::int64_t step = at < 0 ? -1 : 1;
  for (auto left = at < 0 ? -at : at; left > 0; --left) {
    if (place + step < 0 || place + step >= n) step = -step;
    if (place + step >= 0 && place + step < n) place += step;
  }
  return place;
}

template <int N>
void compare_with_elements_one_by_one(std::uint64_t seeds)
{
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(std::to_string(N) + " dimensions, seed " + std::to_string(seed));
    std::mt19937_64 random{seed};
    const auto below = [&](std::int64_t n) {
      return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
    };

    extents<N> shape;
    for (int d = 0; d < N; ++d) shape[d] = 1 + below(N == 1 ? 40 : 9);
    index<N> stride;
    stride[N - 1] = 1;
    for (int d = N - 2; d >= 0; --d) stride[d] = stride[d + 1] * shape[d + 1] + (seed % 2 == 0 ? below(4) : 0);
    const auto elements = static_cast<std::size_t>(stride[0] * shape[0]);
    const auto values = numbered<std::int32_t>(elements, 1000);
    const auto edge = static_cast<border>(below(3));
    const auto halo = below(2) == 0 ? below(4) : below(30);  // often longer than the data
    const std::int32_t fill = -7;
    const auto data = slices(data_view<const std::int32_t, N>{values.data(), shape, stride}, halo, edge, fill).what;

    box region;
    for (int d = 0; d < N; ++d) {
      const auto begin = below(shape[d]);
      const auto end = begin + 1 + below(shape[d] - begin);
      region.begin[d] = begin - halo;
      region.end[d] = end + halo;
    }
    const auto dense = staged<std::int32_t>(data, region);

    std::size_t k = 0;
    std::array<std::int64_t, 3> at{};
    const auto check = [&] {
      std::int64_t offset = 0;
      bool outside = false;
      for (int d = 0; d < N; ++d) {
        const auto from = walked(at[static_cast<std::size_t>(d)], shape[d], edge);
        outside = outside || !from;
        if (from) offset += *from * stride[d];
      }
      const auto expected = outside ? fill : values[static_cast<std::size_t>(offset)];
      ASSERT_EQ(dense[k], expected) << "at " << at[0] << ", " << at[1] << ", " << at[2];
      ++k;
    };
    for (at[0] = region.begin[0]; at[0] < region.end[0]; ++at[0]) {
      for (at[1] = region.begin[1]; at[1] < region.end[1]; ++at[1]) {
        for (at[2] = region.begin[2]; at[2] < region.end[2]; ++at[2]) {
          ASSERT_NO_FATAL_FAILURE(check());
        }
      }
    }
    ASSERT_EQ(k, dense.size());
  }
}

TEST(StageSlice, GivesWhatElementsGiveOneByOneIn1D) { compare_with_elements_one_by_one<1>(2000); }
TEST(StageSlice, GivesWhatElementsGiveOneByOneIn2D) { compare_with_elements_one_by_one<2>(300); }
TEST(StageSlice, GivesWhatElementsGiveOneByOneIn3D) { compare_with_elements_one_by_one<3>(20); }

}  // namespace
