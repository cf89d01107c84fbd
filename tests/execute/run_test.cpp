#include <fastgpu/run.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/failure_of.hpp"
#include "support/slow_kernel.hpp"

namespace {

using namespace std::chrono_literals;
using fastgpu::errc;
using fastgpu::outcome_kind;
using support::failure_of;
using support::slow;
using clock = std::chrono::steady_clock;

fastgpu::job<std::uint64_t, 1> slow_job(std::int64_t n, std::chrono::microseconds each = 1ms)
{
  return fastgpu::make_job(fastgpu::space(n, fastgpu::by_size{1}), slow(each),
                           fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
}

TEST(Run, GivesItsValueAndSummary)
{
  fastgpu::cluster cluster{"host:2"};
  const auto value = fastgpu::reduce(cluster, 1000, [](std::uint64_t i) { return i; }, fastgpu::sum<std::uint64_t>{});
  EXPECT_EQ(value.get(), 499500u);
  EXPECT_EQ(static_cast<double>(value), 499500.0);
  EXPECT_EQ(value.summary().outcome, outcome_kind::done);
  EXPECT_EQ(value.summary().committed, 1000u);
  EXPECT_EQ(value.summary().devices.at(0).name, "host:2");
}

TEST(Run, IsDoneAtOnceWhereThereIsNothingToDo)
{
  fastgpu::cluster cluster{"host:2"};
  EXPECT_EQ(fastgpu::reduce(cluster, 0, [](std::uint64_t i) { return i; }, fastgpu::sum<std::uint64_t>{}).get(), 0u);
  const auto why = failure_of(
      [&] { (void)fastgpu::reduce(cluster, 0, [](std::uint64_t i) { return i; }, fastgpu::minimum<std::uint64_t>{}); });
  EXPECT_EQ(why.code, errc::empty_reduction);
  EXPECT_NE(why.detail.find("minimum"), std::string::npos);
}

TEST(Run, NamesTheSubtaskAndDeviceOfAKernelsException)
{
  fastgpu::cluster cluster{"host:2"};
  for (int repeat = 0; repeat < 20; ++repeat) {
    const auto why = failure_of([&] {
      fastgpu::for_each(cluster, fastgpu::space(1000, fastgpu::by_size{10}), [](std::uint64_t i) {
        if (i == 427) throw std::runtime_error{"no such luck"};
      });
    });
    EXPECT_EQ(why.code, errc::kernel_failed);
    EXPECT_EQ(why.detail, "subtask 42 on device 0 (host:2): no such luck");
  }
}

TEST(Run, NamesTheSubtaskOfAReductionsException)
{
  fastgpu::cluster cluster{"host:1"};
  const auto why = failure_of([&] {
    (void)fastgpu::reduce(
        cluster, fastgpu::space(1000, fastgpu::by_size{7}),
        [](std::uint64_t i) -> std::uint64_t { return i == 700 ? throw 1 : i; }, fastgpu::sum<std::uint64_t>{});
  });
  EXPECT_EQ(why.detail, "subtask 100 on device 0 (host:1): an exception that is no std::exception");
}

TEST(Run, FailsByAKernelsErrorFlag)
{
  fastgpu::cluster cluster{"host:1"};
  const auto why = failure_of([&] {
    fastgpu::for_each(cluster, fastgpu::space(100, fastgpu::by_size{10}),
                      [](fastgpu::host_context& context, fastgpu::block<1> b) {
                        if (b.subtask == 3) context.fail("singular matrix");
                      });
  });
  EXPECT_EQ(why.code, errc::kernel_failed);
  EXPECT_EQ(why.detail, "subtask 3 on device 0 (host:1): singular matrix");
}

TEST(Run, DoesNotRetryAKernelsFailure)
{
  fastgpu::cluster cluster{"host:1*3"};
  std::atomic<int> calls = 0;
  const auto why = failure_of([&] {
    fastgpu::for_each(cluster, fastgpu::space(1, fastgpu::by_size{1}), [&](std::uint64_t) {
      ++calls;
      throw std::runtime_error{"x"};
    });
  });
  EXPECT_EQ(why.code, errc::kernel_failed);
  EXPECT_EQ(calls, 1);
}

TEST(Run, CanBeCancelledFromAnotherThread)
{
  fastgpu::cluster cluster{"host:2"};
  auto run = fastgpu::execute(cluster, slow_job(100000));
  std::thread other{[&] {
    std::this_thread::sleep_for(20ms);
    run.cancel();
    run.cancel();  // once more does nothing
  }};
  const auto begin = clock::now();
  const auto outcome = run.wait();
  EXPECT_LT(clock::now() - begin, 5s);
  EXPECT_EQ(outcome.kind(), outcome_kind::cancelled);
  EXPECT_LT(outcome.summary().committed, 100000u);
  other.join();
  auto again = run.wait();
  EXPECT_EQ(failure_of([&] { (void)std::move(again).get(); }).code, errc::cancelled);
}

TEST(Run, EndsAtItsDeadline)
{
  fastgpu::cluster cluster{"host:2"};
  const auto begin = clock::now();
  auto run = fastgpu::execute(cluster, slow_job(100000), {.deadline = 30ms});
  const auto outcome = run.wait();
  EXPECT_EQ(outcome.kind(), outcome_kind::deadline);
  EXPECT_GE(clock::now() - begin, 30ms);
  EXPECT_LT(clock::now() - begin, 5s);
}

TEST(Run, MeetsADeadlineThatIsFarAway)
{
  fastgpu::cluster cluster{"host:2"};
  auto run = fastgpu::execute(cluster, slow_job(10), {.deadline = 1h});
  EXPECT_EQ(run.wait().kind(), outcome_kind::done);
}

TEST(Run, IsCancelledAndWaitedForByItsDestructor)
{
  std::atomic<int> running = 0;
  fastgpu::cluster cluster{"host:2"};
  {
    auto run =
        fastgpu::execute(cluster, fastgpu::make_job(fastgpu::space(100000, fastgpu::by_size{1}), [&](std::uint64_t) {
                           ++running;
                           std::this_thread::sleep_for(1ms);
                           --running;
                         }));
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_EQ(running, 0);
}

TEST(Run, KeepsItsClusterAlive)
{
  std::optional<fastgpu::run<std::uint64_t>> run;
  {
    fastgpu::cluster cluster{"host:2"};
    run.emplace(fastgpu::execute(cluster, slow_job(50)));
  }
  EXPECT_EQ(fastgpu::aggregate(*run).get(), 1225u);
}

TEST(Run, KeepsItsJobAlive)
{
  fastgpu::cluster cluster{"host:2"};
  auto start = [&] {
    std::vector<std::uint64_t> data(1000);
    std::iota(data.begin(), data.end(), 0u);
    const auto job = fastgpu::make_job(
        1000,
        [](std::uint64_t i, fastgpu::in1<std::uint64_t> in) {
          std::this_thread::sleep_for(10us);
          return in[static_cast<std::int64_t>(i)];
        },
        fastgpu::slices(std::move(data)), fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
    return fastgpu::execute(cluster, job);
  };
  auto run = start();
  EXPECT_EQ(fastgpu::aggregate(run).get(), 499500u);
}

TEST(Run, TellsItsProgress)
{
  fastgpu::cluster cluster{"host:2"};
  auto run = fastgpu::execute(cluster, slow_job(200));
  EXPECT_EQ(run.progress().total, 200u);
  std::uint64_t last = 0;
  while (!run.wait_for(5ms)) {
    const auto p = run.progress();
    EXPECT_GE(p.done, last);
    EXPECT_LE(p.done, p.total);
    last = p.done;
  }
  EXPECT_EQ(run.progress().done, 200u);
  EXPECT_EQ(run.progress().remaining.count, 0.0);
}

TEST(Run, SharesAClusterWithOthers)
{
  fastgpu::cluster cluster{"host:2*2"};
  std::vector<std::thread> users;
  std::atomic<int> right = 0;
  for (int user = 0; user < 4; ++user) {
    users.emplace_back([&, user] {
      for (int i = 0; i < 50; ++i) {
        const auto n = static_cast<std::uint64_t>(100 * user + i + 1);
        const auto sum = fastgpu::reduce(cluster, n, [](std::uint64_t k) { return k; }, fastgpu::sum<std::uint64_t>{},
                                         {.priority = i % 3});
        right += sum.get() == n * (n - 1) / 2;
      }
    });
  }
  for (auto& user : users) user.join();
  EXPECT_EQ(right, 200);
}

TEST(Run, OfHigherPriorityGoesFirst)
{
  fastgpu::cluster cluster{"host:1"};
  auto low = fastgpu::execute(cluster, slow_job(300), {.priority = 0});
  std::this_thread::sleep_for(10ms);
  auto high = fastgpu::execute(cluster, slow_job(20), {.priority = 1});
  EXPECT_EQ(high.wait().kind(), outcome_kind::done);
  EXPECT_FALSE(low.finished());
  EXPECT_EQ(fastgpu::aggregate(low).get(), 44850u);
}

TEST(Run, SurvivesADeviceThatDiesWithHalfItsWorkFolded)
{
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    fastgpu::cluster cluster{"host:1,faulty:" + std::to_string(seed)};
    const auto sum = fastgpu::reduce(cluster, fastgpu::space(600, fastgpu::by_size{1}), slow(1us),
                                     fastgpu::sum<std::uint64_t>{}, {.batches = fastgpu::batching::fixed(5)});
    EXPECT_EQ(sum.get(), 179700u) << "seed " << seed;
  }
}

TEST(Run, FailsWhenNoDeviceIsLeft)
{
  int failed = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    fastgpu::cluster cluster{"faulty:" + std::to_string(seed)};
    auto run =
        fastgpu::execute(cluster, fastgpu::make_job(fastgpu::space(500, fastgpu::by_size{1}), [](std::uint64_t) {}),
                         {.batches = fastgpu::batching::fixed(1)});
    const auto outcome = run.wait();
    if (outcome) continue;
    ++failed;
    const auto code = outcome.summary().why.code;
    EXPECT_TRUE(code == errc::no_usable_device || code == errc::retries_exhausted) << outcome.summary().why.detail;
    EXPECT_FALSE(outcome.summary().why.detail.empty());
  }
  EXPECT_GT(failed, 5);
}

TEST(Run, RefusesAPlacementOfAnotherShape)
{
  fastgpu::cluster cluster{"host:1*2"};
  const auto job = slow_job(10, 1us);
  const auto other = slow_job(11, 1us);
  auto table = fastgpu::assign(fastgpu::decompose(other), cluster.devices());
  EXPECT_EQ(failure_of([&] { (void)fastgpu::execute(cluster, job, table); }).code, errc::placement_mismatch);

  table = fastgpu::assign(fastgpu::decompose(job), cluster.devices());
  auto edited = table;
  edited.entries[0].ranges[0].end -= 1;
  EXPECT_EQ(failure_of([&] { (void)fastgpu::execute(cluster, job, edited); }).detail,
            "placement: 1 subtasks are given to no device");
  edited = table;
  edited.entries[0].ranges[0].end += 1;
  EXPECT_EQ(failure_of([&] { (void)fastgpu::execute(cluster, job, edited); }).code, errc::placement_mismatch);
  edited = table;
  edited.entries[0].device.value = 7;
  EXPECT_EQ(failure_of([&] { (void)fastgpu::execute(cluster, job, edited); }).detail,
            "placement: device 7 is not there");

  // Everything to one device is somebody's right.
  edited = table;
  edited.entries = {{fastgpu::device_id{1}, "mine", {{0, 10}}, 0}};
  auto run = fastgpu::execute(cluster, job, edited);
  const auto value = fastgpu::aggregate(run);
  EXPECT_EQ(value.get(), 45u);
  EXPECT_EQ(value.summary().devices[0].subtasks, 0u);
}

TEST(Run, RefusesWhatAModeCannotServe)
{
  fastgpu::cluster cluster{"host:1"};
  const auto merge = fastgpu::merge<double>([](const double& a, const double& b) { return a * 0.5 + b; });
  const auto f = [](std::uint64_t i) { return static_cast<double>(i); };
  for (auto mode : {fastgpu::reduction::fast, fastgpu::reduction::exact}) {
    const auto why = failure_of([&] { (void)fastgpu::reduce(cluster, 10, f, merge, {.reduction = mode}); });
    EXPECT_EQ(why.code, errc::unsupported_reduction);
    EXPECT_NE(why.detail.find("a custom operation"), std::string::npos) << why.detail;
  }
  const auto job = fastgpu::make_job(
      10000, [](std::uint64_t, fastgpu::tally<fastgpu::sum<double>>) {},
      fastgpu::reduced(fastgpu::sum<double>{}, 1 << 20));
  const auto why = failure_of([&] { (void)fastgpu::execute(cluster, job, {.forest_bytes_max = 1 << 20}); });
  EXPECT_EQ(why.code, errc::partial_too_large);
  EXPECT_NE(why.detail.find("fast"), std::string::npos);
}

TEST(Run, WritesATraceThatNamesItsDevices)
{
  fastgpu::cluster cluster{"host:1*2"};
  auto run = fastgpu::execute(cluster, slow_job(20), {.trace = true});
  (void)run.wait();
  const auto trace = run.trace_json();
  EXPECT_NE(trace.find("\"traceEvents\""), std::string::npos);
  EXPECT_NE(trace.find("host:1"), std::string::npos);
  EXPECT_NE(trace.find("\"name\":\"batch\""), std::string::npos);
}

TEST(Run, CallsBackWhenFinishedOrAtOnce)
{
  fastgpu::cluster cluster{"host:1"};
  auto run = fastgpu::execute(cluster, slow_job(5));
  std::atomic<int> calls = 0;
  const auto count = [](void* context) { ++*static_cast<std::atomic<int>*>(context); };
  run.core()->on_finished(count, &calls);
  (void)run.wait();
  while (calls == 0) std::this_thread::yield();
  run.core()->on_finished(count, &calls);
  EXPECT_EQ(calls, 2);
}

TEST(Run, IsQuickToComeAndGo)
{
  // A race in delivery or destruction would show here, or under thread sanitizer.
  for (int i = 0; i < 300; ++i) {
    fastgpu::cluster cluster{i % 2 == 0 ? "host:2" : "host:1*2"};
    auto run = fastgpu::execute(cluster, slow_job(4, 1us), {.deadline = std::chrono::microseconds{20 * (i % 10) + 1}});
    if (i % 3 == 0) (void)run.wait();
  }
}

TEST(Run, MayBeDestroyedAsSoonAsItSaysThatItIsFinished)
{
  // The one who delivers the outcome must be done with the run by then: thread sanitizer tells.
  fastgpu::cluster cluster{"host:2"};
  for (int i = 0; i < 300; ++i) {
    auto run = fastgpu::execute(cluster, slow_job(2, 0us));
    while (!run.finished()) std::this_thread::yield();
  }
}

TEST(Run, LeavesNoWorkerAsleepWhenItsClusterGoes)
{
  for (int i = 0; i < 100; ++i) fastgpu::cluster cluster{"host:16"};
}

TEST(Run, FailsWhereAMergeThrows)
{
  fastgpu::cluster cluster{"host:2"};
  const auto f = [](std::uint64_t i) { return static_cast<double>(i); };
  for (double at : {3.0, 30.0, 499500.0}) {  // in a subtask, between subtasks, in the last merge
    const auto std_exception = fastgpu::merge<double>([at](const double& a, const double& b) {
      if (a + b >= at) throw std::runtime_error{"no more"};
      return a + b;
    });
    const auto other = fastgpu::merge<double>([at](const double& a, const double& b) {
      if (a + b >= at) throw 1;
      return a + b;
    });
    const fastgpu::space over{1000, fastgpu::by_size{4}};
    EXPECT_EQ(failure_of([&] { (void)fastgpu::reduce(cluster, over, f, std_exception); }).code, errc::kernel_failed);
    EXPECT_EQ(failure_of([&] { (void)fastgpu::reduce(cluster, over, f, other); }).code, errc::kernel_failed);
  }
}

TEST(Run, NeverDeliversAHalfResultWhereAMergeThrowsOnce)
{
  fastgpu::cluster cluster{"host:1*8"};
  int done = 0;
  constexpr int runs = 60;
  for (int i = 0; i < runs; ++i) {
    std::atomic<bool> thrown = false;
    const auto merge = fastgpu::commutative_merge<std::uint64_t>([&](const std::uint64_t& a, const std::uint64_t& b) {
      if (a > 4 && b > 4 && !thrown.exchange(true)) throw std::runtime_error{"once"};
      return a + b;
    });
    auto run = fastgpu::execute(cluster,
                                fastgpu::make_job(
                                    fastgpu::space(160, fastgpu::by_size{1}),
                                    [](std::uint64_t) -> std::uint64_t {
                                      std::this_thread::sleep_for(20us);  // time for others to take part
                                      return 1;
                                    },
                                    fastgpu::reduced(merge)),
                                {.reduction = fastgpu::reduction::fast});
    auto outcome = run.wait();
    if (!outcome) continue;
    ++done;
    EXPECT_EQ(std::move(outcome).get().get(), 160u);
  }
  EXPECT_LT(done, runs);
}

TEST(Run, GivesTheSameOfEqualMinima)
{
  struct keyed {
    int key;
    std::uint64_t tag;
    bool operator<(const keyed& other) const { return key < other.key; }
  };
  fastgpu::cluster cluster{"host:2*2"};
  for (int i = 0; i < 50; ++i) {
    const auto least = fastgpu::reduce(
        cluster, fastgpu::space(3000, fastgpu::by_size{1}),
        [](std::uint64_t k) { return keyed{static_cast<int>(k % 3), k}; }, fastgpu::minimum<keyed>{});
    EXPECT_EQ(least->tag, 0u);
  }
}

TEST(RunDeathTest, StopsAKernelThatWaitsForItsOwnCluster)
{
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        fastgpu::cluster cluster{"host:1"};
        fastgpu::for_each(cluster, 1, [&](std::uint64_t) {
          (void)fastgpu::reduce(cluster, 10, [](std::uint64_t i) { return i; }, fastgpu::sum<std::uint64_t>{});
        });
      },
      "");
}

TEST(Run, TransformsAViewOfData)
{
  fastgpu::cluster cluster{"host:2"};
  std::vector<int> data(100);
  fastgpu::data_view<int, 1> view{data.data(), fastgpu::extents<1>{{50}}};
  fastgpu::transform(cluster, view, [](std::uint64_t i) { return static_cast<int>(i) + 1; });
  EXPECT_EQ(data[49], 50);
  EXPECT_EQ(data[50], 0);
  EXPECT_EQ(fastgpu::map_reduce(cluster, view, [](int x) { return x; }, fastgpu::sum<int>{}).get(), 1275);
}

TEST(Run, OutlivesAClustersMove)
{
  fastgpu::cluster first{"host:1"};
  auto run = fastgpu::execute(first, slow_job(20));
  fastgpu::cluster second = std::move(first);
  EXPECT_EQ(fastgpu::reduce(second, 5, [](std::uint64_t i) { return i; }, fastgpu::sum<std::uint64_t>{}).get(), 10u);
  EXPECT_EQ(fastgpu::aggregate(run).get(), 190u);
}

}  // namespace
