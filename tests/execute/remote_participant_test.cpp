#include "execute/remote_participant.hpp"  // first: shows that the header stands alone

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "support/virtual_clock.hpp"

namespace {

using fastgpu::failure;
using fastgpu::interval;
using fastgpu::detail::arrived_values;
using fastgpu::detail::interval_set;
using fastgpu::detail::job_opened;
using fastgpu::detail::message;
using fastgpu::detail::open_job;
using fastgpu::detail::partial_lost;
using fastgpu::detail::payload;

struct no_values final : arrived_values {};

message opened_as(fastgpu::detail::job_number job, double speed = 0)
{
  job_opened m;
  m.job = job;
  m.subtasks_per_second = speed;
  return m;
}
message lost_as(fastgpu::detail::job_number job)
{
  partial_lost m;
  m.job = job;
  return m;
}

class RemoteParticipant : public testing::Test,
                          public fastgpu::detail::coordinator_owner,
                          public fastgpu::detail::remote_host {
 protected:
  RemoteParticipant() : boss_{world_, *this, 100, {}}, node_{world_, boss_, boss_.add(), *this, {}} {}

  void hear(message what)
  {
    payload none;
    (void)node_.received(what, none);
  }
  [[nodiscard]] std::size_t opened() const
  {
    std::size_t n = 0;
    for (const auto& m : sent_) n += std::holds_alternative<open_job>(m);
    return n;
  }

  // coordinator_owner
  void commit(arrived_values&, const interval_set&) override {}
  void distrust(fastgpu::device_id, const failure&) override {}
  void decided(const std::optional<failure>&) override {}
  // remote_host
  void send(message what, std::shared_ptr<const payload>) override { sent_.push_back(std::move(what)); }
  std::uint64_t queued_bytes() const override { return 0; }
  fastgpu::detail::job_number next_job() override { return ++jobs_; }
  open_job describe() override { return {}; }
  fastgpu::detail::packed_piece broadcast(std::uint32_t) override { return {}; }
  std::vector<fastgpu::detail::packed_piece> pieces(interval) override { return {}; }
  fastgpu::result<std::unique_ptr<arrived_values>> unpack(const interval_set&, payload&&) override
  {
    return std::unique_ptr<arrived_values>{std::make_unique<no_values>()};
  }
  void cut(const failure& why) override { cuts_.push_back(why.detail); }

  support::virtual_clock world_;
  std::vector<message> sent_;
  std::vector<std::string> cuts_;
  std::uint32_t jobs_ = 0;
  fastgpu::detail::coordinator boss_;
  fastgpu::detail::remote_participant node_;
};

TEST_F(RemoteParticipant, JoinsOnceTheNodeHasOpenedTheJob)
{
  node_.session_opened(1e-3, 1e9);
  ASSERT_EQ(opened(), 1u);
  EXPECT_FALSE(boss_.joined({0}));
  hear(opened_as(1));
  EXPECT_TRUE(boss_.joined({0}));
}

TEST_F(RemoteParticipant, DoesNotHearAnOlderJobNumber)
{
  node_.session_opened(1e-3, 1e9);
  hear(opened_as(1));
  hear(lost_as(1));
  EXPECT_FALSE(boss_.joined({0}));
  world_.pass(1);
  node_.tick();
  ASSERT_EQ(opened(), 2u);
  hear(opened_as(1));  // late
  EXPECT_FALSE(boss_.joined({0}));
  EXPECT_EQ(boss_.count().fenced, 1u);
  hear(opened_as(2));
  EXPECT_TRUE(boss_.joined({0}));
}

TEST_F(RemoteParticipant, CutsOffANodeThatRefusesWhatItHasOpened)
{
  node_.session_opened(1e-3, 1e9);
  hear(opened_as(1));
  fastgpu::detail::job_refused refusal;
  refusal.job = 1;
  hear(refusal);
  EXPECT_EQ(cuts_.size(), 1u);
  node_.session_closed({});
  EXPECT_FALSE(boss_.joined({0}));
  node_.session_opened(1e-3, 1e9);
  hear(opened_as(2));
  EXPECT_TRUE(boss_.joined({0}));
}

TEST_F(RemoteParticipant, IsOverForGoodOnceItIsClosed)
{
  node_.session_opened(1e-3, 1e9);
  hear(opened_as(1));
  node_.close();
  node_.session_closed({});
  node_.session_opened(1e-3, 1e9);
  EXPECT_EQ(opened(), 1u);
}

TEST_F(RemoteParticipant, CutsOffANodeWhoseSpeedIsNoNumber)
{
  node_.session_opened(1e-3, 1e9);
  hear(opened_as(1, NAN));
  EXPECT_EQ(cuts_, (std::vector<std::string>{"its speed is no number"}));
  EXPECT_FALSE(boss_.joined({0}));
}

}  // namespace
