#include "execute/grants.hpp"  // first: shows that the header stands alone

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/interval_sets.hpp"
#include "support/virtual_clock.hpp"

namespace {

using fastgpu::device_id;
using fastgpu::errc;
using fastgpu::failure;
using fastgpu::interval;
using fastgpu::make_error_code;
using fastgpu::detail::grant;
using fastgpu::detail::grants;
using fastgpu::detail::ledger;
using fastgpu::detail::retry_limits;
using support::set_of;

const failure tripped{make_error_code(errc::device_failed), "it tripped"};
const failure vanished{make_error_code(errc::device_lost), "it vanished"};

/// A run of `subtasks` over `devices`, all of it given to device 0.
struct a_run {
  explicit a_run(std::uint32_t subtasks, std::size_t devices, std::uint32_t span = 1, retry_limits limits = {})
      : book{subtasks, devices}, machine{world, book, devices, subtasks, span, limits}
  {
    machine.start({{0}, {0, subtasks}});
  }
  support::virtual_clock world;
  ledger book;
  grants machine;
};

/// "device: begin-end, ...", in order.
std::string text_of(const std::vector<grant>& given)
{
  std::string text;
  for (const auto& g : given) {
    text += (text.empty() ? "" : ", ") + std::to_string(g.device.value) + ": " + std::to_string(g.part.begin) + "-" +
            std::to_string(g.part.end);
  }
  return text;
}

std::string detail_of(const grants& machine)
{
  return machine.run_failure() ? machine.run_failure()->detail : "no failure";
}

TEST(Grants, AssignWhatAPlacementGives)
{
  a_run run{10, 2};
  EXPECT_EQ(run.book.assigned({0}).intervals(), (std::vector<interval>{{0, 10}}));
  EXPECT_TRUE(run.book.free().empty());
  EXPECT_FALSE(run.machine.run_failure());
  EXPECT_EQ(run.machine.retries(), 0u);
}

TEST(Grants, GiveWhatFailedToAnotherDevice)
{
  a_run run{10, 2};
  EXPECT_EQ(text_of(run.machine.failed({0}, {3, 4}, tripped, 1)), "1: 3-4");
  EXPECT_EQ(run.book.assigned({1}).intervals(), (std::vector<interval>{{3, 4}}));
  EXPECT_EQ(run.book.assigned({0}).intervals(), (std::vector<interval>{{0, 3}, {4, 10}}));
  EXPECT_FALSE(run.machine.run_failure());
  EXPECT_EQ(run.machine.retries(), 1u);
}

TEST(Grants, GiveWhatFailedBackWhereThereIsNoOtherDevice)
{
  a_run run{10, 1};
  EXPECT_EQ(text_of(run.machine.failed({0}, {3, 4}, tripped, 1)), "0: 3-4");
  EXPECT_EQ(run.book.assigned({0}).count(), 10u);
}

TEST(Grants, LetSuspectsRunAlone)
{
  a_run run{10, 2};
  EXPECT_EQ(text_of(run.machine.failed({0}, {2, 6}, tripped, 1)), "1: 2-3, 1: 3-4, 1: 4-5, 1: 5-6");
}

TEST(Grants, LetSuspectSpansRunAlone)
{
  a_run run{18, 2, 4};
  EXPECT_EQ(text_of(run.machine.failed({0}, {4, 18}, tripped, 1)), "1: 4-8, 1: 8-12, 1: 12-16, 1: 16-18");
}

TEST(Grants, TakeTheOtherDevicesInTurn)
{
  a_run run{10, 4};
  const auto given = run.machine.failed({0}, {0, 9}, tripped, 1);
  ASSERT_EQ(given.size(), 9u);
  for (std::uint32_t d = 1; d < 4; ++d) {
    EXPECT_EQ(std::count_if(given.begin(), given.end(), [&](const grant& g) { return g.device.value == d; }), 3);
  }
}

TEST(Grants, PreferTheDeviceThatHasFailedLeast)
{
  a_run run{20, 3};
  run.book.move({0, 5}, {0}, {1});
  (void)run.machine.failed({1}, {0, 1}, tripped, 1);
  EXPECT_EQ(run.machine.failures({1}), 1u);
  EXPECT_EQ(run.machine.failures({2}), 0u);
  EXPECT_EQ(text_of(run.machine.failed({0}, {10, 12}, tripped, 1)), "2: 10-11, 2: 11-12");
}

TEST(Grants, FailTheRunWhenASubtaskHasHadItsLastAttempt)
{
  a_run run{10, 2};
  EXPECT_EQ(text_of(run.machine.failed({0}, {5, 6}, tripped, 1)), "1: 5-6");
  EXPECT_EQ(text_of(run.machine.failed({1}, {5, 6}, tripped, 1)), "0: 5-6");
  EXPECT_EQ(text_of(run.machine.failed({0}, {5, 6}, tripped, 1)), "");
  ASSERT_TRUE(run.machine.run_failure());
  EXPECT_EQ(run.machine.run_failure()->code, errc::retries_exhausted);
  EXPECT_EQ(run.machine.run_failure()->detail, "subtask 5 failed on device 0, attempt 3 of 3: it tripped");
}

TEST(Grants, NameTheSpanThatFailed)
{
  a_run run{16, 2, 4};
  (void)run.machine.failed({0}, {4, 8}, tripped, 1);
  (void)run.machine.failed({1}, {4, 8}, tripped, 1);
  (void)run.machine.failed({0}, {4, 8}, tripped, 1);
  EXPECT_EQ(detail_of(run.machine), "subtasks 4 to 7 failed on device 0, attempt 3 of 3: it tripped");
}

TEST(Grants, NameTheSubtaskOfASpanWhereItIsKnown)
{
  a_run run{16, 2, 4};
  auto known = tripped;
  known.subtask = 6;
  (void)run.machine.failed({0}, {4, 8}, tripped, 1);
  (void)run.machine.failed({1}, {4, 8}, tripped, 1);
  (void)run.machine.failed({0}, {4, 8}, known, 1);
  EXPECT_EQ(detail_of(run.machine), "subtask 6 failed on device 0, attempt 3 of 3: it tripped");
  EXPECT_EQ(run.machine.run_failure()->subtask, 6);
}

TEST(Grants, CountAnAttemptOfEverySubtaskOfAFailedBatch)
{
  a_run run{100, 2};
  (void)run.machine.failed({0}, {0, 50}, tripped, 1);  // the first of 7, in a crowd
  (void)run.machine.failed({1}, {7, 8}, tripped, 1);   // the second, alone
  EXPECT_FALSE(run.machine.run_failure());
  (void)run.machine.failed({0}, {7, 8}, tripped, 1);
  EXPECT_EQ(detail_of(run.machine), "subtask 7 failed on device 0, attempt 3 of 3: it tripped");
}

TEST(Grants, DoNotBlameNeighbours)
{
  a_run run{100, 3};
  (void)run.machine.failed({0}, {0, 5}, tripped, 1);
  for (std::uint32_t s = 0; s < 5; ++s) {
    (void)run.machine.failed(run.book.assigned({1}).contains(interval{s, s + 1}) ? device_id{1} : device_id{2},
                             {s, s + 1}, tripped, 1);
  }
  EXPECT_FALSE(run.machine.run_failure());  // two attempts each
}

TEST(Grants, CountAttemptsAsTheyAreTold)
{
  a_run run{10, 2, 1, {.attempts = 5}};
  for (std::uint32_t attempt = 1; attempt < 5; ++attempt) {
    const auto given = run.machine.failed({(attempt + 1) % 2}, {5, 6}, tripped, 1);
    ASSERT_EQ(given.size(), 1u);
    EXPECT_EQ(given[0].device.value, attempt % 2);
  }
  (void)run.machine.failed({0}, {5, 6}, tripped, 1);
  EXPECT_EQ(detail_of(run.machine), "subtask 5 failed on device 0, attempt 5 of 5: it tripped");
}

TEST(Grants, GiveEverythingOfALostDeviceToOthers)
{
  a_run run{10, 2};
  EXPECT_EQ(text_of(run.machine.lost({0}, set_of({{2, 4}}), vanished)), "1: 2-3, 1: 3-4, 1: 0-2, 1: 4-10");
  EXPECT_FALSE(run.machine.usable({0}));
  EXPECT_TRUE(run.machine.usable({1}));
  EXPECT_EQ(run.book.assigned({1}).count(), 10u);
  EXPECT_EQ(run.book.incarnation({0}), 2u);
  EXPECT_FALSE(run.machine.run_failure());
}

TEST(Grants, TakeAllButWhatWasRunningForInnocent)
{
  a_run run{10, 5};
  (void)run.machine.lost({0}, set_of({{3, 4}}), vanished);
  // Whoever has the rest is lost twice more, always with 3 running.
  for (int loss = 0; loss < 2; ++loss) {
    std::uint32_t holder = 1;
    while (!run.book.assigned({holder}).contains(interval{3, 4})) ++holder;
    EXPECT_FALSE(run.machine.run_failure());
    (void)run.machine.lost({holder}, set_of({{3, 4}}), vanished);
  }
  ASSERT_TRUE(run.machine.run_failure());
  EXPECT_EQ(run.machine.run_failure()->code, errc::retries_exhausted);
  EXPECT_NE(detail_of(run.machine).find("subtask 3 failed on device "), std::string::npos) << detail_of(run.machine);
  EXPECT_NE(detail_of(run.machine).find(", attempt 3 of 3: it vanished"), std::string::npos);
}

TEST(Grants, DoNotBlameWhatIsQueuedOnDevicesThatAreLost)
{
  a_run run{10, 5};
  for (std::uint32_t d = 0; d < 4; ++d) (void)run.machine.lost({d}, {}, vanished);
  EXPECT_FALSE(run.machine.run_failure());
  EXPECT_EQ(run.book.assigned({4}).count(), 10u);
  EXPECT_EQ(run.machine.retries(), 0u);
}

TEST(Grants, LeaveSuspectsAloneWhenTheirNextDeviceIsLostToo)
{
  a_run run{10, 3};
  for (const auto& g : run.machine.failed({0}, {2, 8}, tripped, 1)) {  // one by one, over devices 1 and 2
    if (g.device.value == 2) run.book.move(g.part, {2}, {1});          // stolen
  }
  const auto given = run.machine.lost({1}, {}, vanished);
  std::size_t subtasks = 0;
  for (const auto& g : given) {
    subtasks += g.part.size();
    EXPECT_EQ(g.part.size(), 1u) << text_of(given);
  }
  EXPECT_EQ(subtasks, 6u);
}

TEST(Grants, CountTheFirstAttemptOfASubtaskThatRanBesideASuspect)
{
  a_run run{10, 4};
  (void)run.machine.failed({0}, {3, 4}, tripped, 1);
  const device_id holder = run.book.assigned({1}).empty() ? device_id{2} : device_id{1};
  run.book.move({4, 5}, {0}, holder);
  (void)run.machine.lost(holder, set_of({{3, 5}}), vanished);  // the second of 3, the first of 4
  EXPECT_FALSE(run.machine.run_failure());
  for (int attempt = 2; attempt <= 3; ++attempt) {
    std::uint32_t next = 0;
    while (!run.book.assigned({next}).contains(interval{4, 5})) ++next;
    (void)run.machine.failed({next}, {4, 5}, tripped, 1);
  }
  EXPECT_NE(detail_of(run.machine).find("subtask 4 failed on device "), std::string::npos) << detail_of(run.machine);
  EXPECT_NE(detail_of(run.machine).find(", attempt 3 of 3"), std::string::npos) << detail_of(run.machine);
}

TEST(Grants, FailTheRunWhenNoDeviceIsLeft)
{
  a_run run{10, 2};
  EXPECT_EQ(text_of(run.machine.lost({0}, {}, vanished)), "1: 0-10");
  EXPECT_EQ(text_of(run.machine.lost({1}, {}, vanished)), "");
  ASSERT_TRUE(run.machine.run_failure());
  EXPECT_EQ(run.machine.run_failure()->code, errc::no_usable_device);
  EXPECT_EQ(run.machine.run_failure()->detail, "no usable device is left; the last: it vanished");
  EXPECT_FALSE(run.machine.any_usable());
}

TEST(Grants, GiveNothingToAnExcludedDevice)
{
  a_run run{10, 3};
  run.machine.exclude({1});
  EXPECT_FALSE(run.machine.usable({1}));
  EXPECT_EQ(text_of(run.machine.failed({0}, {0, 3}, tripped, 1)), "2: 0-1, 2: 1-2, 2: 2-3");
  EXPECT_EQ(text_of(run.machine.lost({0}, {}, vanished)), "2: 3-10");
}

TEST(Grants, FailTheRunWhereAllOtherDevicesAreExcluded)
{
  a_run run{10, 2};
  run.machine.exclude({1});
  EXPECT_EQ(text_of(run.machine.lost({0}, {}, vanished)), "");
  ASSERT_TRUE(run.machine.run_failure());
  EXPECT_EQ(run.machine.run_failure()->code, errc::no_usable_device);
}

TEST(Grants, TireOfADeviceThatFailsAgainAndAgain)
{
  a_run run{100, 3};
  for (std::uint32_t n = 1; n <= 3; ++n) {
    (void)run.machine.failed({0}, {n, n + 1}, tripped, n);
    EXPECT_FALSE(run.machine.tired({0}));
  }
  (void)run.machine.failed({0}, {4, 5}, tripped, 4);
  EXPECT_TRUE(run.machine.tired({0}));
  EXPECT_FALSE(run.machine.run_failure());
  // From now on it gets nothing any more, not even from others that fail.
  const auto given = run.machine.failed({1}, run.book.assigned({1}).intervals().front(), tripped, 1);
  for (const auto& g : given) EXPECT_EQ(g.device.value, 2u);
}

TEST(Grants, ForgiveADeviceThatFailsNowAndThen)
{
  a_run run{100, 2};
  for (std::uint32_t n = 0; n < 20; ++n) (void)run.machine.failed({0}, {n, n + 1}, tripped, 1);
  EXPECT_FALSE(run.machine.tired({0}));
  EXPECT_FALSE(run.machine.run_failure());
  EXPECT_EQ(run.machine.retries(), 20u);
}

TEST(Grants, FailTheRunWhenTheBudgetOfAttemptsIsSpent)
{
  a_run run{1000, 2, 1, {.budget_share = 0.01, .budget_extra = 3}};  // 13
  for (std::uint32_t n = 0; n < 13; ++n) {
    (void)run.machine.failed({0}, {n, n + 1}, tripped, 1);
    ASSERT_FALSE(run.machine.run_failure()) << n;
  }
  EXPECT_EQ(text_of(run.machine.failed({0}, {77, 78}, tripped, 1)), "");
  ASSERT_TRUE(run.machine.run_failure());
  EXPECT_EQ(run.machine.run_failure()->code, errc::retries_exhausted);
  EXPECT_EQ(run.machine.run_failure()->detail,
            "more than 13 failed attempts in one run, the last: subtask 77 failed on device 0: it tripped");
}

TEST(Grants, HaveABudgetOfATenthAndTwenty)
{
  a_run run{1000, 2};
  std::uint32_t n = 0;
  while (!run.machine.run_failure()) {
    (void)run.machine.failed({0}, {n, n + 1}, tripped, 1);
    ++n;
  }
  EXPECT_EQ(n, 121u);
}

TEST(Grants, GiveNothingOnceTheRunHasFailed)
{
  a_run run{10, 3, 1, {.attempts = 1}};
  EXPECT_EQ(text_of(run.machine.failed({0}, {5, 6}, tripped, 1)), "");
  EXPECT_EQ(detail_of(run.machine), "subtask 5 failed on device 0, attempt 1 of 1: it tripped");
  EXPECT_EQ(text_of(run.machine.failed({0}, {6, 7}, tripped, 1)), "");
  EXPECT_EQ(text_of(run.machine.lost({0}, {}, vanished)), "");
  EXPECT_EQ(detail_of(run.machine), "subtask 5 failed on device 0, attempt 1 of 1: it tripped");  // the first stays
}

TEST(Grants, CountTheSubtasksThatRanInVain)
{
  a_run run{100, 3};
  (void)run.machine.failed({0}, {0, 10}, tripped, 1);
  (void)run.machine.lost({0}, set_of({{20, 25}, {30, 33}}), vanished);
  EXPECT_EQ(run.machine.wasted(), 18u);
  EXPECT_EQ(run.machine.retries(), 3u);
}

}  // namespace
