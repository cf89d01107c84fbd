#include <fastgpu/decompose/space.hpp>  // first: shows that the header stands alone

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/decompose/subtasks.hpp>
#include <fastgpu/error.hpp>

namespace {

using fastgpu::block;
using fastgpu::by_cost;
using fastgpu::by_count;
using fastgpu::by_size;
using fastgpu::decompose;
using fastgpu::errc;
using fastgpu::extents;
using fastgpu::index;
using fastgpu::space;
using fastgpu::subtasks;

constexpr std::int64_t subtasks_max = 4294967295;  // 2^32 - 1
constexpr std::int64_t two_to_40 = std::int64_t{1} << 40;

/// The first indices of one-dimensional subtasks, and the end.
std::vector<std::int64_t> bounds(const subtasks<1>& list)
{
  std::vector<std::int64_t> all;
  for (const auto& b : list) all.push_back(b.begin[0]);
  all.push_back(list.empty() ? 0 : list[list.size() - 1].end[0]);
  return all;
}

template <class Make>
std::optional<errc> refusal(const Make& make)
{
  try {
    (void)make();
  } catch (const fastgpu::error& e) {
    return static_cast<errc>(e.code().value());
  }
  return std::nullopt;
}

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

/// True if `b` comes next after `a` in row-major order without gap: what runs through an odometer of blocks.
template <int N>
bool follows(const block<N>& a, const block<N>& b, const extents<N>& shape)
{
  int d = N - 1;
  while (d >= 0 && a.end[d] == shape[d]) {
    if (b.begin[d] != 0) return false;
    --d;
  }
  if (d < 0 || b.begin[d] != a.end[d]) return false;
  for (--d; d >= 0; --d) {
    if (b.begin[d] != a.begin[d] || b.end[d] != a.end[d]) return false;
  }
  return true;
}

/// Disjoint, covering and ordered: the first block begins at 0, each is followed by the next, the last ends at the end.
/// Looks at all subtasks, or at some where there are very many.
template <int N>
void check_laws(const space<N>& over, const extents<N>& shape, std::mt19937_64& random)
{
  const auto list = decompose(over);
  const auto n = list.size();
  if (shape.count() == 0) {
    ASSERT_EQ(n, 0u);
    return;
  }
  ASSERT_GT(n, 0u);
  const auto first = list[0];
  const auto last = list[n - 1];
  for (int d = 0; d < N; ++d) {
    ASSERT_EQ(first.begin[d], 0);
    ASSERT_EQ(last.end[d], shape[d]);
  }
  const auto check_one = [&](std::uint32_t i) {
    const auto b = list[i];
    ASSERT_EQ(b.subtask, i);
    for (int d = 0; d < N; ++d) {
      ASSERT_LT(b.begin[d], b.end[d]) << "subtask " << i;
      ASSERT_LE(b.end[d], shape[d]) << "subtask " << i;
    }
    if (i + 1 == n) return;
    ASSERT_TRUE(follows(b, list[i + 1], shape)) << "subtask " << i << " and the next";
  };
  constexpr std::uint32_t looks_max = 2000;
  if (n <= looks_max) {
    for (std::uint32_t i = 0; i < n; ++i) ASSERT_NO_FATAL_FAILURE(check_one(i));
  } else {
    ASSERT_NO_FATAL_FAILURE(check_one(n - 2));
    for (std::uint32_t i = 0; i < looks_max; ++i) {
      ASSERT_NO_FATAL_FAILURE(check_one(static_cast<std::uint32_t>(random() % n)));
    }
  }
  if (shape.count() <= 2000) {  // and once more, element by element
    std::vector<int> seen(static_cast<std::size_t>(shape.count()), 0);
    for (const auto& b : list) {
      index<N> at = b.begin;
      for (std::int64_t k = 0; k < b.count(); ++k) {
        std::int64_t number = 0;
        auto rest = k;
        for (int d = N - 1; d >= 0; --d) {
          at[d] = b.begin[d] + rest % b.size(d);
          rest /= b.size(d);
        }
        for (int d = 0; d < N; ++d) number = number * shape[d] + at[d];
        ++seen[static_cast<std::size_t>(number)];
      }
    }
    ASSERT_EQ(seen, std::vector<int>(seen.size(), 1));
  }
}

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

// Lists with costs ------------------------------------------------------------------------------------------------

TEST(SpaceByCost, MakesASubtaskOfEachItemUnlessToldHowMany)
{
  const std::vector<double> costs{5, 0, 2.5};
  const auto list = decompose(space{by_cost{costs}});
  EXPECT_EQ(bounds(list), (std::vector<std::int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(list.cost_before(0), 0);
  EXPECT_EQ(list.cost_before(1), 5);
  EXPECT_EQ(list.cost_before(2), 5);
  EXPECT_EQ(list.cost_before(3), 7.5);
}

TEST(SpaceByCost, CutsWhereEqualSharesOfTheCostBegin)
{
  const std::vector<double> costs{1, 1, 1, 1, 2, 2, 4};
  const auto list = decompose(space{by_cost{costs, 3}});
  EXPECT_EQ(bounds(list), (std::vector<std::int64_t>{0, 4, 6, 7}));
  EXPECT_EQ(list.cost_before(1), 4);
  EXPECT_EQ(list.cost_before(2), 8);
  EXPECT_EQ(list.cost_before(3), 12);
}

TEST(SpaceByCost, GivesAGiantASubtaskAndCoversTheRest)
{
  std::vector<double> costs(100, 1.0);
  costs[50] = 1e9;
  const auto list = decompose(space{by_cost{costs, 10}});
  ASSERT_EQ(list.size(), 10u);
  const auto cuts = bounds(list);
  EXPECT_EQ(cuts.front(), 0);
  EXPECT_EQ(cuts.back(), 100);
  EXPECT_EQ(std::count(cuts.begin(), cuts.end(), 51), 1);  // what follows the giant does not wait for it
}

TEST(SpaceByCost, TakesCostsThatAreAllZero)
{
  const std::vector<double> costs(10, 0.0);
  for (const std::size_t count : {0u, 1u, 3u, 10u, 100u}) {
    const auto list = decompose(space{by_cost{costs, count}});
    const auto cuts = bounds(list);
    EXPECT_EQ(list.size(), count == 0 ? 10 : std::min<std::size_t>(count, 10)) << count;
    EXPECT_EQ(cuts.front(), 0);
    EXPECT_EQ(cuts.back(), 10);
    EXPECT_TRUE(std::is_sorted(cuts.begin(), cuts.end(), std::less_equal<>{}));  // none is empty
    EXPECT_EQ(list.cost_before(list.size()), 0);
  }
}

TEST(SpaceByCost, RefusesCostsThatAreNegativeOrNotFinite)
{
  for (const double bad : {-1.0, -1e-300, std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    const std::vector<double> costs{1, 2, bad, 4};
    try {
      (void)space{by_cost{costs, 2}};
      ADD_FAILURE() << bad << " was taken";
    } catch (const fastgpu::error& e) {
      EXPECT_EQ(e.code(), errc::invalid_argument);
      EXPECT_STREQ(e.what(), "by_cost: cost of item 2 is negative or not finite");
    }
  }
  const std::vector<double> zeros{0.0, -0.0};
  EXPECT_EQ(decompose(space{by_cost{zeros}}).size(), 2u);
}

TEST(SpaceByCost, LeavesNoItemOutWhereTheSumOfTheCostsIsBeyondAllNumbers)
{
  const std::vector<double> costs(5, 1e308);
  for (const std::size_t count : {0u, 1u, 2u, 4u, 5u}) {
    // Either is right: to cut by costs of which only the ratios matter, or to refuse.
    std::optional<space<1>> over;
    const auto refused = refusal([&] {
      over.emplace(by_cost{costs, count});
      return 0;
    });
    if (refused) {
      EXPECT_EQ(refused, errc::invalid_argument);
      continue;
    }
    const auto cuts = bounds(decompose(*over));
    EXPECT_EQ(cuts.front(), 0) << "count " << count;
    EXPECT_EQ(cuts.back(), 5) << "count " << count;
  }
}

TEST(SpaceByCost, CutsTheSameWhateverTheUnit)
{
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random{seed};
    std::vector<double> costs(1 + random() % 300);
    for (auto& cost : costs) cost = static_cast<double>(random() % 1000);
    const auto count = 1 + random() % 100;
    const auto expected = bounds(decompose(space{by_cost{costs, count}}));
    for (const int exponent : {-900, -20, 3, 900, 1003}) {  // times 300 * 1000 the last is just below the greatest
      auto scaled = costs;
      for (auto& cost : scaled) cost = std::ldexp(cost, exponent);
      ASSERT_EQ(bounds(decompose(space{by_cost{scaled, count}})), expected) << "times 2^" << exponent;
    }
  }
}

TEST(SpaceByCost, KeepsTheLaws)
{
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    std::mt19937_64 random{seed};
    const auto items = random() % (seed % 4 == 0 ? 3 : 400);
    const auto count = seed % 5 == 0 ? 0 : random() % 200;
    SCOPED_TRACE("seed " + std::to_string(seed) + ", " + std::to_string(items) + " items, count " +
                 std::to_string(count));
    std::vector<double> costs(items);
    for (auto& cost : costs) {
      switch (random() % 4) {
        case 0: cost = 0; break;
        case 1: cost = std::ldexp(1.0, static_cast<int>(random() % 60)); break;
        default: cost = static_cast<double>(random() % 100); break;
      }
    }
    const space over{by_cost{costs, count}};
    ASSERT_NO_FATAL_FAILURE(check_laws(over, extents{static_cast<std::int64_t>(items)}, random));
    const auto list = decompose(over);
    ASSERT_EQ(list.size(), count == 0 ? items : std::min<std::size_t>(count, items));
    if (items == 0) continue;

    double total = 0;
    for (const auto cost : costs) total += cost;
    const auto dearest = *std::max_element(costs.begin(), costs.end());
    const auto bound = (total / list.size() + dearest) * (1 + 1e-9);
    double before = 0;
    std::size_t item = 0;
    for (const auto& b : list) {
      ASSERT_EQ(list.cost_before(b.subtask), before);
      double own = 0;
      for (; item < static_cast<std::size_t>(b.end[0]); ++item) {
        own += costs[item];
        before += costs[item];
      }
      ASSERT_LE(own, bound) << "subtask " << b.subtask;
    }
    ASSERT_EQ(list.cost_before(list.size()), total);
  }
}

TEST(Subtasks, CostOneEachWithoutCosts)
{
  const auto list = decompose(space{100, by_size{7}});
  EXPECT_EQ(list.cost_before(0), 0);
  EXPECT_EQ(list.cost_before(3), 3);
  EXPECT_EQ(list.cost_before(15), 15);
}

}  // namespace
