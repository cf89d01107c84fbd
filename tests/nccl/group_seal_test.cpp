#include "execute/group_seal.hpp"  // first: shows that the header stands alone

#include <cstddef>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "nccl/group_registry.hpp"
#include "support/virtual_clock.hpp"

namespace {

using fastgpu::device_id;
using fastgpu::interval;
using fastgpu::seconds;
using fastgpu::detail::group_command;
using fastgpu::detail::group_limits;
using fastgpu::detail::group_registry;
using fastgpu::detail::group_report;
using fastgpu::detail::group_seal;
using fastgpu::detail::interval_set;
using fastgpu::detail::member_id;
using fastgpu::detail::reduction_plan;
using support::virtual_clock;
using stage = group_seal::stage;

reduction_plan sum_of_four()
{
  reduction_plan plan;
  plan.count = 4;
  return plan;
}

/// Of a run of three GPUs, each of which holds ten subtasks.
struct gathering {
  virtual_clock clock;
  group_registry groups;
  group_seal group;

  explicit gathering(const group_limits& limits = group_seal::in_process)
      : group{clock, groups, groups.take().value(), sum_of_four(), seconds{1.0}, limits}
  {
    for (const std::uint32_t d : {2u, 0u, 1u}) {
      group.arrive({{device_id{d}, 0, 10}, interval_set{interval{10 * d, 10 * d + 10}}});
    }
  }

  /// Each member's next command.
  group_command::kind told(std::uint32_t device)
  {
    const auto commands = group.take_commands({device});
    EXPECT_EQ(commands.size(), 1) << device;
    if (commands.empty()) return group_command::kind::dismiss;
    stamp = commands[0].stamp;
    return commands[0].what;
  }
  void reports(std::uint32_t device, group_report::kind what, std::size_t bytes = 0)
  {
    group_report r;
    r.what = what;
    r.stamp = stamp;
    r.bytes.resize(bytes);
    group.receive({device}, {r});
  }
  void reduce()
  {
    group.start();
    EXPECT_EQ(told(0), group_command::kind::make_id);
    reports(0, group_report::kind::id);
    for (std::uint32_t d = 0; d < 3; ++d) EXPECT_EQ(told(d), group_command::kind::reduce);
  }
  fastgpu::detail::group_stamp stamp;
};

TEST(GroupRegistry, ServesOneRunOfTheProcess)
{
  group_registry one;
  group_registry other;
  EXPECT_EQ(one.take(), 1);
  EXPECT_EQ(one.take(), std::nullopt);
  EXPECT_EQ(other.take(), std::nullopt);
  one.give_back_unused();
  EXPECT_EQ(other.take(), 1);
  other.give_back_unused();
  EXPECT_EQ(one.take(), 2);
  one.give_back_unused();
}

TEST(GroupRegistry, KeepsTheCommunicatorOfTheSameMembers)
{
  group_registry groups;
  const std::vector<member_id> both{{0}, {1}};
  ASSERT_TRUE(groups.take());
  EXPECT_FALSE(groups.group_of(both).second);
  groups.give_back({7, both, {}}, true);
  ASSERT_TRUE(groups.take());
  EXPECT_TRUE(groups.group_of(both).second);
  EXPECT_EQ(groups.group_of(both).first.epoch, 7);
  const auto [others, connected] = groups.group_of({{0}, {2}});
  EXPECT_FALSE(connected);
  EXPECT_EQ(others.epoch, 7);
  groups.give_back_broken(9, false);
  ASSERT_TRUE(groups.take());
  EXPECT_FALSE(groups.group_of(both).second);
  EXPECT_EQ(groups.group_of(both).first.epoch, 9);
  groups.give_back_unused();
}

TEST(GroupRegistry, IsAskedForEverMoreRarelyWhereNothingComesOfIt)
{
  group_registry groups;
  for (const int passed_over : {2, 4, 8, 16}) {
    ASSERT_TRUE(groups.take());
    groups.give_back_broken(1, true);
    for (int i = 0; i < passed_over; ++i) EXPECT_EQ(groups.take(), std::nullopt) << passed_over;
  }
  ASSERT_TRUE(groups.take());
  groups.give_back({1, {{0}, {1}}, {}}, true);  // it works again
  EXPECT_TRUE(groups.take());
  groups.give_back_unused();
}

TEST(GroupSeal, CommitsWhatAllHaveReduced)
{
  gathering g;
  EXPECT_EQ(g.group.held(), 30);
  g.reduce();
  for (std::uint32_t d = 0; d < 3; ++d) {
    EXPECT_EQ(g.group.decided(), nullptr);
    g.reports(d, group_report::kind::reduced, d == 0 ? 32 : 0);
  }
  ASSERT_NE(g.group.decided(), nullptr);
  const auto seals = g.group.seals();
  ASSERT_EQ(seals.size(), 3);
  for (std::uint32_t d = 0; d < 3; ++d) {
    EXPECT_EQ(seals[d].what.device, device_id{d});
    EXPECT_EQ(*seals[d].fold_set, (interval_set{interval{10 * d, 10 * d + 10}}));
  }
  g.group.commit();
  EXPECT_EQ(g.group.now_at(), stage::committed);
  for (std::uint32_t d = 0; d < 3; ++d) EXPECT_EQ(g.told(d), group_command::kind::release);
  ASSERT_TRUE(g.groups.take());
  EXPECT_TRUE(g.groups.group_of({{0}, {1}, {2}}).second);
  g.groups.give_back_unused();
}

TEST(GroupSeal, WaitsNoLongerThanItsBound)
{
  gathering g;
  EXPECT_FALSE(g.group.waited_long());
  g.clock.advance_to(g.clock.now().count + 1.1);
  EXPECT_TRUE(g.group.waited_long());
  g.group.dissolve();
  EXPECT_TRUE(g.group.never_began());
  EXPECT_TRUE(g.groups.take());
  g.groups.give_back_unused();
}

TEST(GroupSeal, ReducesAgainWithoutWhoIsLost)
{
  gathering g;
  g.reduce();
  for (std::uint32_t d = 0; d < 3; ++d) g.reports(d, group_report::kind::reduced, d == 0 ? 32 : 0);
  ASSERT_NE(g.group.decided(), nullptr);
  g.group.lost({1});  // the ledger does not take what it folded
  EXPECT_EQ(g.group.decided(), nullptr);
  EXPECT_EQ(g.told(1), group_command::kind::dismiss);
  for (const std::uint32_t d : {0u, 2u}) {
    EXPECT_EQ(g.told(d), group_command::kind::abort);
    g.reports(d, group_report::kind::aborted);
  }
  EXPECT_EQ(g.told(0), group_command::kind::make_id);
  g.reports(0, group_report::kind::id);
  for (const std::uint32_t d : {0u, 2u}) EXPECT_EQ(g.told(d), group_command::kind::reduce);
  for (const std::uint32_t d : {0u, 2u}) g.reports(d, group_report::kind::reduced, d == 0 ? 32 : 0);
  ASSERT_NE(g.group.decided(), nullptr);
  EXPECT_EQ(g.group.seals().size(), 2);
  EXPECT_EQ(g.group.decided()->lost, std::vector<member_id>{{1}});
  g.group.commit();
}

TEST(GroupSeal, DissolvesWhereNoCollectiveComesAbout)
{
  gathering g;
  g.group.start();
  EXPECT_EQ(g.told(0), group_command::kind::make_id);
  group_report r;
  r.stamp = g.stamp;
  r.for_good = true;
  r.why.detail = "no NCCL";
  g.group.receive({0}, {r});
  for (std::uint32_t d = 0; d < 3; ++d) {  // those who are in it leave first
    EXPECT_EQ(g.told(d), group_command::kind::abort);
    g.reports(d, group_report::kind::aborted);
  }
  EXPECT_EQ(g.group.now_at(), stage::dissolved);
  EXPECT_FALSE(g.group.never_began());
  ASSERT_EQ(g.group.failures().size(), 1);
  EXPECT_EQ(g.group.failures()[0].detail, "no NCCL");
  for (std::uint32_t d = 0; d < 3; ++d) EXPECT_TRUE(g.group.take_commands({d}).empty());
  EXPECT_EQ(g.groups.take(), std::nullopt);  // not at once again
}

TEST(GroupSeal, DissolvesWhereWhoHangsLeavesOneAlone)
{
  gathering g{{.collective = seconds{5.0}, .abort = seconds{1.0}}};
  g.reduce();
  g.clock.advance_to(g.clock.now().count + 6);
  g.group.tick();
  for (std::uint32_t d = 0; d < 3; ++d) EXPECT_EQ(g.told(d), group_command::kind::abort);
  g.reports(1, group_report::kind::aborted);
  g.clock.advance_to(g.clock.now().count + 2);
  g.group.tick();
  EXPECT_EQ(g.group.now_at(), stage::dissolved);
}

}  // namespace
