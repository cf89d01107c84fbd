#include <fastgpu/aggregate/exact.hpp>  // first: shows that the header stands alone

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "support/concatenation.hpp"

namespace {

using fastgpu::sum;
using fastgpu::sum_of;
using fastgpu::detail::exact_state;

TEST(ExactState, ServesSumsOfFloatingPointNumbersAndOfFields)
{
  struct pair {
    float x;
    int n;
  };
  EXPECT_TRUE(exact_state<sum<float>>::supported);
  EXPECT_TRUE(exact_state<sum<double>>::supported);
  EXPECT_TRUE((exact_state<sum_of<&pair::x, &pair::n>>::supported));
  EXPECT_FALSE(exact_state<sum<int>>::supported);  // free of order as it is
  EXPECT_FALSE(exact_state<fastgpu::product<double>>::supported);
  EXPECT_FALSE(exact_state<fastgpu::minimum<double>>::supported);
  EXPECT_FALSE(exact_state<support::concatenation>::supported);
}

TEST(ExactState, IsPlainBytes)
{
  EXPECT_TRUE(std::is_trivially_copyable_v<exact_state<sum<double>>>);
  EXPECT_TRUE(std::is_trivially_copyable_v<exact_state<sum<float>>>);
}

TEST(ExactState, OfNothingIsPlusZero)
{
  EXPECT_EQ(std::bit_cast<std::uint64_t>(exact_state<sum<double>>{}.value()), 0u);
}

TEST(ExactState, RoundsOnceAtTheEnd)
{
  exact_state<sum<double>> state;
  for (const double value : {1e100, 1.0, -1e100, 0x1p-60}) state.add(value);
  EXPECT_EQ(state.value(), 1.0);  // 1 + 2^-60, to nearest
  state.add(-1.0);
  EXPECT_EQ(state.value(), 0x1p-60);
}

TEST(ExactState, TakesInfinitiesAndNaNs)
{
  exact_state<sum<float>> state;
  state.add(std::numeric_limits<float>::infinity());
  state.add(1.0f);
  EXPECT_EQ(state.value(), std::numeric_limits<float>::infinity());
  state.add(-std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(state.value()));
}

/// Values that are whole multiples of 2^-20, so that integers know their sum.
std::vector<double> rough_values(std::mt19937_64& random, std::size_t n)
{
  std::vector<double> values(n);
  for (auto& value : values) {
    value = std::ldexp(static_cast<double>(static_cast<std::int64_t>(random()) >> (13 + random() % 40)), -20);
  }
  return values;
}

double sum_by_integers(const std::vector<double>& values)
{
  std::int64_t total = 0;  // n * 2^50 at most
  for (const auto value : values) total += static_cast<std::int64_t>(std::ldexp(value, 20));
  return std::ldexp(static_cast<double>(total), -20);
}

TEST(ExactState, GivesTheCorrectlyRoundedSumInAnySplitAndOrder)
{
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random{seed};
    const auto values = rough_values(random, 1 + random() % 1000);
    const auto expected = sum_by_integers(values);
    std::vector<exact_state<sum<double>>> states(1 + random() % 6);
    for (std::size_t i = 0; i < values.size();) {
      auto& state = states[random() % states.size()];
      if (random() % 2 == 0) {
        state.add(values[i++]);
      } else {  // several at once
        const auto n = std::min<std::size_t>(values.size() - i, random() % 50);
        state.add(values.data() + i, n);
        i += n;
      }
      if (random() % 10 == 0) state.normalize();
    }
    while (states.size() > 1) {
      const auto last = states.back();
      states.pop_back();
      states[random() % states.size()].add(last);
    }
    ASSERT_EQ(states[0].value(), expected);
  }
}

TEST(ExactState, HasEqualBytesForEqualSumsOnceNormalised)
{
  std::mt19937_64 random{1};
  const auto values = rough_values(random, 100);
  exact_state<sum<double>> forwards;
  exact_state<sum<double>> backwards;
  for (std::size_t i = 0; i < values.size(); ++i) {
    forwards.add(values[i]);
    backwards.add(values[values.size() - 1 - i]);
  }
  forwards.normalize();
  backwards.normalize();
  EXPECT_EQ(std::memcmp(&forwards, &backwards, sizeof forwards), 0);
}

struct tally {
  double x = 0;
  float y[2] = {};
  std::uint32_t count = 0;
  std::int64_t offset = 0;
  std::array<double, 2> moments = {};
  int label = 0;
  friend bool operator==(const tally&, const tally&) = default;
};
using tally_sum = sum_of<&tally::x, &tally::y, &tally::count, &tally::offset, &tally::moments>;

TEST(ExactState, SumsStructsFieldByField)
{
  exact_state<tally_sum> state;
  state.add(tally{1e100, {1, 2}, 10, -5, {0x1p+60, 1}, 7});
  state.add(tally{1, {3, 4}, 20, -6, {1, 2}, 8});
  state.add(tally{-1e100, {0.5f, 0.25f}, 30, 1, {-0x1p+60, 3}, 9});
  EXPECT_EQ(state.value(), (tally{1, {4.5f, 6.25f}, 60, -10, {1, 6}, 0}));
}

TEST(ExactState, WrapsTheIntegersOfAStructAround)
{
  exact_state<tally_sum> state;
  state.add(tally{0, {}, 4294967295u, std::numeric_limits<std::int64_t>::max(), {}, 0});
  state.add(tally{0, {}, 3, 1, {}, 0});
  EXPECT_EQ(state.value().count, 2u);
  EXPECT_EQ(state.value().offset, std::numeric_limits<std::int64_t>::min());
}

TEST(ExactState, MergesStructsInAnySplit)
{
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 random{seed};
    const auto x = rough_values(random, 200);
    exact_state<tally_sum> whole;
    std::vector<exact_state<tally_sum>> parts(4);
    std::uint32_t count = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const tally value{x[i], {static_cast<float>(i), 1}, static_cast<std::uint32_t>(i), -1, {x[i], -x[i]}, 0};
      whole.add(value);
      parts[random() % parts.size()].add(value);
      count += static_cast<std::uint32_t>(i);
    }
    for (std::size_t i = 1; i < parts.size(); ++i) {
      parts[i].normalize();
      parts[0].add(parts[i]);
    }
    const auto exact = sum_by_integers(x);
    const tally expected{exact, {199.0f * 100, 200}, count, -200, {exact, -exact}, 0};
    ASSERT_EQ(whole.value(), expected) << "seed " << seed;
    ASSERT_EQ(parts[0].value(), expected) << "seed " << seed;
  }
}

}  // namespace
