#include <fastgpu/decompose/space.hpp>  // first: shows that the header stands alone

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/decompose/subtasks.hpp>
#include <fastgpu/error.hpp>

#include "support/one_core.hpp"
#include "support/refusal.hpp"
#include "support/space_laws.hpp"

namespace {

using fastgpu::block;
using fastgpu::by_cost;
using fastgpu::by_count;
using fastgpu::by_size;
using fastgpu::decompose;
using fastgpu::errc;
using fastgpu::extents;
using fastgpu::space;
using support::bounds;
using support::check_laws;
using support::refusal;

constexpr std::int64_t subtasks_max = 4294967295;  // 2^32 - 1
constexpr std::int64_t two_to_40 = std::int64_t{1} << 40;

// What the granules mean ------------------------------------------------------------------------------------------

TEST(Space, BySizeLeavesTheLastSubtaskSmaller)
{
  EXPECT_EQ(bounds(decompose(space{10, by_size{4}})), (std::vector<std::int64_t>{0, 4, 8, 10}));
  EXPECT_EQ(bounds(decompose(space{8, by_size{4}})), (std::vector<std::int64_t>{0, 4, 8}));
  EXPECT_EQ(bounds(decompose(space{3, by_size{4}})), (std::vector<std::int64_t>{0, 3}));
}

TEST(Space, ByCountGivesTheRemainderToTheFirstSubtasks)
{
  EXPECT_EQ(bounds(decompose(space{13, by_count{5}})), (std::vector<std::int64_t>{0, 3, 6, 9, 11, 13}));
  EXPECT_EQ(bounds(decompose(space{3, by_count{5}})), (std::vector<std::int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(bounds(decompose(space{3, by_count{1}})), (std::vector<std::int64_t>{0, 3}));
}

TEST(Space, NumbersTilesRowMajor)
{
  const auto tiles = decompose(space{extents{5, 7}, by_size{3, 4}});
  ASSERT_EQ(tiles.size(), 4u);
  EXPECT_EQ(tiles[0], (block<2>{{{0, 0}}, {{3, 4}}, 0}));
  EXPECT_EQ(tiles[1], (block<2>{{{0, 4}}, {{3, 7}}, 1}));
  EXPECT_EQ(tiles[2], (block<2>{{{3, 0}}, {{5, 4}}, 2}));
  EXPECT_EQ(tiles[3], (block<2>{{{3, 4}}, {{5, 7}}, 3}));
}

TEST(Space, CutsVolumesAlongAllThreeDimensions)
{
  const auto tiles = decompose(space{extents{2, 3, 4}, by_size{1, 2, 3}});
  ASSERT_EQ(tiles.size(), 8u);
  EXPECT_EQ(tiles[0], (block<3>{{{0, 0, 0}}, {{1, 2, 3}}, 0}));
  EXPECT_EQ(tiles[3], (block<3>{{{0, 2, 3}}, {{1, 3, 4}}, 3}));
  EXPECT_EQ(tiles[7], (block<3>{{{1, 2, 3}}, {{2, 3, 4}}, 7}));
}

TEST(Space, ByCountCutsTheFirstDimensionAndThenTheNext)
{
  const auto rows = decompose(space{extents{100, 50}, by_count{10}});
  ASSERT_EQ(rows.size(), 10u);
  EXPECT_EQ(rows[9], (block<2>{{{90, 0}}, {{100, 50}}, 9}));
  const auto tiles = decompose(space{extents{3, 100}, by_count{10}});
  ASSERT_EQ(tiles.size(), 9u);
  EXPECT_EQ(tiles[0], (block<2>{{{0, 0}}, {{1, 34}}, 0}));
  EXPECT_EQ(tiles[8], (block<2>{{{2, 67}}, {{3, 100}}, 8}));
}

TEST(Space, ChoosesItsGranuleFromItsSizeAlone)
{
  EXPECT_EQ(decompose(space{1'000'000}).size(), 15625u);            // of 64
  EXPECT_EQ(decompose(space{16384}).size(), 16384u);                // of 1
  EXPECT_EQ(decompose(space{16385}).size(), 8193u);                 // of 2
  EXPECT_EQ(decompose(space{two_to_40}).size(), 16384u);            // of 2^26
  EXPECT_EQ(decompose(space{extents{1000, 1000}}).size(), 1024u);   // of 32 x 32
  EXPECT_EQ(decompose(space{extents{8192, 8192}}).size(), 16384u);  // of 64 x 64
  EXPECT_EQ(decompose(space{extents{100, 100, 100}}).size(), 64u);  // of 32 x 32 x 32
}

TEST(Space, OfNothingHasNoSubtasks)
{
  EXPECT_EQ(decompose(space{0}).size(), 0u);
  EXPECT_EQ(decompose(space{0, by_size{7}}).size(), 0u);
  EXPECT_EQ(decompose(space{0, by_count{7}}).size(), 0u);
  EXPECT_EQ(decompose(space{by_cost{}}).size(), 0u);
  EXPECT_EQ(decompose(space{extents{0, 5}}).size(), 0u);
  EXPECT_EQ(decompose(space{extents{5, 0}, by_size{2}}).size(), 0u);
  EXPECT_EQ(decompose(space{extents{5, 0}, by_count{3}}).size(), 0u);
  EXPECT_EQ(decompose(space{extents{5, 0, 5}}).size(), 0u);
  EXPECT_EQ(decompose(space{extents{0, 0, 0}, by_count{3}}).size(), 0u);
}

TEST(Space, OfNothingHasNoSubtasksHoweverLongItIs)
{
  EXPECT_EQ(decompose(space{extents{std::int64_t{0}, two_to_40}}).size(), 0u);
  EXPECT_EQ(decompose(space{extents{two_to_40, std::int64_t{0}}}).size(), 0u);
  EXPECT_EQ(decompose(space{extents{two_to_40, std::int64_t{0}}, by_size{1}}).size(), 0u);
}

TEST(Space, OfOneElementHasOneSubtask)
{
  EXPECT_EQ(bounds(decompose(space{1})), (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(bounds(decompose(space{1, by_size{1000}})), (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(bounds(decompose(space{1, by_count{1000}})), (std::vector<std::int64_t>{0, 1}));
  const auto tiles = decompose(space{extents{1, 1, 1}});
  ASSERT_EQ(tiles.size(), 1u);
  EXPECT_EQ(tiles[0], (block<3>{{}, {{1, 1, 1}}, 0}));
}

TEST(Space, ReachesToTheEndOfTheLargestNumber)
{
  constexpr auto n = std::numeric_limits<std::int64_t>::max();
  const auto halves = decompose(space{n, by_size{std::int64_t{1} << 62}});
  EXPECT_EQ(bounds(halves), (std::vector<std::int64_t>{0, std::int64_t{1} << 62, n}));
  const auto automatic = decompose(space{n});
  EXPECT_EQ(automatic[automatic.size() - 1].end[0], n);
}

// What is refused -------------------------------------------------------------------------------------------------

TEST(Space, RefusesMoreSubtasksThanHaveNumbers)
{
  EXPECT_EQ(decompose(space{subtasks_max, by_size{1}}).size(), 4294967295u);
  EXPECT_EQ(refusal([] { return space{subtasks_max + 1, by_size{1}}; }), errc::too_many_subtasks);
  EXPECT_EQ(refusal([] { return space{two_to_40, by_size{2}}; }), errc::too_many_subtasks);
  EXPECT_EQ(refusal([] { return space{two_to_40, by_count{two_to_40}}; }), errc::too_many_subtasks);
  EXPECT_EQ(refusal([] { return space{extents{1 << 16, 1 << 16}, by_size{1}}; }), errc::too_many_subtasks);
  EXPECT_EQ(refusal([] { return space{extents{1 << 20, 1 << 20, 1 << 20}, by_size{1}}; }), errc::too_many_subtasks);
  EXPECT_EQ(decompose(space{extents{1 << 16, (1 << 16) - 1}, by_size{1}}).size(), 4294901760u);
}

TEST(Space, RefusesSizesThatAreNegative)
{
  EXPECT_EQ(refusal([] { return space{extents{-1}}; }), errc::invalid_argument);
  EXPECT_EQ(refusal([] { return space{extents{5, -1}}; }), errc::invalid_argument);
  EXPECT_EQ(refusal([] { return space{extents{0, -1}, by_size{2}}; }), errc::invalid_argument);
  EXPECT_EQ(refusal([] { return space{extents{5, 5, -2}, by_count{2}}; }), errc::invalid_argument);
}

TEST(Space, RefusesGranulesAndCountsBelowOne)
{
  EXPECT_EQ(refusal([] { return space{5, by_size{0}}; }), errc::invalid_argument);
  EXPECT_EQ(refusal([] { return space{5, by_size{-3}}; }), errc::invalid_argument);
  EXPECT_EQ(refusal([] { return space{extents{5, 5}, by_size{3, 0}}; }), errc::invalid_argument);
  EXPECT_EQ(refusal([] { return space{5, by_count{0}}; }), errc::invalid_argument);
  EXPECT_EQ(refusal([] { return space{5, by_count{-1}}; }), errc::invalid_argument);
}

TEST(Space, RefusesMoreIndicesThanHaveNumbers)
{
  EXPECT_EQ(refusal([] { return space{extents{two_to_40, two_to_40}}; }), errc::invalid_argument);
  constexpr extents cube{two_to_40, two_to_40, two_to_40};
  EXPECT_EQ(refusal([&] { return space{cube, by_count{5}}; }), errc::invalid_argument);
}

TEST(Space, NamesTheNumberThatItRefuses)
{
  try {
    (void)space{5, by_size{-3}};
    FAIL();
  } catch (const fastgpu::error& e) {
    EXPECT_STREQ(e.what(), "by_size: granule -3 must be at least 1");
  }
}

// Laws ------------------------------------------------------------------------------------------------------------

template <int N>
extents<N> any_extents(std::mt19937_64& random)
{
  extents<N> shape;
  std::int64_t left = std::numeric_limits<std::int64_t>::max();
  for (int d = 0; d < N; ++d) {
    std::int64_t size = 0;
    switch (random() % 8) {
      case 0: size = 0; break;
      case 1: size = 1; break;
      case 2: size = static_cast<std::int64_t>(random() % 5); break;
      case 3: size = std::int64_t{1} << random() % 12; break;
      case 4: size = two_to_40 - 2 + static_cast<std::int64_t>(random() % 5); break;
      case 5: size = static_cast<std::int64_t>(random() % 100'000); break;
      default: size = static_cast<std::int64_t>(random() % 40); break;
    }
    shape[d] = std::min(size, left);
    left /= std::max<std::int64_t>(shape[d], 1);
  }
  return shape;
}

std::int64_t any_granule(std::mt19937_64& random)
{
  switch (random() % 5) {
    case 0: return 1;
    case 1: return static_cast<std::int64_t>(1 + random() % 7);
    case 2: return std::int64_t{1} << random() % 45;
    case 3: return std::numeric_limits<std::int64_t>::max();  // greater than any extent
    default: return static_cast<std::int64_t>(1 + random() % 100'000);
  }
}

template <int N>
by_size any_size(std::mt19937_64& random)
{
  if constexpr (N == 1) return by_size{any_granule(random)};
  if constexpr (N == 2) return {any_granule(random), any_granule(random)};
  return {any_granule(random), any_granule(random), any_granule(random)};
}

std::int64_t divide_up(std::int64_t n, std::int64_t by) { return n / by + (n % by != 0 ? 1 : 0); }

template <class Dimension>
class SpaceLaws : public testing::Test {};
template <int N>
struct dimensions {
  static constexpr int value = N;
};
using all_dimensions = testing::Types<dimensions<1>, dimensions<2>, dimensions<3>>;
TYPED_TEST_SUITE(SpaceLaws, all_dimensions, );

constexpr std::uint64_t law_seeds = 400;

TYPED_TEST(SpaceLaws, HoldBySize)
{
  constexpr int n = TypeParam::value;
  for (std::uint64_t seed = 1; seed <= law_seeds; ++seed) {
    std::mt19937_64 random{seed};
    const auto shape = any_extents<n>(random);
    const auto cut = any_size<n>(random);
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", extents " << testing::PrintToString(shape.size)
                                    << ", granule " << testing::PrintToString(cut.granule));
    std::int64_t tiles = 1;  // not more than there are indices
    for (int d = 0; d < n; ++d) tiles *= divide_up(shape[d], cut.granule[d]);
    if (tiles > subtasks_max) {
      ASSERT_EQ(refusal([&] { return space{shape, cut}; }), errc::too_many_subtasks);
      continue;
    }
    std::optional<space<n>> over;
    ASSERT_NO_THROW(over.emplace(shape, cut));
    ASSERT_EQ(decompose(*over).size(), tiles);
    ASSERT_NO_FATAL_FAILURE(check_laws(*over, shape, random));
    if (tiles == 0) continue;
    const auto first = decompose(*over)[0];
    for (int d = 0; d < n; ++d) ASSERT_EQ(first.size(d), std::min(cut.granule[d], shape[d]));
  }
}

TYPED_TEST(SpaceLaws, HoldByCount)
{
  constexpr int n = TypeParam::value;
  for (std::uint64_t seed = 1; seed <= law_seeds; ++seed) {
    std::mt19937_64 random{seed};
    const auto shape = any_extents<n>(random);
    const auto count = static_cast<std::int64_t>(1 + random() % (seed % 2 == 0 ? 50 : 100'000));
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", extents " << testing::PrintToString(shape.size)
                                    << ", count " << count);
    std::optional<space<n>> over;
    ASSERT_NO_THROW(over.emplace(shape, by_count{count}));
    ASSERT_NO_FATAL_FAILURE(check_laws(*over, shape, random));
    const auto list = decompose(*over);
    ASSERT_LE(list.size(), count);
    if constexpr (n == 1) {
      ASSERT_EQ(list.size(), std::min(count, shape[0]));
    }
    if (list.empty()) continue;
    // Larger ones first, and by one at most.
    const auto first = list[0];
    const auto last = list[list.size() - 1];
    for (int d = 0; d < n; ++d) {
      ASSERT_GE(first.size(d), last.size(d));
      ASSERT_LE(first.size(d), last.size(d) + 1);
    }
  }
}

TYPED_TEST(SpaceLaws, HoldWhereTheGranuleIsAutomatic)
{
  constexpr int n = TypeParam::value;
  for (std::uint64_t seed = 1; seed <= law_seeds; ++seed) {
    std::mt19937_64 random{seed};
    const auto shape = any_extents<n>(random);
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", extents " << testing::PrintToString(shape.size));
    std::optional<space<n>> over;
    ASSERT_NO_THROW(over.emplace(shape));
    ASSERT_NO_FATAL_FAILURE(check_laws(*over, shape, random));
    const auto list = decompose(*over);
    if (list.empty()) continue;
    ASSERT_LE(list.size(), n == 1 ? 1u << 14 : 1u << 20);
    // Powers of two, unless the space ends first.
    const auto first = list[0];
    for (int d = 0; d < n; ++d) {
      if (first.size(d) == shape[d]) continue;
      ASSERT_TRUE(std::has_single_bit(static_cast<std::uint64_t>(first.size(d)))) << first.size(d);
      ASSERT_GE(first.size(d), n == 1 ? 1 : 32);
    }
  }
}

TEST(Space, HasAtMostAMillionAutomaticSubtasksWhateverItsProportions)
{
  for (const auto shape : {extents{1, 1 << 30}, extents{1 << 30, 1}, extents{33, 1 << 30}, extents{1 << 30, 1 << 30}}) {
    EXPECT_LE(decompose(space{shape}).size(), 1u << 20) << shape[0] << " x " << shape[1];
  }
  for (const auto shape : {extents{1, 1 << 20, 1 << 20}, extents{1 << 20, 1, 1 << 20}, extents{1, 1, 1 << 30}}) {
    EXPECT_LE(decompose(space{shape}).size(), 1u << 20) << shape[0] << " x " << shape[1] << " x " << shape[2];
  }
  EXPECT_EQ(refusal([] { return space{extents{std::int64_t{1}, std::int64_t{1} << 62}}; }), std::nullopt);
}

TEST(Space, IsCutTheSameWhateverCoresThereAre)
{
  const auto shapes = [] {
    return std::vector<std::uint64_t>{digest(space{1'000'003}.shape()), digest(space{extents{999, 1001}}.shape()),
                                      digest(space{extents{99, 100, 101}}.shape()),
                                      digest(space{1'000'003, by_count{77}}.shape())};
  };
  const auto expected = shapes();
  std::vector<std::uint64_t> on_one_core;
  (void)support::with_one_core([&] { on_one_core = shapes(); });
  EXPECT_EQ(on_one_core, expected);
}

TEST(Space, DescribesEqualSpacesByEqualDigestsAndOthersByOthers)
{
  const std::vector<double> costs{1, 2, 3, 4};
  const auto all = [&] {
    return std::vector<std::uint64_t>{
        digest(space{0}.shape()),
        digest(space{1}.shape()),
        digest(space{1000, by_size{10}}.shape()),
        digest(space{1000, by_size{11}}.shape()),
        digest(space{1001, by_size{10}}.shape()),
        digest(space{1000, by_count{30}}.shape()),
        digest(space{extents{1000, 1}, by_size{10, 1}}.shape()),
        digest(space{extents{1, 1000}, by_size{1, 10}}.shape()),
        digest(space{extents{1000, 1, 1}, by_size{10, 1, 1}}.shape()),
        digest(space{by_cost{costs}}.shape()),
        digest(space{by_cost{costs, 2}}.shape()),
        digest(space{4, by_size{1}}.shape()),
    };
  };
  auto digests = all();
  EXPECT_EQ(digests, all());
  std::sort(digests.begin(), digests.end());
  EXPECT_EQ(std::adjacent_find(digests.begin(), digests.end()), digests.end());
}

}  // namespace
