#include "execute/interval_deque.hpp"  // first: shows that the header stands alone

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace {

using fastgpu::interval;
using fastgpu::detail::interval_deque;

using intervals = std::vector<interval>;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr std::uint32_t stress_subtasks = 1'500'000;
#else
constexpr std::uint32_t stress_subtasks = 12'000'000;
#endif

TEST(IntervalDeque, IsEmptyWhenMade)
{
  interval_deque deque;
  EXPECT_TRUE(deque.take_front(1, 1).empty());
  EXPECT_TRUE(deque.steal_back(0, 1).empty());
  EXPECT_TRUE(deque.take_side().empty());
  EXPECT_TRUE(deque.peek().empty());
  EXPECT_FALSE(deque.has_side());
  EXPECT_EQ(deque.drain(), intervals{});
}

TEST(IntervalDeque, GivesTheOwnerTheFront)
{
  interval_deque deque;
  deque.refill({10, 20});
  EXPECT_EQ(deque.take_front(3, 1), (interval{10, 13}));
  EXPECT_EQ(deque.take_front(1, 1), (interval{13, 14}));
  EXPECT_EQ(deque.peek(), (interval{14, 20}));
  EXPECT_EQ(deque.take_front(100, 1), (interval{14, 20}));
  EXPECT_TRUE(deque.take_front(1, 1).empty());
}

TEST(IntervalDeque, GivesAThiefWhatIsBehindTheOwnersShare)
{
  interval_deque deque;
  deque.refill({10, 20});
  EXPECT_EQ(deque.steal_back(6, 1), (interval{16, 20}));
  EXPECT_EQ(deque.peek(), (interval{10, 16}));
  EXPECT_EQ(deque.steal_back(3, 1), (interval{13, 16}));
  EXPECT_TRUE(deque.steal_back(3, 1).empty());
  EXPECT_TRUE(deque.steal_back(100, 1).empty());
  EXPECT_EQ(deque.steal_back(0, 1), (interval{10, 13}));
  EXPECT_TRUE(deque.steal_back(0, 1).empty());
}

TEST(IntervalDeque, CutsBatchesAtSpans)
{
  interval_deque deque;
  deque.refill({8, 30});
  EXPECT_EQ(deque.take_front(1, 8), (interval{8, 16}));   // a whole span at least
  EXPECT_EQ(deque.take_front(9, 4), (interval{16, 28}));  // 25 is in the span that ends at 28
  EXPECT_EQ(deque.take_front(1, 8), (interval{28, 30}));  // the range ends first
}

TEST(IntervalDeque, CutsStealsAtSpans)
{
  interval_deque deque;
  deque.refill({8, 30});
  EXPECT_EQ(deque.steal_back(9, 8), (interval{24, 30}));
  EXPECT_EQ(deque.steal_back(1, 8), (interval{16, 24}));
  EXPECT_TRUE(deque.steal_back(1, 8).empty());  // one span is left, and the owner keeps one
  EXPECT_EQ(deque.steal_back(0, 8), (interval{8, 16}));
}

TEST(IntervalDeque, HandlesTheGreatestNumbers)
{
  constexpr std::uint32_t last = 4294967295;
  interval_deque deque;
  deque.refill({last - 10, last});
  EXPECT_EQ(deque.steal_back(4294967295, 1), interval{});
  EXPECT_EQ(deque.take_front(1, 1u << 31), (interval{last - 10, last}));
  deque.refill({0, last});
  EXPECT_EQ(deque.steal_back(1u << 31, 1u << 31), (interval{1u << 31, last}));
  EXPECT_EQ(deque.take_front(last, 1), (interval{0, 1u << 31}));
}

TEST(IntervalDeque, KeepsReturnedRangesWholeAtTheSide)
{
  interval_deque deque;
  deque.refill({0, 10});
  deque.add({20, 30});
  deque.add({40, 50});
  EXPECT_TRUE(deque.has_side());
  EXPECT_EQ(deque.peek(), (interval{0, 10}));
  intervals side{deque.take_side(), deque.take_side()};
  std::sort(side.begin(), side.end());
  EXPECT_EQ(side, (intervals{{20, 30}, {40, 50}}));
  EXPECT_FALSE(deque.has_side());
  EXPECT_TRUE(deque.take_side().empty());
}

TEST(IntervalDeque, GivesBackEverythingWhenDrained)
{
  interval_deque deque;
  deque.refill({0, 10});
  (void)deque.take_front(3, 1);
  deque.add({20, 30});
  auto all = deque.drain();
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, (intervals{{3, 10}, {20, 30}}));
  EXPECT_TRUE(deque.peek().empty());
  EXPECT_FALSE(deque.has_side());
}

TEST(IntervalDeque, DoesAsASequenceDoesFromOneThread)
{
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random{seed};
    const auto span = std::uint32_t{1} << random() % 5;
    const auto end = static_cast<std::uint32_t>(1 + random() % 2000);
    interval_deque deque;
    deque.refill({0, end});
    interval left{0, end};
    const auto up = [&](std::uint64_t n) { return (n + span - 1) / span * span; };
    while (!left.empty()) {
      const auto n = static_cast<std::uint32_t>(1 + random() % 100);
      const auto cut = static_cast<std::uint32_t>(std::min<std::uint64_t>(left.end, up(left.begin + n)));
      if (random() % 2 == 0) {
        ASSERT_EQ(deque.take_front(n, span), (interval{left.begin, cut}));
        left.begin = cut;
      } else {
        const auto stolen = deque.steal_back(n, span);
        if (cut == left.end) {
          ASSERT_TRUE(stolen.empty());
        } else {
          ASSERT_EQ(stolen, (interval{cut, left.end}));
        }
        left.end = cut;
      }
      ASSERT_EQ(deque.peek(), left);
    }
  }
}

/// One owner and some thieves, each with a deque of its own, share `subtasks` until none is left. Marks are plain
/// bytes: two who take the same subtask race on one, and its count tells. Some batches fail after they have written,
/// and run again: whoever runs them next must see that as having been before.
void stress(std::uint32_t subtasks, std::uint32_t workers, std::uint32_t span, std::uint64_t seed)
{
  SCOPED_TRACE("seed " + std::to_string(seed) + ", " + std::to_string(workers) + " workers, span " +
               std::to_string(span));
  std::vector<interval_deque> deques(workers);
  std::vector<std::uint8_t> taken(subtasks, 0);
  std::vector<std::uint8_t> written(subtasks, 0);  // by any attempt
  std::atomic<std::int64_t> left = subtasks;  // below 0 where one was taken twice
  std::atomic<std::uint32_t> torn = 0;  // ranges that begin or end inside a span
  deques[0].refill({0, subtasks});

  const auto work = [&](std::uint32_t me) {
    std::mt19937_64 random{seed * 64 + me};
    auto& mine = deques[me];
    const auto run = [&](interval batch, bool fails) {
      if (batch.begin % span != 0 || (batch.end % span != 0 && batch.end != subtasks)) ++torn;
      for (auto s = batch.begin; s < batch.end; ++s) written[s] = static_cast<std::uint8_t>(me + 1);
      if (fails) {
        deques[random() % workers].add(batch);
        return;
      }
      for (auto s = batch.begin; s < batch.end; ++s) ++taken[s];
      left.fetch_sub(batch.size(), std::memory_order_relaxed);
    };
    while (left.load(std::memory_order_relaxed) > 0) {
      const auto luck = random();
      if (const auto batch = mine.take_front(1 + static_cast<std::uint32_t>(luck % 4), span); !batch.empty()) {
        run(batch, luck % 61 == 0);
        continue;
      }
      if (const auto range = mine.take_side(); !range.empty()) {
        mine.refill(range);
        continue;
      }
      auto& victim = deques[luck % workers];
      if (&victim == &mine) continue;
      const auto there = victim.peek().size();
      auto stolen = luck % 7 == 0 ? victim.take_side() : interval{};
      if (stolen.empty()) stolen = victim.steal_back(there / 2, span);
      if (stolen.empty()) {
        std::this_thread::yield();
      } else {
        mine.refill(stolen);
      }
    }
  };
  std::vector<std::jthread> threads;
  for (std::uint32_t w = 1; w < workers; ++w) threads.emplace_back(work, w);
  work(0);
  threads.clear();
  EXPECT_EQ(torn.load(), 0u);
  ASSERT_EQ(static_cast<std::uint64_t>(std::count(taken.begin(), taken.end(), 1)), subtasks);
  ASSERT_EQ(std::count(written.begin(), written.end(), 0), 0);
}

/// An owner and thieves at one deque of short ranges, so that they meet all the time. Each range has had an attempt
/// before it is put there, and whoever takes it must see that attempt as having been.
void hammer(std::uint32_t subtasks, std::uint32_t thieves, std::uint32_t span, std::uint64_t seed)
{
  SCOPED_TRACE("seed " + std::to_string(seed) + ", " + std::to_string(thieves) + " thieves, span " +
               std::to_string(span));
  interval_deque deque;
  std::vector<std::uint8_t> attempts(subtasks, 0);
  std::atomic<bool> over = false;
  std::atomic<std::uint64_t> stolen_ranges = 0;
  const auto run = [&](interval batch) {
    for (auto s = batch.begin; s < batch.end; ++s) ++attempts[s];
  };
  std::vector<std::jthread> threads;
  for (std::uint32_t t = 0; t < thieves; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random{seed * 64 + t};
      std::uint64_t ranges = 0;
      while (!over.load(std::memory_order_relaxed)) {
        const auto there = deque.peek().size();
        const auto keep = random() % 2 == 0 ? there / 2 : there - std::min(there, span);  // a half, or one span
        if (const auto stolen = deque.steal_back(keep, span); !stolen.empty()) {
          run(stolen);
          ++ranges;
        }
      }
      stolen_ranges += ranges;
    });
  }
  std::mt19937_64 random{seed};
  for (std::uint32_t begin = 0; begin < subtasks;) {
    const auto luck = random();
    const auto end = begin + std::min(subtasks - begin, static_cast<std::uint32_t>(1 + luck % 12) * span);
    run({begin, end});
    deque.refill({begin, end});
    for (;;) {
      const auto batch = deque.take_front(1 + static_cast<std::uint32_t>(luck >> 32) % 2 * span, span);
      if (batch.empty()) break;
      run(batch);
    }
    begin = end;
  }
  over = true;
  threads.clear();
  EXPECT_TRUE(deque.peek().empty());
  ASSERT_EQ(static_cast<std::uint64_t>(std::count(attempts.begin(), attempts.end(), 2)), subtasks)
      << stolen_ranges << " ranges were stolen";
}

TEST(IntervalDeque, GivesEverySubtaskOnceWhereOwnerAndThievesMeetAllTheTime)
{
  std::uint64_t seed = 0;
  for (const std::uint32_t thieves : {1u, 2u, 3u}) {
    for (const std::uint32_t span : {1u, 4u}) {
      ASSERT_NO_FATAL_FAILURE(hammer(stress_subtasks / 6, thieves, span, ++seed));
    }
  }
}

TEST(IntervalDeque, GivesEverySubtaskOnceToAnOwnerAndThieves)
{
  std::uint64_t seed = 0;
  for (const std::uint32_t workers : {2u, 3u, 4u}) {
    for (const std::uint32_t span : {1u, 8u}) {
      ASSERT_NO_FATAL_FAILURE(stress(stress_subtasks / 6, workers, span, ++seed));
    }
  }
}

TEST(IntervalDeque, GivesEverySubtaskOnceWhereThereAreHardlyAny)
{
  // Short ranges: the owner and a thief meet at the last subtask nearly every time.
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    ASSERT_NO_FATAL_FAILURE(stress(static_cast<std::uint32_t>(1 + seed % 40), 2 + seed % 2, 1, seed));
  }
}

}  // namespace
