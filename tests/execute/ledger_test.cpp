#include "execute/ledger.hpp"  // first: shows that the header stands alone

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

using fastgpu::device_id;
using fastgpu::interval;
using fastgpu::detail::interval_set;
using fastgpu::detail::ledger;
using fastgpu::detail::seal;
using fastgpu::detail::verdict;

using intervals = std::vector<interval>;

constexpr device_id first{0};
constexpr device_id second{1};

interval_set set_of(const intervals& parts)
{
  interval_set set;
  for (const auto& part : parts) set.insert(part);
  return set;
}

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

TEST(Ledger, DoesAsATableOfSubtasksDoes)
{
  constexpr std::uint64_t seeds = 200;
  constexpr int steps = 10'000;
  std::uint64_t commits = 0;
  std::uint64_t violations = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random{seed};
    const auto below = [&](std::uint64_t n) { return static_cast<std::uint32_t>(random() % n); };
    const auto subtasks = 1 + below(60);
    const auto devices = 1 + below(4);
    std::uint64_t fenced = 0;
    ledger book{subtasks, devices};
    table model{subtasks, devices};
    for (int step = 0; step < steps; ++step) {
      // A part that is in one place, grown from any subtask.
      const auto begin = below(subtasks);
      auto end = begin + 1;
      while (end < subtasks && model.at(end) == model.at(begin) && below(8) != 0) ++end;
      const interval part{begin, end};
      const auto where = model.at(begin);
      const auto device = below(devices);
      const auto number = static_cast<int>(device);
      switch (below(12)) {
        case 0:
        case 1:
        case 2:
          if (where != table::is_free) break;
          book.assign(part, {device});
          model.put(part, number);
          break;
        case 3:
        case 4:
          if (where < 0) break;
          book.move(part, {static_cast<std::uint32_t>(where)}, {device});
          model.put(part, number);
          break;
        case 5:
          if (where < 0) break;
          book.release(part, {static_cast<std::uint32_t>(where)});
          model.put(part, table::is_free);
          break;
        case 6: {  // rarely, or nothing would last
          if (below(6) != 0) break;
          const auto freed = book.lose({device});
          for (std::uint32_t s = 0; s < subtasks; ++s) {
            ASSERT_EQ(freed.contains(interval{s, s + 1}), model.at(s) == number);
          }
          model.lose(number);
          break;
        }
        default: {
          // Some of what the device holds; now and then a foreign subtask, a wrong count, another incarnation.
          std::vector<bool> folded(subtasks, false);
          interval_set fold_set;
          const auto take = [&](std::uint32_t s) {
            folded[s] = true;
            fold_set.insert({s, s + 1});
          };
          for (std::uint32_t s = 0; s < subtasks; ++s) {
            if (model.at(s) == number && below(12) == 0) take(s);
          }
          if (below(10) == 0) take(below(subtasks));
          const auto counter = fold_set.count() + (below(15) == 0 ? 1 : 0);
          const auto incarnation = model.incarnation(number) - (below(8) == 0 ? 1 : 0);
          const auto expected = model.accept(number, incarnation, counter, folded);
          ASSERT_EQ(book.accept(seal{{device}, incarnation, counter}, fold_set), expected) << "step " << step;
          fenced += expected == verdict::fenced;
          commits += expected == verdict::committed;
          violations += expected == verdict::violation;
          break;
        }
      }
      if (step % 8 == 0 || step + 1 == steps) {
        ASSERT_NO_FATAL_FAILURE(expect_equal(book, model, devices)) << "step " << step;
      }
      if (book.complete()) {  // again from the start
        ASSERT_TRUE(model.all({0, subtasks}, table::is_committed));
        ASSERT_EQ(book.fenced(), fenced);
        book = ledger{subtasks, devices};
        model = table{subtasks, devices};
        fenced = 0;
      }
    }
    ASSERT_EQ(book.fenced(), fenced);
  }
  EXPECT_GT(commits, 100'000u);  // the walk has been where it should
  EXPECT_GT(violations, 10'000u);
}

}  // namespace
