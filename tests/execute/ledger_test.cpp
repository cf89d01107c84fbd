#include "execute/ledger.hpp"  // first: shows that the header stands alone

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/interval_sets.hpp"

namespace {

using fastgpu::device_id;
using fastgpu::interval;
using fastgpu::detail::interval_set;
using fastgpu::detail::ledger;
using fastgpu::detail::merged_seal;
using fastgpu::detail::seal;
using fastgpu::detail::verdict;
using support::set_of;

using intervals = std::vector<interval>;

constexpr device_id first{0};
constexpr device_id second{1};

/// A seal of `device` in incarnation `incarnation` over the parts, counted right.
verdict seal_of(ledger& book, device_id device, std::uint32_t incarnation, const intervals& parts)
{
  const auto set = set_of(parts);
  return book.accept(seal{device, incarnation, set.count()}, set);
}

TEST(Ledger, BeginsWithAllSubtasksFree)
{
  const ledger book{100, 2};
  EXPECT_EQ(book.free().intervals(), (intervals{{0, 100}}));
  EXPECT_TRUE(book.assigned(first).empty());
  EXPECT_TRUE(book.committed().empty());
  EXPECT_EQ(book.incarnation(first), 1u);
  EXPECT_EQ(book.incarnation(second), 1u);
  EXPECT_FALSE(book.complete());
}

TEST(Ledger, OfNothingIsComplete)
{
  const ledger book{0, 1};
  EXPECT_TRUE(book.complete());
}

TEST(Ledger, CommitsTheWholeFoldSetOfASealInOneStep)
{
  ledger book{100, 2};
  book.assign({0, 60}, first);
  EXPECT_EQ(seal_of(book, first, 1, {{0, 10}, {20, 30}}), verdict::committed);
  EXPECT_EQ(book.committed().intervals(), (intervals{{0, 10}, {20, 30}}));
  EXPECT_EQ(book.assigned(first).intervals(), (intervals{{10, 20}, {30, 60}}));
  EXPECT_EQ(book.free().intervals(), (intervals{{60, 100}}));
}

TEST(Ledger, IsCompleteOnceEverySubtaskIsCommitted)
{
  ledger book{100, 2};
  book.assign({0, 60}, first);
  book.assign({60, 100}, second);
  EXPECT_EQ(seal_of(book, second, 1, {{60, 100}}), verdict::committed);
  EXPECT_FALSE(book.complete());
  EXPECT_EQ(seal_of(book, first, 1, {{0, 60}}), verdict::committed);
  EXPECT_TRUE(book.complete());
}

TEST(Ledger, TakesOverWhatAnEarlierRunCommitted)
{
  ledger book{100, 1};
  book.resume(set_of({{0, 40}, {60, 90}}));
  EXPECT_EQ(book.free().intervals(), (intervals{{40, 60}, {90, 100}}));
  EXPECT_EQ(book.committed().intervals(), (intervals{{0, 40}, {60, 90}}));
  book.assign({40, 60}, first);
  book.assign({90, 100}, first);
  EXPECT_EQ(seal_of(book, first, 1, {{30, 60}}), verdict::violation);
  EXPECT_EQ(seal_of(book, first, 1, {{40, 60}, {90, 100}}), verdict::committed);
  EXPECT_TRUE(book.complete());
}

TEST(Ledger, CommitsASubtaskOnce)
{
  ledger book{100, 2};
  book.assign({0, 100}, first);
  EXPECT_EQ(seal_of(book, first, 1, {{0, 10}}), verdict::committed);
  EXPECT_EQ(seal_of(book, first, 1, {{0, 10}}), verdict::violation);
  EXPECT_EQ(seal_of(book, first, 1, {{9, 11}}), verdict::violation);
  EXPECT_EQ(book.committed().intervals(), (intervals{{0, 10}}));
  EXPECT_EQ(book.assigned(first).intervals(), (intervals{{10, 100}}));
}

TEST(Ledger, TakesAnEmptySeal)
{
  ledger book{10, 1};
  EXPECT_EQ(seal_of(book, first, 1, {}), verdict::committed);
  EXPECT_TRUE(book.committed().empty());
}

TEST(Ledger, RefusesASealWhoseCounterIsNotTheSizeOfItsFoldSet)
{
  ledger book{100, 1};
  book.assign({0, 100}, first);
  const auto ten = set_of({{0, 10}});
  EXPECT_EQ(book.accept(seal{first, 1, 9}, ten), verdict::violation);
  EXPECT_EQ(book.accept(seal{first, 1, 11}, ten), verdict::violation);
  EXPECT_EQ(book.accept(seal{first, 1, 1}, {}), verdict::violation);
  EXPECT_TRUE(book.committed().empty());
  EXPECT_EQ(book.assigned(first).count(), 100u);
}

TEST(Ledger, RefusesASealOverSubtasksOfAnotherDevice)
{
  ledger book{100, 2};
  book.assign({0, 50}, first);
  book.assign({50, 100}, second);
  EXPECT_EQ(seal_of(book, first, 1, {{40, 60}}), verdict::violation);
  EXPECT_EQ(seal_of(book, first, 1, {{50, 51}}), verdict::violation);
  EXPECT_TRUE(book.committed().empty());
}

TEST(Ledger, RefusesASealOverFreeSubtasks)
{
  ledger book{100, 1};
  EXPECT_EQ(seal_of(book, first, 1, {{0, 1}}), verdict::violation);
  book.assign({0, 10}, first);
  EXPECT_EQ(seal_of(book, first, 1, {{0, 11}}), verdict::violation);
  EXPECT_TRUE(book.committed().empty());
}

TEST(Ledger, RefusesASealBeyondTheLastSubtask)
{
  ledger book{100, 1};
  book.assign({0, 100}, first);
  EXPECT_EQ(seal_of(book, first, 1, {{90, 101}}), verdict::violation);
  EXPECT_TRUE(book.committed().empty());
}

TEST(Ledger, RefusesASealOverSubtasksThatWereMovedAway)
{
  ledger book{100, 2};
  book.assign({0, 100}, first);
  book.move({60, 100}, first, second);
  EXPECT_EQ(seal_of(book, first, 1, {{0, 61}}), verdict::violation);
  EXPECT_EQ(seal_of(book, first, 1, {{0, 60}}), verdict::committed);
  EXPECT_EQ(seal_of(book, second, 1, {{60, 100}}), verdict::committed);
  EXPECT_TRUE(book.complete());
}

TEST(Ledger, RefusesASealOverSubtasksThatWereReleased)
{
  ledger book{100, 2};
  book.assign({0, 100}, first);
  book.release({0, 10}, first);
  EXPECT_EQ(book.free().intervals(), (intervals{{0, 10}}));
  EXPECT_EQ(seal_of(book, first, 1, {{5, 15}}), verdict::violation);
  book.assign({0, 10}, second);
  EXPECT_EQ(seal_of(book, second, 1, {{0, 10}}), verdict::committed);
}

TEST(Ledger, CommitsPartialsThatWereMergedTogether)
{
  ledger book{100, 2};
  book.assign({0, 60}, first);
  book.assign({60, 100}, second);
  const auto a = set_of({{0, 10}});
  const auto b = set_of({{60, 100}});
  const merged_seal both[] = {{{first, 1, 10}, &a}, {{second, 1, 40}, &b}};
  EXPECT_EQ(book.accept_merged(both), (std::vector{verdict::committed, verdict::committed}));
  EXPECT_EQ(book.committed().intervals(), (intervals{{0, 10}, {60, 100}}));
  EXPECT_EQ(book.assigned(first).intervals(), (intervals{{10, 60}}));
}

TEST(Ledger, CommitsNothingOfAMergedValueWithAFencedPartial)
{
  ledger book{100, 2};
  book.assign({0, 60}, first);
  book.assign({60, 100}, second);
  const auto a = set_of({{0, 10}});
  const auto b = set_of({{60, 100}});
  (void)book.lose(second);
  const merged_seal both[] = {{{first, 1, 10}, &a}, {{second, 1, 40}, &b}};
  EXPECT_EQ(book.accept_merged(both), (std::vector{verdict::committed, verdict::fenced}));
  EXPECT_TRUE(book.committed().empty());
  EXPECT_EQ(book.assigned(first).intervals(), (intervals{{0, 60}}));
  EXPECT_EQ(book.fenced(), 1u);
}

TEST(Ledger, CommitsNothingOfAMergedValueWithASubtaskTwice)
{
  ledger book{100, 1};
  book.assign({0, 60}, first);
  const auto a = set_of({{0, 10}});
  const auto b = set_of({{9, 20}});  // of another worker of the device
  const merged_seal both[] = {{{first, 1, 10}, &a}, {{first, 1, 11}, &b}};
  EXPECT_EQ(book.accept_merged(both), (std::vector{verdict::committed, verdict::violation}));
  EXPECT_TRUE(book.committed().empty());
}

TEST(Ledger, FreesWhatALostDeviceHeldWhetherFoldedOrNot)
{
  ledger book{100, 2};
  book.assign({0, 60}, first);
  book.assign({60, 100}, second);
  EXPECT_EQ(seal_of(book, first, 1, {{0, 20}}), verdict::committed);
  // It has folded 20 to 40 since and not sealed them: the ledger neither knows nor asks.
  EXPECT_EQ(book.lose(first).intervals(), (intervals{{20, 60}}));
  EXPECT_EQ(book.free().intervals(), (intervals{{20, 60}}));
  EXPECT_TRUE(book.assigned(first).empty());
  EXPECT_EQ(book.committed().intervals(), (intervals{{0, 20}}));
  EXPECT_EQ(book.assigned(second).intervals(), (intervals{{60, 100}}));
}

TEST(Ledger, FencesASealFromAnIncarnationThatIsOver)
{
  ledger book{100, 2};
  book.assign({0, 60}, first);
  (void)book.lose(first);
  EXPECT_EQ(book.incarnation(first), 2u);
  EXPECT_EQ(seal_of(book, first, 1, {{0, 60}}), verdict::fenced);
  EXPECT_TRUE(book.committed().empty());
  EXPECT_EQ(book.fenced(), 1u);
  EXPECT_EQ(book.free().count(), 100u);
}

TEST(Ledger, FencesALateSealEvenWhereItsSubtasksAreAssignedToTheDeviceAgain)
{
  ledger book{100, 1};
  book.assign({0, 100}, first);
  (void)book.lose(first);
  book.assign({0, 100}, first);
  EXPECT_EQ(seal_of(book, first, 1, {{0, 100}}), verdict::fenced);
  EXPECT_EQ(seal_of(book, first, 2, {{0, 100}}), verdict::committed);
  EXPECT_TRUE(book.complete());
}

TEST(Ledger, FencesASealFromAnIncarnationThatIsYetToCome)
{
  ledger book{10, 1};
  book.assign({0, 10}, first);
  EXPECT_EQ(seal_of(book, first, 2, {{0, 10}}), verdict::fenced);
  EXPECT_TRUE(book.committed().empty());
}

TEST(Ledger, KeepsWhatALostDeviceHadCommitted)
{
  ledger book{100, 2};
  book.assign({0, 100}, first);
  EXPECT_EQ(seal_of(book, first, 1, {{0, 100}}), verdict::committed);
  EXPECT_TRUE(book.lose(first).empty());
  EXPECT_TRUE(book.complete());
}

TEST(LedgerDeathTest, StopsWhereSubtasksAreNotWhereTheCallerSays)
{
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  ledger book{100, 2};
  book.assign({0, 50}, first);
  EXPECT_DEATH(book.assign({49, 51}, second), "");
  EXPECT_DEATH(book.move({40, 60}, first, second), "");
  EXPECT_DEATH(book.move({0, 10}, second, first), "");
  EXPECT_DEATH(book.release({0, 10}, second), "");
}

// Against a plain table -------------------------------------------------------------------------------------------

/// One cell a subtask: where it is.
class table {
 public:
  static constexpr int is_free = -1;
  static constexpr int is_committed = -2;

  table(std::uint32_t subtasks, std::size_t devices) : cells_(subtasks, is_free), incarnations_(devices, 1) {}

  [[nodiscard]] bool all(interval part, int where) const
  {
    return std::all_of(cells_.begin() + part.begin, cells_.begin() + part.end, [&](int cell) { return cell == where; });
  }
  void put(interval part, int where) { std::fill(cells_.begin() + part.begin, cells_.begin() + part.end, where); }

  verdict accept(int device, std::uint32_t incarnation, std::uint64_t counter, const std::vector<bool>& folded)
  {
    if (incarnation != incarnations_[static_cast<std::size_t>(device)]) return verdict::fenced;
    std::uint64_t count = 0;
    for (std::size_t s = 0; s < cells_.size(); ++s) {
      if (!folded[s]) continue;
      if (cells_[s] != device) return verdict::violation;
      ++count;
    }
    if (count != counter) return verdict::violation;
    for (std::size_t s = 0; s < cells_.size(); ++s) {
      if (folded[s]) cells_[s] = is_committed;
    }
    return verdict::committed;
  }
  void lose(int device)
  {
    ++incarnations_[static_cast<std::size_t>(device)];
    std::replace(cells_.begin(), cells_.end(), device, is_free);
  }

  [[nodiscard]] int at(std::size_t s) const { return cells_[s]; }
  [[nodiscard]] std::uint32_t incarnation(int device) const { return incarnations_[static_cast<std::size_t>(device)]; }
  [[nodiscard]] std::size_t size() const { return cells_.size(); }

 private:
  std::vector<int> cells_;
  std::vector<std::uint32_t> incarnations_;
};

void expect_equal(const ledger& book, const table& model, std::size_t devices)
{
  std::vector<int> cells(model.size(), 99);
  const auto mark = [&](const interval_set& set, int where) {
    for (const auto& part : set.intervals()) {
      for (auto s = part.begin; s < part.end; ++s) {
        ASSERT_EQ(cells[s], 99) << "subtask " << s << " is in two places";
        cells[s] = where;
      }
    }
  };
  ASSERT_NO_FATAL_FAILURE(mark(book.free(), table::is_free));
  ASSERT_NO_FATAL_FAILURE(mark(book.committed(), table::is_committed));
  for (std::uint32_t d = 0; d < devices; ++d) {
    ASSERT_NO_FATAL_FAILURE(mark(book.assigned({d}), static_cast<int>(d)));
    ASSERT_EQ(book.incarnation({d}), model.incarnation(static_cast<int>(d)));
  }
  for (std::size_t s = 0; s < cells.size(); ++s) ASSERT_EQ(cells[s], model.at(s)) << "subtask " << s;
}

/// How often ledgers gave a verdict.
struct verdict_counts {
  std::uint64_t committed = 0;
  std::uint64_t violations = 0;
};

/// Does to a ledger and to its table what the seed says.
class random_walk {
 public:
  random_walk(std::uint64_t seed, verdict_counts& counts)
      : random_{seed},
        counts_{counts},
        subtasks_{1 + below(60)},
        devices_{1 + below(4)},
        book_{subtasks_, devices_},
        model_{subtasks_, devices_}
  {
  }

  void step()
  {
    // A part that is in one place, grown from any subtask.
    const auto begin = below(subtasks_);
    auto end = begin + 1;
    while (end < subtasks_ && model_.at(end) == model_.at(begin) && below(8) != 0) ++end;
    const interval part{begin, end};
    const auto where = model_.at(begin);
    const auto device = below(devices_);
    const auto number = static_cast<int>(device);
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
        if (where != table::is_free) break;
        book_.assign(part, {device});
        model_.put(part, number);
        break;
      case 3:
      case 4:
        if (where < 0) break;
        book_.move(part, {static_cast<std::uint32_t>(where)}, {device});
        model_.put(part, number);
        break;
      case 5:
        if (where < 0) break;
        book_.release(part, {static_cast<std::uint32_t>(where)});
        model_.put(part, table::is_free);
        break;
      case 6:
        if (below(6) != 0) break;  // rarely, or nothing would last
        ASSERT_NO_FATAL_FAILURE(lose(device));
        break;
      default: ASSERT_NO_FATAL_FAILURE(seal_some(device)); break;
    }
  }

  void compare() const { expect_equal(book_, model_, devices_); }

  /// Begins again where nothing is left to do.
  void restart_if_complete()
  {
    if (!book_.complete()) return;
    ASSERT_TRUE(model_.all({0, subtasks_}, table::is_committed));
    ASSERT_NO_FATAL_FAILURE(compare_fenced());
    book_ = ledger{subtasks_, devices_};
    model_ = table{subtasks_, devices_};
    fenced_ = 0;
  }

  void compare_fenced() const { ASSERT_EQ(book_.fenced(), fenced_); }

 private:
  std::uint32_t below(std::uint64_t n) { return static_cast<std::uint32_t>(random_() % n); }

  void lose(std::uint32_t device)
  {
    const auto number = static_cast<int>(device);
    const auto freed = book_.lose({device});
    for (std::uint32_t s = 0; s < subtasks_; ++s) {
      ASSERT_EQ(freed.contains(interval{s, s + 1}), model_.at(s) == number);
    }
    model_.lose(number);
  }

  /// Some of what the device holds; now and then a foreign subtask, a wrong count, another incarnation.
  void seal_some(std::uint32_t device)
  {
    const auto number = static_cast<int>(device);
    std::vector<bool> folded(subtasks_, false);
    interval_set fold_set;
    const auto take = [&](std::uint32_t s) {
      folded[s] = true;
      fold_set.insert({s, s + 1});
    };
    for (std::uint32_t s = 0; s < subtasks_; ++s) {
      if (model_.at(s) == number && below(12) == 0) take(s);
    }
    if (below(10) == 0) take(below(subtasks_));
    const auto counter = fold_set.count() + (below(15) == 0 ? 1 : 0);
    const auto incarnation = model_.incarnation(number) - (below(8) == 0 ? 1 : 0);
    const auto expected = model_.accept(number, incarnation, counter, folded);
    ASSERT_EQ(book_.accept(seal{{device}, incarnation, counter}, fold_set), expected);
    fenced_ += expected == verdict::fenced;
    counts_.committed += expected == verdict::committed;
    counts_.violations += expected == verdict::violation;
  }

  std::mt19937_64 random_;
  verdict_counts& counts_;
  std::uint32_t subtasks_;
  std::uint32_t devices_;
  ledger book_;
  table model_;
  std::uint64_t fenced_ = 0;  // by this ledger
};

TEST(Ledger, DoesAsATableOfSubtasksDoes)
{
  constexpr std::uint64_t seeds = 200;
  constexpr int steps = 10'000;
  verdict_counts counts;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    random_walk walk{seed, counts};
    for (int step = 0; step < steps; ++step) {
      ASSERT_NO_FATAL_FAILURE(walk.step()) << "step " << step;
      if (step % 8 == 0 || step + 1 == steps) {
        ASSERT_NO_FATAL_FAILURE(walk.compare()) << "step " << step;
      }
      ASSERT_NO_FATAL_FAILURE(walk.restart_if_complete()) << "step " << step;
    }
    ASSERT_NO_FATAL_FAILURE(walk.compare_fenced());
  }
  EXPECT_GT(counts.committed, 100'000u);  // the walk has been where it should
  EXPECT_GT(counts.violations, 10'000u);
}

}  // namespace
