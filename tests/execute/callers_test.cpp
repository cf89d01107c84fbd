#include <gtest/gtest.h>

#include <atomic>
#include <cfenv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <span>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/device_cluster.hpp"
#include "support/failure_of.hpp"
#include "support/host_like_device.hpp"

/// @file
/// Threads that wait for a run and work on it meanwhile.

namespace {

using namespace std::chrono_literals;

/// The threads that a kernel ran on.
class threads_seen {
 public:
  void note()
  {
    const std::scoped_lock lock{mutex_};
    seen_.insert(std::this_thread::get_id());
  }
  [[nodiscard]] std::size_t count() const { return seen_.size(); }
  [[nodiscard]] bool has(std::thread::id id) const { return seen_.count(id) != 0; }

 private:
  std::mutex mutex_;
  std::set<std::thread::id> seen_;
};

/// A subtask an index, each noted.
void note_all(fastgpu::cluster& cluster, std::int64_t n, threads_seen& seen)
{
  fastgpu::for_each(cluster, fastgpu::space(n, fastgpu::by_size{1}), [&](std::uint64_t) { seen.note(); });
}

/// Not in every run: a cluster's own thread may just be looking for work when the caller comes.
TEST(Callers, DoAllTheWorkOfAClusterOfOneThread)
{
  fastgpu::cluster cluster{"host:1"};
  int alone = 0;
  for (int repeat = 0; repeat < 50; ++repeat) {
    threads_seen seen;
    note_all(cluster, 100, seen);
    if (seen.count() == 1 && seen.has(std::this_thread::get_id())) ++alone;
  }
  EXPECT_GE(alone, 1);
}

TEST(Callers, AndWorkersAreNeverMoreThanTheDeviceHas)
{
  fastgpu::cluster cluster{"host:2"};
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  const auto job = fastgpu::make_job(fastgpu::space(50, fastgpu::by_size{1}), [&](std::uint64_t) {
    const auto now = ++inside;
    auto seen = most.load();
    while (now > seen && !most.compare_exchange_weak(seen, now)) {
    }
    std::this_thread::yield();
    --inside;
  });
  for (int repeat = 0; repeat < 300; ++repeat) {
    auto run = fastgpu::execute(cluster, job);
    if (repeat % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds{repeat});
    EXPECT_TRUE(run.wait());
  }
  EXPECT_LE(most, 2);
}

TEST(Callers, DoNotWorkWhereTheUserDoesNotWantIt)
{
  fastgpu::cluster_options off;
  off.devices = "host:1";
  off.callers_work = false;
  fastgpu::cluster_options hooked;  // what the hook does for each thread, the caller's lacks
  hooked.devices = "host:1";
  hooked.thread_start = [](void*, fastgpu::device_id, std::uint32_t) {};
  for (const auto& options : {off, hooked}) {
    fastgpu::cluster cluster{options};
    threads_seen seen;
    note_all(cluster, 100, seen);
    EXPECT_EQ(seen.count(), 1u);
    EXPECT_FALSE(seen.has(std::this_thread::get_id()));
  }
}

TEST(Callers, AreNotLetToADeviceOfOneThread)
{
  std::vector<std::unique_ptr<fastgpu::detail::device>> devices;
  devices.push_back(std::make_unique<support::host_like_device>(fastgpu::device_info{}, true));
  const auto cluster = support::cluster_of(std::move(devices));
  threads_seen seen;
  for (int repeat = 0; repeat < 50; ++repeat) {
    EXPECT_TRUE(support::start(cluster, fastgpu::make_job(10, [&](std::uint64_t) { seen.note(); })).wait());
  }
  EXPECT_EQ(seen.count(), 1u);
  EXPECT_FALSE(seen.has(std::this_thread::get_id()));
}

TEST(Callers, KeepTheirFloatingPointEnvironmentAndKernelsTheirs)
{
  fastgpu::cluster cluster{"host:1"};
  ASSERT_EQ(std::fesetround(FE_UPWARD), 0);
  bool here = false;
  for (int repeat = 0; repeat < 50; ++repeat) {
    std::feclearexcept(FE_ALL_EXCEPT);
    int rounding = -1;
    fastgpu::for_each(cluster, 1, [&, caller = std::this_thread::get_id()](std::uint64_t) {
      here = here || std::this_thread::get_id() == caller;
      rounding = std::fegetround();
      std::feraiseexcept(FE_DIVBYZERO);
    });
    EXPECT_EQ(rounding, FE_TONEAREST);
    EXPECT_EQ(std::fegetround(), FE_UPWARD);
    EXPECT_EQ(std::fetestexcept(FE_DIVBYZERO), 0);
  }
  std::fesetround(FE_TONEAREST);
  EXPECT_TRUE(here);
}

TEST(Callers, ThreadsOfAClusterMadeWithAnotherRoundingRoundToNearest)
{
  ASSERT_EQ(std::fesetround(FE_DOWNWARD), 0);
  fastgpu::cluster_options options;
  options.devices = "host:1";
  options.callers_work = false;
  fastgpu::cluster cluster{options};
  int rounding = -1;
  fastgpu::for_each(cluster, 1, [&](std::uint64_t) { rounding = std::fegetround(); });
  std::fesetround(FE_TONEAREST);
  EXPECT_EQ(rounding, FE_TONEAREST);
}

TEST(Callers, HearOfAFailingKernelThatTheyRan)
{
  fastgpu::cluster cluster{"host:1"};
  for (int repeat = 0; repeat < 20; ++repeat) {
    const auto why = support::failure_of([&] {
      fastgpu::for_each(cluster, fastgpu::space(100, fastgpu::by_size{1}), [](std::uint64_t i) {
        if (i == 42) throw std::runtime_error{"no such luck"};
      });
    });
    EXPECT_EQ(why.detail, "subtask 42 on device 0 (host:1): no such luck");
  }
}

TEST(Callers, MayCallAnotherClusterFromAKernel)
{
  fastgpu::cluster outer{"host:2"};
  fastgpu::cluster inner{"host:2"};
  const auto sum = fastgpu::reduce(
      outer, fastgpu::space(20, fastgpu::by_size{1}),
      [&](std::uint64_t i) {
        return fastgpu::reduce(
                   inner, 100, [i](std::uint64_t k) { return i * k; }, fastgpu::sum<std::uint64_t>{})
            .get();
      },
      fastgpu::sum<std::uint64_t>{});
  EXPECT_EQ(sum.get(), 190u * 4950u);
}

TEST(Callers, MakeWayForARunOfHigherPriority)
{
  fastgpu::cluster cluster{"host:1"};
  std::atomic<bool> low_began = false;
  std::atomic<int> low_done = 0;
  std::atomic<int> low_done_when_high_was = -1;
  std::thread other{[&] {
    while (!low_began) std::this_thread::yield();
    fastgpu::run_options high;
    high.priority = 1;
    fastgpu::for_each(cluster, high, 1, [](std::uint64_t) {});
    low_done_when_high_was = low_done.load();
  }};
  fastgpu::run_options one_by_one;
  one_by_one.batches = fastgpu::batching::fixed(1);
  fastgpu::for_each(cluster, one_by_one, fastgpu::space(300, fastgpu::by_size{1}), [&](std::uint64_t) {
    low_began = true;
    std::this_thread::sleep_for(1ms);
    ++low_done;
  });
  other.join();
  EXPECT_EQ(low_done, 300);
  EXPECT_LT(low_done_when_high_was, 300);
}

/// Whoever is driven out leaves an open partial and a share behind: somebody must look after them.
TEST(Callers, ThatAreDrivenOutByTheSmallestRunsLeaveNothingUndone)
{
  fastgpu::cluster cluster{"host:2"};
  std::atomic<bool> over = false;
  std::thread other{[&] {
    fastgpu::run_options high;
    high.priority = 1;
    while (!over) fastgpu::for_each(cluster, high, 1, [](std::uint64_t) {});
  }};
  fastgpu::run_options one_by_one;
  one_by_one.batches = fastgpu::batching::fixed(1);
  for (int repeat = 0; repeat < 500; ++repeat) {
    EXPECT_EQ(fastgpu::reduce(
                  cluster, fastgpu::space(300, fastgpu::by_size{1}), [](std::uint64_t i) { return i; },
                  fastgpu::sum<std::uint64_t>{}, one_by_one)
                  .get(),
              44850u);
  }
  over = true;
  other.join();
}

/// A run that was there before is not held up by callers who come again and again.
TEST(Callers, DoNotPushInBeforeAnEarlierRun)
{
  fastgpu::cluster cluster{"host:1"};
  for (int repeat = 0; repeat < 20; ++repeat) {
    auto earlier =
        fastgpu::execute(cluster, fastgpu::make_job(fastgpu::space(50, fastgpu::by_size{1}),
                                                    [](std::uint64_t) { std::this_thread::sleep_for(20us); }));
    fastgpu::for_each(cluster, 1, [](std::uint64_t) {});
    EXPECT_TRUE(earlier.finished());
  }
}

/// No wake-up is lost between guests, the seats' own threads and runs that come meanwhile.
TEST(Callers, ManyOnOneClusterAllComeToAnEnd)
{
  fastgpu::cluster cluster{"host:2,host:1,faulty:7"};
  std::vector<std::thread> callers;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&, t] {
      for (int i = 0; i < 300; ++i) {
        const std::uint64_t n = 1 + static_cast<std::uint64_t>(i * (t + 1)) % 70;
        const auto f = [](std::uint64_t k) { return k; };
        const auto over = fastgpu::space(static_cast<std::int64_t>(n), fastgpu::by_size{1});
        const auto op = fastgpu::sum<std::uint64_t>{};
        std::uint64_t sum = 0;
        if (i % 3 == 0) {
          auto started = fastgpu::execute(cluster, fastgpu::make_job(over, f, fastgpu::reduced(op)));
          if (i % 2 == 0) std::this_thread::yield();
          sum = fastgpu::aggregate(started).get();
        } else {
          sum = fastgpu::reduce(cluster, over, f, op).get();
        }
        if (sum != n * (n - 1) / 2) ++wrong;
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

/// Until `condition`, for ten seconds at most. @return whether it came
template <class Condition>
bool wait_until(const Condition& condition)
{
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(100us);
  }
  return true;
}

/// A guest has the seat of the only device that a second run may use, and has nothing to do any more: it goes.
TEST(Callers, LeaveTheirSeatToAnotherRun)
{
  fastgpu::cluster cluster{"host:1*2"};
  std::this_thread::sleep_for(20ms);  // its threads sleep
  const auto caller = std::this_thread::get_id();
  std::atomic<bool> other_began = false;
  std::atomic<bool> second_offered = false;
  std::atomic<bool> second_done = false;
  std::atomic<bool> caller_worked = false;
  std::atomic<bool> in_time = true;

  std::thread second{[&] {
    if (!wait_until([&] { return other_began.load(); })) return;
    const fastgpu::space<1> one{1};
    const auto job = fastgpu::make_job(one, [](std::uint64_t) {});
    const auto devices = cluster.devices();
    const auto table = fastgpu::assign(fastgpu::decompose(one), std::span{devices}.first(1), fastgpu::equal{});
    auto run = fastgpu::execute(cluster, job, table);
    second_offered = true;
    EXPECT_TRUE(run.wait());
    second_done = true;
  }};
  fastgpu::for_each(cluster, fastgpu::space(2, fastgpu::by_size{1}), [&](std::uint64_t) {
    if (std::this_thread::get_id() == caller) {
      caller_worked = true;
      if (!wait_until([&] { return second_offered.load(); })) in_time = false;
    } else {
      other_began = true;
      if (!wait_until([&] { return second_done.load() || !caller_worked; })) in_time = false;
    }
  });
  second.join();
  EXPECT_TRUE(in_time);
}

/// Both have their share at the same worker, who is in the first one for long.
TEST(Callers, SmallRunsDoNotWaitForABusyWorkerWhileAnotherSleeps)
{
  fastgpu::cluster cluster{"host:2"};
  for (int repeat = 0; repeat < 20; ++repeat) {
    std::this_thread::sleep_for(5ms);  // its threads sleep
    std::atomic<bool> second_done = false;
    std::atomic<bool> in_time = true;
    auto first =
        fastgpu::execute(cluster, fastgpu::make_job(fastgpu::space(1, fastgpu::by_size{1}), [&](std::uint64_t) {
                           if (!wait_until([&] { return second_done.load(); })) in_time = false;
                         }));
    auto second = fastgpu::execute(
        cluster, fastgpu::make_job(fastgpu::space(1, fastgpu::by_size{1}), [&](std::uint64_t) { second_done = true; }));
    EXPECT_TRUE(wait_until([&] { return first.finished() && second.finished(); }));
    ASSERT_TRUE(in_time);
  }
}

TEST(Callers, OfTheSmallestRunsAllComeToAnEnd)
{
  for (const auto* devices : {"host:1", "host:4", "host:1*2"}) {
    fastgpu::cluster cluster{devices};
    std::atomic<int> done = 0;
    std::vector<std::thread> callers;
    for (int t = 0; t < 4; ++t) {
      callers.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) fastgpu::for_each(cluster, 1, [&](std::uint64_t) { ++done; });
      });
    }
    for (auto& caller : callers) caller.join();
    EXPECT_EQ(done, 4000);
  }
}

/// Throws what is no std::exception at its n-th allocation.
class moody_source final : public fastgpu::memory_source {
 public:
  std::atomic<int> left = -1;

  void* allocate(std::size_t bytes, std::size_t alignment) override
  {
    if (left >= 0 && left-- == 0) throw 1;
    return ::operator new (bytes, std::align_val_t{alignment});
  }
  void deallocate(void* memory, std::size_t, std::size_t alignment) noexcept override
  {
    ::operator delete (memory, std::align_val_t{alignment});
  }
};

TEST(Callers, LeaveTheirSeatWhateverIsThrown)
{
  moody_source memory;
  fastgpu::cluster_options options;
  options.devices = "host:1";
  options.memory = &memory;
  fastgpu::cluster cluster{options};
  const auto sum = [&] {
    return fastgpu::reduce(
               cluster, 100, [](std::uint64_t i) { return i; }, fastgpu::sum<std::uint64_t>{})
        .get();
  };
  int thrown = 0;
  for (int at = 0; at < 10; ++at) {
    memory.left = at;
    try {
      EXPECT_EQ(sum(), 4950u);
    } catch (int) {
      ++thrown;
    } catch (const fastgpu::error&) {
      ++thrown;
    }
    memory.left = -1;
    EXPECT_EQ(sum(), 4950u);
  }
  EXPECT_GT(thrown, 1);
}

}  // namespace
