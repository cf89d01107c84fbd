#include "support/rendezvous.hpp"  // first: shows that the header stands alone

#include <cstdint>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace {

using fastgpu::detail::collective_status;
using fastgpu::detail::communicator;
using fastgpu::detail::communicator_status;
using fastgpu::detail::membership;
using support::rank_fault;

/// Two ranks, each with a GPU, where the fakes stand for NCCL.
class Rendezvous : public testing::Test {
 protected:
  struct rank {
    explicit rank(support::rendezvous& where) : makes{where, on} {}
    support::fake_gpu on;
    support::host_communicators makes;
    fastgpu::detail::gpu_stream stream = on.create_stream();
    std::unique_ptr<communicator> end;
    std::int64_t in = 0;
    std::int64_t out = 0;
  };

  Rendezvous()
  {
    group.id = ranks[0].makes.make_id().value();
    ranks[0].in = 3;
    ranks[1].in = 4;
  }
  void join(std::uint32_t r)
  {
    auto made = ranks[r].makes.join(group, {r});
    ASSERT_TRUE(made);
    ranks[r].end = std::move(made).value();
  }
  void reduce(std::uint32_t r)
  {
    ranks[r].end->reduce({.from = &ranks[r].in, .to = &ranks[r].out, .count = 1}, ranks[r].stream);
  }
  collective_status poll_often(std::uint32_t r)
  {
    for (int i = 0; i < 50; ++i) {
      if (const auto s = ranks[r].end->poll(); s != collective_status::under_way) return s;
    }
    return collective_status::under_way;
  }

  support::rendezvous meet;
  rank ranks[2] = {rank{meet}, rank{meet}};
  membership group{1, {{0}, {1}}, {}};
};

TEST_F(Rendezvous, IsReadyWhenAllHaveJoined)
{
  join(0);
  EXPECT_EQ(ranks[0].end->status(), communicator_status::starting);
  join(1);
  EXPECT_EQ(ranks[0].end->status(), communicator_status::ready);
  EXPECT_EQ(ranks[1].end->status(), communicator_status::ready);
}

TEST_F(Rendezvous, GivesTheRootTheSumWhenAllHaveCome)
{
  join(0);
  join(1);
  reduce(0);
  EXPECT_EQ(poll_often(0), collective_status::under_way);
  EXPECT_NE(ranks[0].out, 3);  // a result that is looked at too early is no partial sum
  reduce(1);
  EXPECT_EQ(poll_often(1), collective_status::done);
  EXPECT_EQ(poll_often(0), collective_status::done);
  EXPECT_EQ(ranks[0].out, 7);
  EXPECT_EQ(ranks[1].out, 0);
  EXPECT_EQ(ranks[1].in, 4);
}

TEST_F(Rendezvous, GathersInTheOrderOfRanks)
{
  join(0);
  join(1);
  std::int64_t all[2][2] = {};
  for (const auto r : {1u, 0u}) ranks[r].end->all_gather(&ranks[r].in, all[r], 8, ranks[r].stream);
  EXPECT_EQ(poll_often(1), collective_status::under_way);  // the other stream has not run yet
  EXPECT_EQ(poll_often(0), collective_status::done);
  EXPECT_EQ(poll_often(1), collective_status::done);
  for (const auto& here : all) {
    EXPECT_EQ(here[0], 3);
    EXPECT_EQ(here[1], 4);
  }
}

TEST_F(Rendezvous, FailsForTheOthersWhereOneDies)
{
  join(0);
  join(1);
  reduce(0);
  meet.died({1});
  EXPECT_EQ(poll_often(0), collective_status::failed);
  EXPECT_NE(ranks[0].out, 3);
}

TEST_F(Rendezvous, FailsForTheOthersWhereOneAborts)
{
  join(0);
  join(1);
  reduce(0);
  ranks[1].end->abort();
  EXPECT_EQ(poll_often(0), collective_status::failed);
}

TEST_F(Rendezvous, WaitsForEverWhereOneHangs)
{
  meet.plan({1}, 1, rank_fault::hangs);  // its first call after it joined
  join(0);
  join(1);
  reduce(0);
  reduce(1);
  EXPECT_EQ(poll_often(0), collective_status::under_way);
  EXPECT_EQ(poll_often(1), collective_status::under_way);
}

TEST_F(Rendezvous, FailsInTheMiddleOfTheStart)
{
  meet.plan({1}, 0, rank_fault::fails);
  join(0);
  join(1);
  EXPECT_EQ(ranks[0].end->status(), communicator_status::failed);
  EXPECT_EQ(ranks[1].end->status(), communicator_status::failed);
}

}  // namespace
