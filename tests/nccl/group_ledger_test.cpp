#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "execute/ledger.hpp"
#include "support/group_inputs.hpp"
#include "support/group_world.hpp"
#include "support/interval_sets.hpp"

/// @file
/// A group's reduction and the ledger together: what was lost runs again, and in the end every subtask counts once.

namespace {

using fastgpu::interval;
using fastgpu::detail::interval_set;
using fastgpu::detail::ledger;
using fastgpu::detail::merged_seal;
using fastgpu::detail::verdict;
using support::group_world;
using support::intervention;
using kind = intervention::kind;

constexpr std::uint32_t subtasks = 12;
constexpr std::uint32_t each = 4;
constexpr std::uint32_t members = subtasks / each;
constexpr std::int64_t every_subtask_once = 0x111111111111;

std::int64_t value_of(const interval_set& set)
{
  std::int64_t value = 0;
  for (const auto& part : set.intervals()) {
    for (auto s = part.begin; s < part.end; ++s) value += std::int64_t{1} << (4 * s);
  }
  return value;
}

/// Members as devices 0 to 2 of a run; device 3, a host, does what they lose.
struct books {
  books()
  {
    for (std::uint32_t m = 0; m < members; ++m) {
      folded.push_back(support::set_of({{m * each, (m + 1) * each}}));
      ledger_.assign({m * each, (m + 1) * each}, {m});
      inputs.push_back(support::bytes_of<std::int64_t>({value_of(folded.back())}));
    }
    plan.count = 1;
  }
  /// @return  Whether the value that was decided counts now.
  bool commit(group_world& w)
  {
    const auto& decided = *w.coordinator().decided();
    std::vector<merged_seal> seals;
    for (const auto m : decided.contributors) seals.push_back({{{m.value}, 1, each}, &folded[m.value]});
    const auto verdicts = ledger_.accept_merged(seals);
    for (std::size_t i = 0; i < verdicts.size(); ++i) {
      EXPECT_NE(verdicts[i], verdict::violation);
      if (verdicts[i] == verdict::fenced) {
        w.apply({kind::notice, decided.contributors[i].value});
        return false;
      }
    }
    if (!decided.value.empty()) total += support::numbers_in<std::int64_t>(decided.value)[0];
    w.coordinator().commit();
    return true;
  }
  void run_again(std::uint32_t lost_member)
  {
    const auto freed = ledger_.lose({lost_member});
    for (const auto& part : freed.intervals()) {
      ledger_.assign(part, {members});
      const auto set = support::set_of({part});
      EXPECT_EQ(ledger_.accept({{members}, 1, set.count()}, set), verdict::committed);
      total += value_of(set);
    }
  }

  std::vector<interval_set> folded;
  std::vector<support::payload> inputs;
  support::reduction_plan plan;
  ledger ledger_{subtasks, members + 1};
  std::int64_t total = 0;
};

TEST(GroupLedger, CountsEverySubtaskOnceWhoeverIsLostWhenever)
{
  std::uint64_t fenced = 0;
  std::uint64_t lost = 0;
  for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
    std::mt19937_64 random{seed};
    books b;
    group_world w{members, b.plan, b.inputs, seed, 1'000'000};
    const auto fault_at = random() % 80;
    const auto fault = static_cast<kind>(random() % 3);
    const auto who = static_cast<std::uint32_t>(random() % members);
    const bool ledger_first = random() % 2 == 0;  // the ledger has heard of a loss, the group not yet
    bool gone = false;
    const auto commit_at = random() % 120;
    std::size_t n = 0;
    for (; !w.committed() && n < 100'000; ++n) {
      if (n == fault_at) {
        if (fault == kind::notice && ledger_first) {
          b.run_again(who);
          gone = true;
        } else {
          w.apply({fault, who});
          if (fault == kind::notice) b.run_again(who);
          gone = fault == kind::notice;
        }
      }
      if (n == fault_at + 60 && fault == kind::kill) w.apply({kind::notice, who});
      w.step(n % w.kinds_of_steps());
      if (n >= commit_at && w.coordinator().decided() != nullptr && !b.commit(w)) ++fenced;
    }
    ASSERT_TRUE(w.committed()) << "seed " << seed;
    for (const auto m : w.outcome().lost) {
      ++lost;
      if (!gone || m.value != who) b.run_again(m.value);
    }
    ASSERT_TRUE(b.ledger_.complete()) << "seed " << seed;
    ASSERT_EQ(b.total, every_subtask_once) << "seed " << seed;
  }
  EXPECT_GT(fenced, 20u);
  EXPECT_GT(lost, 500u);
}

}  // namespace
