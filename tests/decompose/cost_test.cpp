#include <fastgpu/decompose/space.hpp>  // first: shows that the header stands alone

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/decompose/subtasks.hpp>
#include <fastgpu/error.hpp>

#include "support/refusal.hpp"
#include "support/space_laws.hpp"

namespace {

using fastgpu::by_cost;
using fastgpu::by_size;
using fastgpu::decompose;
using fastgpu::errc;
using fastgpu::extents;
using fastgpu::space;
using support::bounds;
using support::check_laws;
using support::refusal;

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
