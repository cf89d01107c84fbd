#include <cstdint>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/group_inputs.hpp"
#include "support/group_world.hpp"

/// @file
/// Faults at every step. Whatever happens there is an end, and the value is that of its contributors: each in it once,
/// none that was lost, nobody forgotten.

namespace {

using support::group_world;
using support::intervention;
using support::rank_fault;
using kind = intervention::kind;
using schedule = std::map<std::size_t, intervention>;

const support::reduction_plan plan = support::plan_of_marks();
const support::reduction_plan gathering = support::plan_of_gathered_marks();

std::uint64_t count_from(const char* name, std::uint64_t usual)
{
  const auto* wanted = std::getenv(name);
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : usual;
}

std::string told(const schedule& at)
{
  std::string text;
  for (const auto& [step, what] : at) text += told(what) + " at step " + std::to_string(step) + "; ";
  return text;
}

/// @return  What went wrong; empty where all is well.
std::string broken_by(group_world& w, bool ended)
{
  if (!ended) return "no end";
  w.settle();
  return w.broken_law(support::sum_of_marks(w.outcome().contributors));
}

std::size_t steps_without_faults(std::uint32_t members, std::uint32_t commit_after,
                                 const support::reduction_plan& how = plan)
{
  group_world w{members, how, support::marks_of_all(members), 1, commit_after};
  EXPECT_TRUE(w.run());
  return w.steps();
}

std::vector<intervention> all_interventions(std::uint32_t members)
{
  std::vector<intervention> all{{kind::leap, 0}};
  for (std::uint32_t m = 0; m < members; ++m) {
    for (const auto what : {kind::kill, kind::notice, kind::freeze}) all.push_back({what, m});
  }
  return all;
}

void expect_well(std::uint32_t members, std::uint32_t commit_after, const schedule& at,
                 const support::reduction_plan& how = plan)
{
  group_world w{members, how, support::marks_of_all(members), 1, commit_after};
  const auto broken = broken_by(w, w.run(at));
  if (!broken.empty()) ADD_FAILURE() << broken << ": " << members << " members, " << told(at);
}

TEST(GroupInterleavings, SurviveOneFaultAtEveryStep)
{
  for (const std::uint32_t members : {2u, 3u}) {
    for (const std::uint32_t commit_after : {0u, 5u}) {
      for (const auto* how : {&plan, &gathering}) {
        const auto steps = steps_without_faults(members, commit_after, *how);
        ASSERT_GT(steps, 40u);
        for (std::size_t s = 0; s < steps; ++s) {
          for (const auto& what : all_interventions(members)) expect_well(members, commit_after, {{s, what}}, *how);
        }
      }
    }
  }
}

TEST(GroupInterleavings, SurviveAFreezeOfAnyLengthAtEveryStep)
{
  for (const std::uint32_t members : {2u, 3u}) {
    const auto steps = steps_without_faults(members, 0);
    for (std::size_t s = 0; s < steps; ++s) {
      for (std::uint32_t m = 0; m < members; ++m) {
        for (const std::size_t length : {1u, 10u, 100u, 400u, 1000u, 3000u}) {
          expect_well(members, 0, {{s, {kind::freeze, m}}, {s + length, {kind::thaw, m}}});
        }
      }
    }
  }
}

TEST(GroupInterleavings, SurviveTwoFaultsAtAnyTwoSteps)
{
  for (const std::uint32_t members : {2u, 3u}) {
    const auto steps = steps_without_faults(members, 3) + 60;  // into the second attempt
    const auto all = all_interventions(members);
    const auto stride = count_from("FASTGPU_GROUP_STRIDE", 5);
    for (std::size_t s = 0; s < steps; s += stride) {
      for (std::size_t t = s + 1; t < steps; t += stride) {
        for (const auto& first : all) {
          for (const auto& second : all) expect_well(members, 3, {{s, first}, {t, second}});
        }
      }
    }
  }
}

TEST(GroupInterleavings, SurviveAFaultOfACommunicatorAtEveryCall)
{
  for (const std::uint32_t members : {2u, 3u}) {
    for (std::uint32_t m = 0; m < members; ++m) {
      for (const auto fault : {rank_fault::fails, rank_fault::hangs}) {
        for (std::uint64_t call = 0; call < 12; ++call) {
          group_world w{members, plan, support::marks_of_all(members)};
          w.meet().plan({m}, call, fault);
          const auto broken = broken_by(w, w.run());
          EXPECT_EQ(broken, "") << members << " members, member " << m << ", call " << call;
          EXPECT_EQ(w.outcome().contributors.size(), members);  // nobody was hurt
          EXPECT_FALSE(w.outcome().on_host);                    // it was one fault
        }
      }
    }
  }
}

TEST(GroupInterleavings, SurviveAnythingInAnyOrder)
{
  const auto seeds = count_from("FASTGPU_GROUP_SEEDS", 2'000);
  std::uint64_t by_collective = 0;
  std::uint64_t by_host = 0;
  std::uint64_t rebuilt = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    std::mt19937_64 random{seed};
    const auto members = 2 + static_cast<std::uint32_t>(random() % 3);
    group_world w{members, random() % 2 == 0 ? plan : gathering, support::marks_of_all(members), seed,
                  static_cast<std::uint32_t>(random() % 8)};
    for (auto faults = random() % 4; faults > 0; --faults) {
      w.meet().plan({static_cast<std::uint32_t>(random() % members)}, random() % 40,
                    random() % 2 == 0 ? rank_fault::fails : rank_fault::hangs);
    }
    std::vector<intervention> faults;
    for (auto count = random() % 5; count > 0; --count) {
      faults.push_back({static_cast<kind>(random() % 5), static_cast<std::uint32_t>(random() % members)});
    }
    const auto broken = broken_by(w, w.run_at_random(random, faults));
    ASSERT_EQ(broken, "") << "seed " << seed;
    if (!w.outcome().contributors.empty()) ++(w.outcome().on_host ? by_host : by_collective);
    if (!w.outcome().on_host && w.outcome().group.epoch > 1) ++rebuilt;
  }
  EXPECT_GT(by_collective, seeds / 10);
  EXPECT_GT(by_host, seeds / 50);
  EXPECT_GT(rebuilt, seeds / 50);
}

}  // namespace
