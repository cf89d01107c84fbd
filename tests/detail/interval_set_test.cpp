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
  /// What of `part` is in it.
  model within(interval part) const
  {
    model common;
    common.numbers_.insert(numbers_.lower_bound(part.begin), numbers_.lower_bound(part.end));
    return common;
  }
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

/// Changes a set at random, and its model with it.
class random_walk {
 public:
  explicit random_walk(std::uint64_t seed)
      : random_{seed},
        // Small sets, where everything touches, and some at the upper end of the numbers.
        universe_{8 + below(90)},
        base_{seed % 3 == 0 ? std::numeric_limits<std::uint32_t>::max() - universe_ : 0}
  {
  }

  void step()
  {
    const auto part = any_interval();
    model other_model;
    const auto other = any_set(other_model);
    switch (below(6)) {
      case 0: ASSERT_EQ(set_.try_insert(part), expected_.try_insert(part)); break;
      case 1:
        set_.insert(part);
        expected_.insert(part);
        break;
      case 2:
      case 3:
        set_.erase(part);
        expected_.erase(part);
        break;
      case 4:
        set_.insert(other);
        for (const auto& i : other_model.as_intervals()) expected_.insert(i);
        break;
      case 5:
        set_.erase(other);
        for (const auto& i : other_model.as_intervals()) expected_.erase(i);
        break;
    }
    ASSERT_EQ(set_.intervals(), expected_.as_intervals());
    ASSERT_EQ(set_.count(), expected_.count());
    ASSERT_EQ(set_.empty(), expected_.count() == 0);
    ASSERT_NO_FATAL_FAILURE(ask(other, other_model));
  }

 private:
  void ask(const interval_set& other, const model& other_model)
  {
    const auto asked = any_interval();
    ASSERT_EQ(set_.contains(asked), expected_.contains(asked)) << asked.begin << " to " << asked.end;
    ASSERT_EQ(set_.intersects(asked), expected_.intersects(asked)) << asked.begin << " to " << asked.end;
    ASSERT_EQ(set_.within(asked).intervals(), expected_.within(asked).as_intervals());
    bool contains_all = true;
    bool touches = false;
    for (const auto& i : other_model.as_intervals()) {
      contains_all = contains_all && expected_.contains(i);
      touches = touches || expected_.intersects(i);
    }
    ASSERT_EQ(set_.contains(other), contains_all);
    ASSERT_EQ(set_.intersects(other), touches);
  }

  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }

  interval any_interval()
  {
    const auto begin = below(universe_);
    const auto length = below(1 + (universe_ - begin) / (1 + below(8)));
    return {base_ + begin, base_ + begin + length};
  }

  interval_set any_set(model& same)
  {
    interval_set some;
    for (auto n = below(4); n > 0; --n) {
      const auto part = any_interval();
      some.insert(part);
      same.insert(part);
    }
    return some;
  }

  std::mt19937_64 random_;
  std::uint32_t universe_;
  std::uint32_t base_;
  interval_set set_;
  model expected_;
};

TEST(IntervalSet, DoesAsASetOfNumbersDoes)
{
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    random_walk walk{seed};
    for (int step = 0; step < 300; ++step) {
      ASSERT_NO_FATAL_FAILURE(walk.step()) << "seed " << seed << ", step " << step;
    }
  }
}

}  // namespace
