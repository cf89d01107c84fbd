#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "nccl/group_member.hpp"
#include "nccl/group_reduction.hpp"
#include "support/fake_gpu.hpp"
#include "support/group_inputs.hpp"
#include "support/rendezvous.hpp"
#include "support/steady_environment.hpp"

/// @file
/// Each member on its GPU's thread, as in a process with several GPUs.

namespace {

using namespace std::chrono_literals;
using fastgpu::detail::group_command;
using fastgpu::detail::group_member;
using fastgpu::detail::group_reduction;
using fastgpu::detail::group_report;
using fastgpu::detail::member_id;

template <class T>
class mailbox {
 public:
  void put(T message)
  {
    const std::scoped_lock lock{mutex_};
    messages_.push_back(std::move(message));
  }
  std::deque<T> take()
  {
    const std::scoped_lock lock{mutex_};
    return std::exchange(messages_, {});
  }

 private:
  std::mutex mutex_;
  std::deque<T> messages_;  // guarded by mutex_
};

/// A GPU's thread.
class driver {
 public:
  /// @param dies_after  Looks after which the thread ends as a process would that dies.
  driver(std::uint32_t number, support::rendezvous& meet, const fastgpu::detail::reduction_plan& plan,
         std::uint32_t dies_after)
      : number_{number}, meet_{meet}, plan_{plan}, dies_after_{dies_after}, thread_{[this] { drive(); }}
  {
  }
  ~driver() { thread_.join(); }

  mailbox<group_command> commands;
  mailbox<group_report> reports;
  std::atomic<bool> dead = false;  // stored with release after the last use of the meeting
  std::atomic<bool> stop = false;
  std::atomic<bool> released = false;

 private:
  void drive()
  {
    support::fake_gpu on{{.seed = number_ + 1}};
    support::host_communicators makes{meet_, on};
    const auto input = support::bytes_of(support::marks_of(number_));
    group_member member{{number_}, on, on.create_stream(), makes};
    member.offer(1, plan_, {input.data(), input.size()});
    for (std::uint32_t looks = 0; !stop; ++looks) {
      for (const auto& c : commands.take()) member.receive(c);
      member.poll();
      for (auto& r : member.take_reports()) reports.put(std::move(r));
      released = !member.has_input();
      if (looks == dies_after_) {
        meet_.died({number_});
        dead = true;
        return;
      }
      std::this_thread::sleep_for(20us);
    }
  }

  std::uint32_t number_;
  support::rendezvous& meet_;
  const fastgpu::detail::reduction_plan& plan_;
  std::uint32_t dies_after_;
  std::thread thread_;
};

/// @return  What was committed, with the drivers stopped.
fastgpu::detail::group_outcome reduce(std::uint32_t members, std::uint32_t dies, std::uint32_t dies_after)
{
  const auto plan = support::plan_of_marks();
  support::rendezvous meet;
  support::steady_environment clock;
  std::vector<std::unique_ptr<driver>> drivers;
  fastgpu::detail::membership group;
  for (std::uint32_t m = 0; m < members; ++m) {
    drivers.push_back(std::make_unique<driver>(m, meet, plan, m == dies ? dies_after : ~0u));
    group.members.push_back({m});
  }
  group_reduction machine{clock, plan, 1, group, false};
  const auto post = [&] {
    for (auto& [to, command] : machine.take_commands()) drivers[to.value]->commands.put(std::move(command));
  };
  bool told = false;
  while (!machine.committed()) {
    post();
    for (std::uint32_t m = 0; m < members; ++m) {
      for (auto& r : drivers[m]->reports.take()) machine.receive({m}, std::move(r));
    }
    if (dies < members && drivers[dies]->dead && !std::exchange(told, true)) {
      machine.lost({dies}, {make_error_code(fastgpu::errc::device_lost), "died"});
    }
    machine.tick();
    if (machine.decided() != nullptr) machine.commit();
    std::this_thread::sleep_for(20us);
  }
  post();
  for (const auto m : machine.outcome().contributors) {
    while (!drivers[m.value]->released && !drivers[m.value]->dead) std::this_thread::sleep_for(20us);
  }
  for (const auto& d : drivers) d->stop = true;
  drivers.clear();
  return std::move(machine.outcome());
}

TEST(GroupThreads, ReduceTogether)
{
  const auto outcome = reduce(3, ~0u, 0);
  EXPECT_EQ(support::numbers_in<std::int64_t>(outcome.value), (std::vector<std::int64_t>{0x111, -15}));
  EXPECT_FALSE(outcome.on_host);
}

TEST(GroupThreads, GoOnWithoutWhoDiesAtAnyTime)
{
  for (std::uint32_t looks = 0; looks < 12; ++looks) {
    const auto outcome = reduce(3, 1, looks);
    EXPECT_EQ(outcome.value, support::sum_of_marks(outcome.contributors)) << looks;
    EXPECT_GE(outcome.contributors.size(), 2u) << looks;
  }
}

}  // namespace
