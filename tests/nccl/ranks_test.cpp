#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fastgpu/cuda/devices.hpp>
#include <fastgpu/error.hpp>

#include "cluster/device_list.hpp"
#include "nccl/group_reduction.hpp"
#include "nccl/nccl_library.hpp"
#include "support/group_inputs.hpp"
#include "support/rank_process.hpp"
#include "support/steady_environment.hpp"

/// @file
/// Groups whose ranks are processes. Two and three of them on one GPU, by NCCL, where there is one; and everywhere with
/// fakes of GPUs and no NCCL, by the host.

namespace {

using namespace std::chrono_literals;
using fastgpu::detail::group_limits;
using fastgpu::detail::group_outcome;
using fastgpu::detail::group_reduction;
using fastgpu::detail::member_id;
using support::numbers_in;
using testing::ElementsAre;
using testing::IsEmpty;

using numbers = std::vector<std::int64_t>;
using words = std::vector<std::string>;

/// A group of processes, and its coordinator.
class ranks {
 public:
  ranks(std::uint32_t count, bool gather, const group_limits& limits)
      : plan_{gather ? support::plan_of_gathered_marks() : support::plan_of_marks()}, limits_{limits}, count_{count}
  {
    if (gather) usual_.push_back("--gather");
  }

  ranks& with(const std::string& option)
  {
    usual_.push_back(option);
    return *this;
  }
  ranks& with_environment(const std::string& setting)
  {
    environment_.push_back(setting);
    return *this;
  }
  /// `who` stops at its first `command`, and is killed `later` after that was sent.
  ranks& hold(std::uint32_t who, const std::string& command, std::chrono::milliseconds later)
  {
    held_ = who;
    held_at_ = command == "reduce" ? support::group_command::kind::reduce : support::group_command::kind::send_input;
    hold_ = command;
    killed_after_ = later;
    return *this;
  }

  group_outcome reduce()
  {
    fastgpu::detail::membership group;
    for (std::uint32_t r = 0; r < count_; ++r) {
      auto options = usual_;
      if (r == held_) options.insert(options.end(), {"--hold", hold_});
      processes_.push_back(std::make_unique<support::rank_process>(r, options, environment_));
      group.members.push_back({r});
    }
    group_reduction machine{clock_, plan_, 1, group, false, limits_};
    std::vector<bool> known(count_, true);
    auto kill_at = std::chrono::steady_clock::time_point::max();
    while (!machine.committed()) {
      for (auto& [to, command] : machine.take_commands()) {
        if (to.value == held_ && command.what == held_at_ && kill_at == kill_at.max()) {
          kill_at = std::chrono::steady_clock::now() + killed_after_;
        }
        processes_[to.value]->channel.send(support::packed(command));
      }
      for (std::uint32_t r = 0; r < count_; ++r) {
        auto& channel = processes_[r]->channel;
        for (auto& m : channel.receive(1)) machine.receive({r}, support::report_in(std::move(m)));
        if (!channel.open() && known[r]) {
          known[r] = false;
          machine.lost({r}, {make_error_code(fastgpu::errc::device_lost), "its connection was closed"});
        }
      }
      if (std::chrono::steady_clock::now() >= kill_at && held_ < count_ && !killed_) {
        killed_ = true;
        processes_[held_]->kill();
      }
      machine.tick();
      if (machine.decided() != nullptr) machine.commit();
    }
    for (auto& [to, command] : machine.take_commands()) processes_[to.value]->channel.send(support::packed(command));
    return std::move(machine.outcome());
  }

 private:
  support::steady_environment clock_;
  fastgpu::detail::reduction_plan plan_;
  group_limits limits_;
  std::uint32_t count_;
  words usual_;
  words environment_;
  std::uint32_t held_ = ~0u;
  support::group_command::kind held_at_{};
  std::string hold_;
  std::chrono::milliseconds killed_after_{};
  bool killed_ = false;
  std::vector<std::unique_ptr<support::rank_process>> processes_;
};

std::string all_failures(const group_outcome& o)
{
  std::string text;
  for (const auto& f : o.failures) text += f.detail + "; ";
  return text;
}

/// Long enough for communicators of processes that share a GPU without being asked to.
constexpr group_limits patient{.collective = fastgpu::seconds{40.0}, .abort = fastgpu::seconds{10.0},
                               .host = fastgpu::seconds{10.0}};

class RanksOnOneGpu : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override
  {
    try {
      (void)fastgpu::detail::make_devices("cuda:0");
    } catch (const fastgpu::error& e) {
      GTEST_SKIP() << e.what();
    }
    if (!fastgpu::detail::nccl()) GTEST_SKIP() << fastgpu::detail::nccl().error().detail;
  }
};

TEST_P(RanksOnOneGpu, ReduceByOneCollective)
{
  for (const std::uint32_t count : {2u, 3u}) {
    const auto outcome = ranks{count, GetParam(), patient}.reduce();
    EXPECT_EQ(numbers_in<std::int64_t>(outcome.value), count == 2 ? (numbers{0x11, -10}) : (numbers{0x111, -15}));
    EXPECT_FALSE(outcome.on_host) << all_failures(outcome);
    EXPECT_THAT(outcome.failures, IsEmpty()) << all_failures(outcome);
  }
}

TEST_P(RanksOnOneGpu, GoOnWithoutOneThatIsKilledInACollective)
{
  const auto outcome = ranks{3, GetParam(), patient}.hold(1, "reduce", 5s).reduce();
  EXPECT_EQ(numbers_in<std::int64_t>(outcome.value), (numbers{0x101, -10}));
  EXPECT_THAT(outcome.lost, ElementsAre(member_id{1}));
  EXPECT_FALSE(outcome.on_host) << all_failures(outcome);
  EXPECT_GE(outcome.group.epoch, 2u);
}

TEST_P(RanksOnOneGpu, GoOnWithoutTheRootThatIsKilledInACollective)
{
  const auto outcome = ranks{3, GetParam(), patient}.hold(0, "reduce", 5s).reduce();
  EXPECT_EQ(numbers_in<std::int64_t>(outcome.value), (numbers{0x110, -10}));
  EXPECT_FALSE(outcome.on_host) << all_failures(outcome);
}

TEST_P(RanksOnOneGpu, GoOnWithoutOneThatHangsInACollective)
{
  auto limits = patient;
  limits.collective = fastgpu::seconds{15.0};
  limits.abort = fastgpu::seconds{5.0};
  const auto outcome = ranks{3, GetParam(), limits}.hold(2, "reduce", 10min).reduce();
  EXPECT_EQ(numbers_in<std::int64_t>(outcome.value), (numbers{0x011, -10}));
  EXPECT_THAT(outcome.lost, ElementsAre(member_id{2}));
  EXPECT_FALSE(outcome.on_host) << all_failures(outcome);
}

TEST_P(RanksOnOneGpu, LeaveTheLastOneItsInput)
{
  const auto outcome = ranks{2, GetParam(), patient}.hold(0, "reduce", 5s).reduce();
  EXPECT_EQ(numbers_in<std::int64_t>(outcome.value), (numbers{0x10, -5}));
  EXPECT_TRUE(outcome.on_host);
}

INSTANTIATE_TEST_SUITE_P(Methods, RanksOnOneGpu, testing::Bool(),
                         [](const auto& how) { return how.param ? "Gathered" : "Reduced"; });

ranks without_gpus(std::uint32_t count)
{
  ranks group{count, false, patient};
  group.with("--fake-gpu").with_environment("FASTGPU_NCCL_LIBRARY=/nowhere/libnccl.so.2");
  return group;
}

TEST(RanksWithoutGpus, MergeOnTheHost)
{
  const auto outcome = without_gpus(3).reduce();
  EXPECT_EQ(numbers_in<std::int64_t>(outcome.value), (numbers{0x111, -15}));
  EXPECT_TRUE(outcome.on_host);
  ASSERT_EQ(outcome.failures.size(), 1u);
  EXPECT_THAT(outcome.failures[0].detail, testing::HasSubstr("/nowhere/libnccl.so.2"));
}

bool there_is_a_gpu()
{
  try {
    (void)fastgpu::detail::make_devices("cuda:0");
    return true;
  } catch (const fastgpu::error&) {
    return false;
  }
}

TEST(RanksWithoutGpus, LeaveTheCommunicatorsThatNcclCannotStart)
{
  if (!fastgpu::detail::nccl()) GTEST_SKIP() << fastgpu::detail::nccl().error().detail;
  if (there_is_a_gpu()) GTEST_SKIP() << "there is a GPU";
  const auto outcome = ranks{3, false, patient}.with("--fake-gpu").reduce();  // NCCL itself, with nothing to run on
  EXPECT_EQ(numbers_in<std::int64_t>(outcome.value), (numbers{0x111, -15}));
  EXPECT_TRUE(outcome.on_host);
  EXPECT_THAT(outcome.lost, IsEmpty());
  ASSERT_EQ(outcome.failures.size(), 3u);
  EXPECT_THAT(outcome.failures[0].detail, testing::HasSubstr("of 3, epoch 1"));
  EXPECT_THAT(outcome.failures[2].detail, testing::HasSubstr("of 3, epoch 3"));
}

TEST(RanksWithoutGpus, GoOnWithoutOneThatIsKilled)
{
  const auto outcome = without_gpus(3).hold(1, "send_input", 50ms).reduce();
  EXPECT_EQ(numbers_in<std::int64_t>(outcome.value), (numbers{0x101, -10}));
  EXPECT_THAT(outcome.contributors, ElementsAre(member_id{0}, member_id{2}));
  EXPECT_THAT(outcome.lost, ElementsAre(member_id{1}));
}

}  // namespace
