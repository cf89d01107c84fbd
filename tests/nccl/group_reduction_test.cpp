#include "nccl/group_reduction.hpp"  // first: shows that the header stands alone

#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/group_inputs.hpp"
#include "support/group_world.hpp"

namespace {

using fastgpu::errc;
using fastgpu::seconds;
using support::group_command;
using support::group_reduction;
using support::group_report;
using support::group_world;
using support::intervention;
using support::member_id;
using support::numbers_in;
using support::rank_fault;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using numbers = std::vector<std::int64_t>;

class GroupReduction : public testing::Test {
 protected:
  [[nodiscard]] group_world world_of(std::uint32_t members, std::uint32_t commit_after = 0) const
  {
    return group_world{members, plan, support::marks_of_all(members), 1, commit_after};
  }
  static numbers value_of(group_world& w) { return numbers_in<std::int64_t>(w.outcome().value); }

  support::reduction_plan plan = support::plan_of_marks();
};

TEST_F(GroupReduction, IsTheSumOfAllMembersByOneCollective)
{
  auto two = world_of(2);
  ASSERT_TRUE(two.run());
  EXPECT_EQ(value_of(two), (numbers{0x11, -10}));
  auto three = world_of(3);
  ASSERT_TRUE(three.run());
  EXPECT_EQ(value_of(three), (numbers{0x111, -15}));
  EXPECT_THAT(three.outcome().contributors, ElementsAre(member_id{0}, member_id{1}, member_id{2}));
  EXPECT_THAT(three.outcome().lost, IsEmpty());
  EXPECT_FALSE(three.outcome().on_host);
  EXPECT_EQ(three.meet().meetings(), 1u);
  EXPECT_EQ(three.meet().collectives(), 1u);
}

TEST_F(GroupReduction, OfOneMemberMakesNoCommunicator)
{
  auto w = world_of(1);
  ASSERT_TRUE(w.run());
  EXPECT_EQ(value_of(w), (numbers{0x1, -5}));
  EXPECT_EQ(w.meet().meetings(), 0u);
}

TEST_F(GroupReduction, ReleasesItsInputsAfterTheCommitOnly)
{
  auto w = world_of(2, 1'000'000);
  EXPECT_FALSE(w.run({}, 5'000));
  ASSERT_NE(w.coordinator().decided(), nullptr);
  EXPECT_TRUE(w.member(0).has_input());
  EXPECT_TRUE(w.member(1).has_input());
  w.coordinator().commit();
  w.settle();
  EXPECT_FALSE(w.member(0).has_input());
  EXPECT_FALSE(w.member(1).has_input());
}

TEST_F(GroupReduction, KeepsItsCommunicatorForTheNextOne)
{
  auto w = world_of(3);
  ASSERT_TRUE(w.run());
  w.settle();
  EXPECT_TRUE(w.outcome().connected);
  w.begin_again();
  ASSERT_TRUE(w.run());
  EXPECT_EQ(value_of(w), (numbers{0x111, -15}));
  EXPECT_EQ(w.meet().meetings(), 1u);
  EXPECT_EQ(w.meet().collectives(), 2u);
}

TEST_F(GroupReduction, RebuildsAKeptCommunicatorThatIsGone)
{
  auto w = world_of(2);
  ASSERT_TRUE(w.run());
  w.settle();
  w.meet().plan({1}, w.meet().calls_of({1}), rank_fault::fails);
  w.begin_again();
  ASSERT_TRUE(w.run());
  EXPECT_EQ(value_of(w), (numbers{0x11, -10}));
  EXPECT_EQ(w.meet().meetings(), 2u);
  EXPECT_EQ(w.outcome().group.epoch, 2u);
}

TEST_F(GroupReduction, GoesOnWithTheSurvivorsInANewEpoch)
{
  auto w = world_of(3);
  ASSERT_TRUE(w.run({{30, {intervention::kind::kill, 1}}}));
  EXPECT_EQ(value_of(w), (numbers{0x101, -10}));
  EXPECT_THAT(w.outcome().contributors, ElementsAre(member_id{0}, member_id{2}));
  EXPECT_THAT(w.outcome().lost, ElementsAre(member_id{1}));
  EXPECT_FALSE(w.outcome().on_host);
  EXPECT_GE(w.outcome().group.epoch, 2u);
  EXPECT_THAT(w.outcome().group.members, ElementsAre(member_id{0}, member_id{2}));
}

TEST_F(GroupReduction, GoesOnWithoutItsRoot)
{
  auto w = world_of(3);
  ASSERT_TRUE(w.run({{30, {intervention::kind::kill, 0}}}));
  EXPECT_EQ(value_of(w), (numbers{0x110, -10}));
  EXPECT_FALSE(w.outcome().on_host);
}

TEST_F(GroupReduction, OfALastSurvivorIsItsInput)
{
  auto w = world_of(2);
  ASSERT_TRUE(w.run({{20, {intervention::kind::kill, 0}}}));
  EXPECT_EQ(value_of(w), (numbers{0x10, -5}));
  EXPECT_TRUE(w.outcome().on_host);
}

TEST_F(GroupReduction, HasNoValueWhereNobodyIsLeft)
{
  auto w = world_of(2);
  ASSERT_TRUE(w.run({{20, {intervention::kind::kill, 0}}, {21, {intervention::kind::kill, 1}}}));
  EXPECT_THAT(w.outcome().value, IsEmpty());
  EXPECT_THAT(w.outcome().contributors, IsEmpty());
  EXPECT_THAT(w.outcome().lost, SizeIs(2));
}

TEST_F(GroupReduction, GoesToTheHostAfterTheThirdFailureAndGivesTheSame)
{
  auto w = world_of(3);
  for (std::uint64_t call = 0; call < 1'000; ++call) w.meet().plan({1}, call, rank_fault::fails);
  ASSERT_TRUE(w.run());
  EXPECT_EQ(value_of(w), (numbers{0x111, -15}));
  EXPECT_TRUE(w.outcome().on_host);
  EXPECT_THAT(w.outcome().lost, IsEmpty());
  ASSERT_THAT(w.outcome().failures, SizeIs(3));
  for (const auto& f : w.outcome().failures) EXPECT_THAT(f.detail, HasSubstr("fake: a "));  // cable, connection
  EXPECT_EQ(w.meet().meetings(), 3u);
  EXPECT_EQ(w.meet().collectives(), 0u);
}

TEST_F(GroupReduction, GoesToTheHostAtOnceWhereAMemberHasNoLibrary)
{
  for (const std::uint32_t without : {0u, 1u}) {
    auto w = world_of(2);
    w.take_library_away(without);
    ASSERT_TRUE(w.run());
    EXPECT_EQ(value_of(w), (numbers{0x11, -10}));
    EXPECT_TRUE(w.outcome().on_host);
    ASSERT_THAT(w.outcome().failures, SizeIs(1));
    EXPECT_EQ(w.outcome().failures[0].detail, "fake: no NCCL");
  }
}

TEST_F(GroupReduction, LeavesACollectiveThatHangsAtTheDeadline)
{
  auto w = world_of(3);
  w.meet().plan({1}, 3, rank_fault::hangs);
  ASSERT_TRUE(w.run());
  EXPECT_EQ(value_of(w), (numbers{0x111, -15}));
  EXPECT_FALSE(w.outcome().on_host);
  ASSERT_THAT(w.outcome().failures, SizeIs(1));
  EXPECT_EQ(w.outcome().failures[0].detail, "a collective: past its deadline");
  EXPECT_GE(w.clock().now().count, 10.0);
}

TEST_F(GroupReduction, LosesWhoDoesNotLeaveInTimeAndTellsItWhenItWakes)
{
  auto w = world_of(3);
  ASSERT_TRUE(w.run({{30, {intervention::kind::freeze, 2}}}));
  EXPECT_EQ(value_of(w), (numbers{0x011, -10}));
  EXPECT_THAT(w.outcome().lost, ElementsAre(member_id{2}));
  w.apply({intervention::kind::thaw, 2});
  w.settle();
  EXPECT_TRUE(w.member(2).dismissed());
  EXPECT_FALSE(w.member(2).has_input());
}

TEST_F(GroupReduction, VoidsAValueWhoseContributorIsLostBeforeTheCommit)
{
  auto w = world_of(3, 1'000'000);
  EXPECT_FALSE(w.run({}, 5'000));
  ASSERT_NE(w.coordinator().decided(), nullptr);
  EXPECT_THAT(w.coordinator().decided()->contributors, SizeIs(3));
  w.apply({intervention::kind::notice, 1});
  EXPECT_EQ(w.coordinator().decided(), nullptr);
  EXPECT_FALSE(w.run({}, 5'000));
  ASSERT_NE(w.coordinator().decided(), nullptr);
  EXPECT_EQ(numbers_in<std::int64_t>(w.coordinator().decided()->value), (numbers{0x101, -10}));
  w.coordinator().commit();
  w.settle();
  EXPECT_TRUE(w.member(1).dismissed());
}

TEST_F(GroupReduction, KeepsACommittedValueWhoeverIsLostThen)
{
  auto w = world_of(2);
  ASSERT_TRUE(w.run());
  w.apply({intervention::kind::notice, 1});
  EXPECT_EQ(value_of(w), (numbers{0x11, -10}));
  EXPECT_THAT(w.outcome().lost, IsEmpty());
}

TEST_F(GroupReduction, VoidsAHostsValueWithALostInputToo)
{
  auto w = world_of(2, 1'000'000);
  w.take_library_away(0);
  EXPECT_FALSE(w.run({}, 5'000));
  ASSERT_NE(w.coordinator().decided(), nullptr);
  w.apply({intervention::kind::notice, 0});
  ASSERT_NE(w.coordinator().decided(), nullptr);
  EXPECT_EQ(numbers_in<std::int64_t>(w.coordinator().decided()->value), (numbers{0x10, -5}));
  EXPECT_THAT(w.coordinator().decided()->contributors, ElementsAre(member_id{1}));
}

/// The machine alone, with reports that a test makes up.
class GroupReductionAlone : public GroupReduction {
 protected:
  /// @return  The command that member 0 got last.
  group_command last_to_root()
  {
    group_command last;
    for (const auto& [to, command] : machine.take_commands()) {
      if (to == member_id{0}) last = command;
    }
    return last;
  }
  void begin_collective()
  {
    machine.receive({0}, {group_report::kind::id, last_to_root().stamp});
    stamp = last_to_root().stamp;
  }
  [[nodiscard]] group_report reduced(numbers values = {}) const
  {
    group_report r{group_report::kind::reduced, stamp};
    r.bytes = support::bytes_of(values);
    return r;
  }

  support::virtual_clock clock;
  group_reduction machine{clock, plan, 4, {8, {{0}, {1}}, {}}, false};
  fastgpu::detail::group_stamp stamp;
};

TEST_F(GroupReductionAlone, StartsAnEpochOfItsOwn)
{
  begin_collective();
  EXPECT_EQ(stamp.reduction, 4u);
  EXPECT_EQ(stamp.epoch, 9u);
}

TEST_F(GroupReductionAlone, WaitsForEveryRankToBeDone)
{
  begin_collective();
  machine.receive({0}, reduced({17, -10}));
  machine.receive({0}, reduced({17, -10}));
  EXPECT_EQ(machine.decided(), nullptr);
  machine.receive({1}, reduced());
  ASSERT_NE(machine.decided(), nullptr);
  EXPECT_EQ(machine.decided()->value, support::bytes_of<std::int64_t>({17, -10}));
}

TEST_F(GroupReductionAlone, DropsLateReportsOfAnEarlierEpoch)
{
  begin_collective();
  const auto late = reduced({17, -10});
  machine.receive({1}, {group_report::kind::failed, stamp});
  const auto abort = last_to_root();
  EXPECT_EQ(abort.what, group_command::kind::abort);
  machine.receive({0}, late);  // of the attempt that is being left
  machine.receive({0}, {group_report::kind::aborted, stamp});
  machine.receive({1}, {group_report::kind::aborted, stamp});
  const auto anew = last_to_root();
  EXPECT_EQ(anew.what, group_command::kind::make_id);
  EXPECT_EQ(anew.stamp.epoch, 10u);
  machine.receive({0}, {group_report::kind::id, anew.stamp});
  machine.receive({0}, late);  // of one that is over
  machine.receive({1}, reduced());
  EXPECT_EQ(machine.decided(), nullptr);
}

TEST_F(GroupReductionAlone, DropsReportsOfStrangers)
{
  begin_collective();
  machine.receive({0}, reduced({17, -10}));
  machine.receive({7}, reduced());
  EXPECT_EQ(machine.decided(), nullptr);
}

TEST_F(GroupReductionAlone, DropsWhatItDidNotAskFor)
{
  begin_collective();
  group_report input{group_report::kind::input, stamp};
  input.bytes = support::bytes_of<std::int64_t>({16, -5});
  for (const std::uint32_t m : {0u, 1u}) {
    machine.receive({m}, input);
    machine.receive({m}, {group_report::kind::aborted, stamp});
    machine.receive({m}, {group_report::kind::id, stamp});
  }
  EXPECT_EQ(machine.decided(), nullptr);
  EXPECT_THAT(machine.take_commands(), IsEmpty());
}

TEST_F(GroupReductionAlone, LosesARootWhoseResultHasTheWrongSize)
{
  begin_collective();
  machine.receive({0}, reduced({17}));
  machine.receive({1}, {group_report::kind::aborted, stamp});
  auto send = machine.take_commands().back();
  EXPECT_EQ(send.first, member_id{1});
  EXPECT_EQ(send.second.what, group_command::kind::send_input);
  group_report input{group_report::kind::input, send.second.stamp};
  input.bytes = support::bytes_of<std::int64_t>({16, -5});
  machine.receive({1}, input);
  ASSERT_NE(machine.decided(), nullptr);
  EXPECT_THAT(machine.decided()->lost, ElementsAre(member_id{0}));
  ASSERT_THAT(machine.decided()->failures, SizeIs(1));
  EXPECT_EQ(machine.decided()->failures[0].detail, "a result of the wrong size");
}

TEST_F(GroupReductionAlone, EndsWhereNobodyEverAnswers)
{
  for (int i = 0; i < 10 && machine.decided() == nullptr; ++i) {
    ASSERT_TRUE(machine.next_tick());
    clock.advance_to(machine.next_tick()->count);
    machine.tick();
  }
  ASSERT_NE(machine.decided(), nullptr);
  EXPECT_THAT(machine.decided()->contributors, IsEmpty());
  EXPECT_DOUBLE_EQ(clock.now().count, 12.0);  // for the id, and for the two to leave
}

}  // namespace
