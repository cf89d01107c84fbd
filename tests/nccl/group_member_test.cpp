#include "nccl/group_member.hpp"  // first: shows that the header stands alone

#include <cstdint>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_gpu.hpp"
#include "support/group_inputs.hpp"
#include "support/rendezvous.hpp"

namespace {

using fastgpu::detail::group_command;
using fastgpu::detail::group_member;
using fastgpu::detail::group_report;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using kind = group_command::kind;

class GroupMember : public testing::Test {
 protected:
  GroupMember() { member.offer(3, plan, {input.data(), input.size()}); }

  std::vector<group_report> after(const group_command& command)
  {
    member.receive(command);
    for (int i = 0; i < 200; ++i) member.poll();
    return member.take_reports();
  }

  support::rendezvous meet;
  support::fake_gpu on;
  support::host_communicators makes{meet, on};
  group_member member{{1}, on, on.create_stream(), makes};
  fastgpu::detail::reduction_plan plan = support::plan_of_marks();
  fastgpu::detail::payload input = support::bytes_of<std::int64_t>({16, -5});
};

TEST_F(GroupMember, SendsItsInputToTheHost)
{
  const auto reports = after({kind::send_input, {3, 1}});
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_EQ(reports[0].what, group_report::kind::input);
  EXPECT_EQ(reports[0].bytes, input);
  EXPECT_TRUE(member.has_input());
}

TEST_F(GroupMember, HearsNothingOfEarlierEpochsAndOtherReductions)
{
  EXPECT_THAT(after({kind::abort, {3, 5}}), SizeIs(1));
  EXPECT_THAT(after({kind::send_input, {3, 4}}), IsEmpty());
  EXPECT_THAT(after({kind::release, {3, 4}}), IsEmpty());
  EXPECT_TRUE(member.has_input());
  EXPECT_THAT(after({kind::release, {2, 9}}), IsEmpty());
  EXPECT_THAT(after({kind::release, {4, 9}}), IsEmpty());
  EXPECT_TRUE(member.has_input());
  EXPECT_THAT(after({kind::release, {3, 5}}), IsEmpty());
  EXPECT_FALSE(member.has_input());
}

TEST_F(GroupMember, RefusesAGroupThatItIsNotIn)
{
  const auto reports = after({kind::reduce, {3, 1}, {1, {{0}, {2}}, {}}});
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_EQ(reports[0].what, group_report::kind::failed);
  EXPECT_FALSE(reports[0].for_good);
}

TEST_F(GroupMember, SaysSoWhereItsKeptCommunicatorIsGone)
{
  const auto reports = after({kind::reduce, {3, 1}, {1, {{0}, {1}}, {}}, true});
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_EQ(reports[0].why.detail, "the communicator is gone");
}

TEST_F(GroupMember, SaysForGoodThatThereIsNoLibrary)
{
  makes.take_away();
  const auto reports = after({kind::make_id, {3, 1}});
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_TRUE(reports[0].for_good);
}

TEST_F(GroupMember, ReportsAFaultOfItsGpu)
{
  support::fake_gpu sick{{.lost_after = 1}};
  group_member patient{{1}, sick, sick.create_stream(), makes};
  patient.offer(3, plan, {input.data(), input.size()});
  patient.receive({kind::send_input, {3, 1}});
  std::vector<group_report> reports;
  for (int i = 0; i < 200 && reports.empty(); ++i) {
    patient.poll();
    reports = patient.take_reports();
  }
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_EQ(reports[0].what, group_report::kind::failed);
  EXPECT_THAT(reports[0].why.detail, HasSubstr("illegal address"));
}

TEST_F(GroupMember, TouchesNoBufferThatItsStreamMayStillUse)
{
  support::fake_gpu elsewhere;
  support::host_communicators other{meet, elsewhere};
  const auto stream = on.create_stream();
  group_member one{{1}, on, stream, makes};
  const auto reduce = [&](fastgpu::detail::group_stamp stamp, const fastgpu::detail::membership& group) {
    auto end = other.join(group, {0});
    one.receive({kind::reduce, stamp, group});
    for (int i = 0; i < 200; ++i) one.poll();
    return end;
  };
  auto small = support::plan_of_gathered_marks();
  one.offer(3, small, {input.data(), input.size()});
  const auto first = reduce({3, 1}, {1, {{0}, {1}}, makes.make_id().value()});
  const auto buffers = on.asked().allocations;
  EXPECT_GT(buffers, 0u);
  bool ended = false;
  support::fake_gpu::enqueue_until(stream, [&] { return ended; });
  one.receive({kind::dismiss, {3, 1}});

  auto large = small;
  large.bytes_max = 4096;
  one.offer(4, large, {input.data(), input.size()});
  const auto second = reduce({4, 2}, {2, {{0}, {1}}, makes.make_id().value()});
  EXPECT_EQ(on.asked().allocations, buffers);
  ended = true;
  for (int i = 0; i < 200; ++i) one.poll();
  EXPECT_GT(on.asked().allocations, buffers);
}

TEST_F(GroupMember, IsDismissedWithItsInputUnused)
{
  EXPECT_THAT(after({kind::dismiss, {3, 1}}), IsEmpty());
  EXPECT_TRUE(member.dismissed());
  EXPECT_FALSE(member.has_input());
}

}  // namespace
