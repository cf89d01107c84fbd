#include "detail/interval_set.hpp"  // first: shows that the header stands alone

#include <cstdint>
#include <iterator>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

using fastgpu::interval;
using fastgpu::detail::interval_set;

using intervals = std::vector<interval>;

TEST(IntervalSet, IsEmptyWhenMade)
{
  const interval_set none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.count(), 0u);
  EXPECT_EQ(none.intervals(), intervals{});
  EXPECT_EQ(none, interval_set(interval{5, 5}));
}

TEST(IntervalSet, JoinsAdjacentIntervals)
{
  interval_set set;
  set.insert({0, 2});
  set.insert({4, 6});
  EXPECT_EQ(set.intervals(), (intervals{{0, 2}, {4, 6}}));
  set.insert({2, 4});
  EXPECT_EQ(set.intervals(), (intervals{{0, 6}}));
  EXPECT_EQ(set.count(), 6u);
}

TEST(IntervalSet, CountsOverlapsOnce)
{
  interval_set set;
  set.insert({10, 20});
  set.insert({30, 40});
  set.insert({15, 35});
  EXPECT_EQ(set.intervals(), (intervals{{10, 40}}));
  EXPECT_EQ(set.count(), 30u);
}

TEST(IntervalSet, AppendsInOrderWithoutGrowing)
{
  interval_set set;
  for (std::uint32_t i = 0; i < 1000; ++i) ASSERT_TRUE(set.try_insert({i * 3, i * 3 + 3}));
  EXPECT_EQ(set.intervals(), (intervals{{0, 3000}}));
}

TEST(IntervalSet, RefusesToInsertTwiceAndStaysAsItWas)
{
  interval_set set{interval{10, 20}};
  for (const auto part : intervals{{10, 20}, {0, 11}, {19, 30}, {12, 13}, {0, 40}}) {
    EXPECT_FALSE(set.try_insert(part)) << part.begin << " to " << part.end;
    EXPECT_EQ(set.intervals(), (intervals{{10, 20}}));
    EXPECT_EQ(set.count(), 10u);
  }
  EXPECT_TRUE(set.try_insert({5, 10}));
  EXPECT_TRUE(set.try_insert({20, 25}));
  EXPECT_EQ(set.intervals(), (intervals{{5, 25}}));
}

TEST(IntervalSet, CutsAHoleIntoAnInterval)
{
  interval_set set{interval{0, 10}};
  set.erase({3, 5});
  EXPECT_EQ(set.intervals(), (intervals{{0, 3}, {5, 10}}));
  EXPECT_EQ(set.count(), 8u);
  set.erase({2, 6});
  EXPECT_EQ(set.intervals(), (intervals{{0, 2}, {6, 10}}));
  set.erase({0, 100});
  EXPECT_TRUE(set.empty());
}

TEST(IntervalSet, TakesEmptyIntervalsForNothing)
{
  interval_set set{interval{3, 7}};
  EXPECT_TRUE(set.try_insert({5, 5}));
  set.insert(interval{1, 1});
  set.erase(interval{4, 4});
  EXPECT_EQ(set.intervals(), (intervals{{3, 7}}));
  EXPECT_TRUE(set.contains(interval{100, 100}));
  EXPECT_FALSE(set.intersects(interval{5, 5}));
}

TEST(IntervalSet, HoldsTheGreatestNumbers)
{
  constexpr auto last = std::numeric_limits<std::uint32_t>::max();
  interval_set set{interval{0, last}};
  EXPECT_EQ(set.count(), 4294967295u);
  set.erase({1, last - 1});
  EXPECT_EQ(set.intervals(), (intervals{{0, 1}, {last - 1, last}}));
  EXPECT_EQ(set.count(), 2u);
}

TEST(IntervalSet, IsEmptyOnceCleared)
{
  interval_set set{interval{3, 7}};
  set.clear();
  EXPECT_EQ(set, interval_set{});
}

/// The same as a set of numbers, the plain way.
class model {
 public:
  bool try_insert(interval part)
  {
    if (intersects(part)) return false;
    insert(part);
    return true;
  }
  void insert(interval part)
  {
    for (auto i = part.begin; i < part.end; ++i) numbers_.insert(i);
  }
  void erase(interval part) { numbers_.erase(numbers_.lower_bound(part.begin), numbers_.lower_bound(part.end)); }
  bool contains(interval part) const { return found(part) == part.size(); }
  bool intersects(interval part) const { return found(part) > 0; }

  /// The intervals of which the numbers are made.
  intervals as_intervals() const
  {
    intervals all;
    for (const auto number : numbers_) {
      if (all.empty() || all.back().end != number) all.push_back({number, number});
      all.back().end = number + 1;
    }
    return all;
  }
  std::uint64_t count() const { return numbers_.size(); }

 private:
  std::uint32_t found(interval part) const
  {
    const auto first = numbers_.lower_bound(part.begin);
    return static_cast<std::uint32_t>(std::distance(first, numbers_.lower_bound(part.end)));
  }
  std::set<std::uint32_t> numbers_;
};

TEST(IntervalSet, DoesAsASetOfNumbersDoes)
{
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random{seed};
    const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    // Small sets, where everything touches, and some at the upper end of the numbers.
    const auto universe = 8 + below(90);
    const auto base = seed % 3 == 0 ? std::numeric_limits<std::uint32_t>::max() - universe : 0;
    const auto any_interval = [&] {
      const auto begin = below(universe);
      const auto length = below(1 + (universe - begin) / (1 + below(8)));
      return interval{base + begin, base + begin + length};
    };
    const auto any_set = [&](model& same) {
      interval_set some;
      for (auto n = below(4); n > 0; --n) {
        const auto part = any_interval();
        some.insert(part);
        same.insert(part);
      }
      return some;
    };

    interval_set set;
    model expected;
    for (int step = 0; step < 300; ++step) {
      const auto part = any_interval();
      model other_model;
      const auto other = any_set(other_model);
      switch (below(6)) {
        case 0: ASSERT_EQ(set.try_insert(part), expected.try_insert(part)); break;
        case 1:
          set.insert(part);
          expected.insert(part);
          break;
        case 2:
        case 3:
          set.erase(part);
          expected.erase(part);
          break;
        case 4:
          set.insert(other);
          for (const auto& i : other_model.as_intervals()) expected.insert(i);
          break;
        case 5:
          set.erase(other);
          for (const auto& i : other_model.as_intervals()) expected.erase(i);
          break;
      }
      ASSERT_EQ(set.intervals(), expected.as_intervals()) << "step " << step;
      ASSERT_EQ(set.count(), expected.count());
      ASSERT_EQ(set.empty(), expected.count() == 0);

      const auto asked = any_interval();
      ASSERT_EQ(set.contains(asked), expected.contains(asked)) << asked.begin << " to " << asked.end;
      ASSERT_EQ(set.intersects(asked), expected.intersects(asked)) << asked.begin << " to " << asked.end;
      bool contains_all = true;
      bool touches = false;
      for (const auto& i : other_model.as_intervals()) {
        contains_all = contains_all && expected.contains(i);
        touches = touches || expected.intersects(i);
      }
      ASSERT_EQ(set.contains(other), contains_all);
      ASSERT_EQ(set.intersects(other), touches);
    }
  }
}

}  // namespace
