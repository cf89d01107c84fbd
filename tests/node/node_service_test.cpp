#include "node/node_service.hpp"  // first: shows that the header stands alone

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "support/virtual_clock.hpp"

namespace {

using fastgpu::failure;
using fastgpu::interval;
using fastgpu::detail::executor_state;
using fastgpu::detail::grant_ranges;
using fastgpu::detail::interval_set;
using fastgpu::detail::message;
using fastgpu::detail::open_job;
using fastgpu::detail::payload;

/// Keeps what it is granted, and never begins with it.
class idle_executor final : public fastgpu::detail::job_executor {
 public:
  std::optional<failure> store(const fastgpu::detail::job_data_piece&, payload&&) override { return std::nullopt; }
  bool may_run(interval) const override { return true; }
  void grant(std::span<const interval> ranges) override
  {
    for (const auto& range : ranges) granted_.insert(range);
  }
  void stage(interval) override {}
  interval_set take_back(std::uint64_t) override { return std::exchange(granted_, {}); }
  void revoke(const interval_set&) override {}
  fastgpu::detail::sealed_payload take_sealed() override
  {
    fastgpu::detail::sealed_payload all;
    std::swap(all.fold_set, folded);
    all.counter = all.fold_set.count();
    return all;
  }
  executor_state state() const override
  {
    return {.held = granted_.count(), .unstarted = granted_.count(), .sealed = !folded.empty(), .work = {}};
  }
  failure why() const override { return {}; }

  [[nodiscard]] const interval_set& granted() const { return granted_; }

  interval_set folded;  // though it was never run

 private:
  interval_set granted_;
};

class NodeService : public testing::Test, public fastgpu::detail::node_host {
 protected:
  NodeService() : service_{world_, *this}
  {
    open_job opens;
    opens.job = 1;
    hear(opens);
  }

  void hear(message what) { service_.received(std::move(what), {}); }

  void send(message what, std::shared_ptr<const payload>) override { sent_.push_back(std::move(what)); }
  void breach(const failure& why) override { breaches_.push_back(why.detail); }
  fastgpu::detail::opened_job open(const open_job&, fastgpu::detail::executor_owner&) override
  {
    fastgpu::detail::opened_job opened;
    auto made = std::make_unique<idle_executor>();
    executor_ = made.get();
    opened.executor = std::move(made);
    opened.data_bytes = 10;
    return opened;
  }
  std::vector<fastgpu::device_info> devices() const override { return {}; }
  void drain_asked() override {}
  void drained() override { ++drained_; }

  support::virtual_clock world_;
  std::vector<message> sent_;
  std::vector<std::string> breaches_;
  int drained_ = 0;
  idle_executor* executor_ = nullptr;
  fastgpu::detail::node_service service_;
};

TEST_F(NodeService, TakesAGrantOfWhatItBacksUp)
{
  hear(grant_ranges{.job = 1, .staged = true, .ranges = {{0, 4}}});
  hear(grant_ranges{.job = 1, .ranges = {{0, 10}}});  // its primary is lost
  EXPECT_EQ(breaches_, (std::vector<std::string>{}));
}

TEST_F(NodeService, RunsWhatItBacksUpOnlyAfterTheBackup)
{
  hear(grant_ranges{.job = 1, .staged = true, .ranges = {{4, 8}}});
  hear(grant_ranges{.job = 1, .ranges = {{0, 10}}});
  EXPECT_EQ(executor_->granted().intervals(), (std::vector<interval>{{0, 4}, {8, 10}}));  // both write the same memory
  service_.backup_done(1, {4, 8}, std::make_shared<const payload>());
  EXPECT_EQ(executor_->granted().intervals(), (std::vector<interval>{{0, 10}}));
}

TEST_F(NodeService, RefusesAGrantOfWhatItHas)
{
  hear(grant_ranges{.job = 1, .ranges = {{0, 10}}});
  hear(grant_ranges{.job = 1, .ranges = {{9, 11}}});
  EXPECT_EQ(breaches_.size(), 1u);
}

TEST_F(NodeService, SealsOnceAllThatWaitedForDataIsGivenBack)
{
  hear(grant_ranges{.job = 1, .ranges = {{0, 10}}});
  hear(grant_ranges{.job = 1, .pieces = 1, .ranges = {{10, 20}}});
  executor_->folded.insert(interval{0, 10});
  (void)executor_->take_back(10);
  const auto seals = [&] {
    return std::count_if(sent_.begin(), sent_.end(), [](const message& m) {
      return std::holds_alternative<fastgpu::detail::job_sealed>(m);
    });
  };
  service_.look(1);
  EXPECT_EQ(seals(), 0) << "more is to come";
  hear(fastgpu::detail::take_back{.job = 1, .request = 1, .subtasks = 10});
  EXPECT_EQ(seals(), 1);
}

TEST_F(NodeService, IsDrainedOnceItHasGivenBackWhatWaitedBehindABackup)
{
  hear(grant_ranges{.job = 1, .pieces = 1, .ranges = {{0, 10}}});
  hear(grant_ranges{.job = 1, .staged = true, .pieces = 1, .ranges = {{20, 24}}});
  service_.drain();
  EXPECT_EQ(drained_, 0);
  hear(fastgpu::detail::job_data_piece{.job = 1});
  EXPECT_EQ(drained_, 1);
}

TEST_F(NodeService, RefusesAJobTooMany)
{
  const auto opens = [&](std::uint32_t number) {
    open_job one;
    one.job = number;
    hear(one);
    return std::holds_alternative<fastgpu::detail::job_opened>(sent_.back());
  };
  for (std::uint32_t i = 2; i <= 1024; ++i) ASSERT_TRUE(opens(i)) << i;
  EXPECT_EQ(service_.data_bytes(), 10'240u);
  EXPECT_FALSE(opens(1025));
  const auto& no = std::get<fastgpu::detail::job_refused>(sent_.back());
  EXPECT_EQ(no.job, 1025u);
  EXPECT_EQ(no.why.code, fastgpu::errc::refused);
  hear(fastgpu::detail::close_job{7});
  EXPECT_TRUE(opens(1026));
  EXPECT_EQ(breaches_, (std::vector<std::string>{}));
}

/// Values are large, and a coordinator that takes none may ask for ever more of them.
TEST_F(NodeService, SendsFewSealsThatNobodyAcknowledges)
{
  hear(grant_ranges{.job = 1, .ranges = {{0, 10}}});
  sent_.clear();
  for (std::uint64_t request = 1; request <= 20; ++request) hear(fastgpu::detail::seal_job{1, request, {}});
  ASSERT_EQ(sent_.size(), 8u);
  EXPECT_EQ(std::get<fastgpu::detail::job_sealed>(sent_.back()).answers, 8u);
  hear(fastgpu::detail::acknowledge_seal{1, 1});
  ASSERT_EQ(sent_.size(), 9u);
  EXPECT_EQ(std::get<fastgpu::detail::job_sealed>(sent_.back()).answers, 20u);  // one for all that have waited
  hear(fastgpu::detail::acknowledge_seal{1, 9});
  EXPECT_EQ(sent_.size(), 9u);
  EXPECT_EQ(breaches_, (std::vector<std::string>{}));
}

}  // namespace
