#include <fastgpu/cluster/node.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cfenv>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <future>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "cluster/nodes_fixture.hpp"
#include "support/failure_of.hpp"
#include "support/folder.hpp"
#include "support/splitmix.hpp"

/// @file
/// Runs shared with nodes. Nodes and coordinator are in one process here, over Unix sockets: what crosses them is the
/// same as between machines.

namespace nodes_test {

/// A double over many powers of two, so that every order of additions has its own bits.
struct rough {
  double operator()(std::uint64_t i) const
  {
    const auto bits = support::mix(i);
    return std::ldexp(static_cast<double>(static_cast<std::int64_t>(bits) >> 11), static_cast<int>(bits % 61) - 80);
  }
};
FASTGPU_REGISTER("test.nodes.rough", rough)

struct mixed {
  std::uint64_t operator()(std::uint64_t i) const { return support::mix(i); }
};
FASTGPU_REGISTER("test.nodes.mixed", mixed)

std::atomic<std::uint64_t> slow_calls = 0;

struct slow_mixed {
  std::uint32_t microseconds;
  std::uint64_t operator()(std::uint64_t i) const
  {
    slow_calls.fetch_add(1, std::memory_order_relaxed);
    std::this_thread::sleep_for(std::chrono::microseconds{microseconds});
    return support::mix(i);
  }
};
FASTGPU_REGISTER("test.nodes.slow_mixed", slow_mixed)

struct slow_writer {
  std::uint32_t microseconds;
  void operator()(std::uint64_t i, fastgpu::out1<std::uint64_t> out) const
  {
    std::this_thread::sleep_for(std::chrono::microseconds{microseconds});
    out[static_cast<std::int64_t>(i)] = support::mix(i);
  }
};
FASTGPU_REGISTER("test.nodes.slow_writer", slow_writer)

struct thrower {
  std::uint64_t at;
  std::uint64_t operator()(std::uint64_t i) const
  {
    if (i == at) throw std::runtime_error{"as it was told"};
    return i;
  }
};
FASTGPU_REGISTER("test.nodes.thrower", thrower)

struct identity {
  double operator()(std::uint64_t i) const { return static_cast<double>(i); }
};
FASTGPU_REGISTER("test.nodes.identity", identity)

struct throwing_sum {
  double at;
  bool standard;
  double operator()(const double& a, const double& b) const
  {
    if (a + b >= at && standard) throw std::runtime_error{"no more"};
    if (a + b >= at) throw 1;
    return a + b;
  }
};

/// Mean of 3 x 3 neighbours, plus a table's value, times a number.
struct blur {
  void operator()(fastgpu::index<2> at, fastgpu::in2<float> in, fastgpu::in1<float> table, float scale,
                  fastgpu::out2<float> out) const
  {
    float sum = 0;
    for (std::int64_t y = -1; y <= 1; ++y) {
      for (std::int64_t x = -1; x <= 1; ++x) sum += in({at[0] + y, at[1] + x});
    }
    out(at) = scale * sum + table({at[0] % 7});
  }
};
FASTGPU_REGISTER("test.nodes.blur", blur)


constexpr std::uint64_t many = 300'001;

std::uint64_t sum_of_mixed(std::uint64_t n)
{
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < n; ++i) sum += support::mix(i);
  return sum;
}

TEST_F(Nodes, GiveTheBitsOfOneMachine)
{
  start();
  start("host:1*2");
  auto shared = join("host:1");
  auto alone = join("none");
  cluster here{"host:2"};
  for (const auto mode : {fastgpu::reduction::ordered, fastgpu::reduction::exact}) {
    const fastgpu::run_options options{.reduction = mode};
    const auto expected = fastgpu::reduce(here, many, rough{}, fastgpu::sum<double>{}, options).get();
    EXPECT_EQ(fastgpu::reduce(shared, many, rough{}, fastgpu::sum<double>{}, options).get(), expected);
    EXPECT_EQ(fastgpu::reduce(alone, many, rough{}, fastgpu::sum<double>{}, options).get(), expected);
  }
  EXPECT_EQ(fastgpu::reduce(shared, many, mixed{}, fastgpu::sum<std::uint64_t>{}).get(), sum_of_mixed(many));
}

TEST_F(Nodes, ServeRunsOfAnySize)
{
  start();
  auto c = join();
  for (const std::uint64_t n : {0, 1, 2, 3, 7, 255, 256, 257, 65'537}) {
    EXPECT_EQ(fastgpu::reduce(c, n, mixed{}, fastgpu::sum<std::uint64_t>{}).get(), sum_of_mixed(n)) << n;
  }
}

TEST_F(Nodes, AllTakePartAndTheSummarySaysHow)
{
  start();
  start();
  auto c = join("host:1");
  EXPECT_EQ(c.devices().size(), 3);
  EXPECT_EQ(c.devices()[2].name, "n2/host:2");
  const auto job = fastgpu::make_job(fastgpu::space<1>{2000, fastgpu::by_size{1}}, slow_mixed{100},
                                     fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  const auto value = fastgpu::aggregate(fastgpu::execute(c, job));
  EXPECT_EQ(value.get(), sum_of_mixed(2000));
  ASSERT_EQ(value.summary().devices.size(), 3);
  std::uint64_t all = 0;
  for (const auto& d : value.summary().devices) {
    EXPECT_GT(d.subtasks, 0) << d.name;
    EXPECT_FALSE(d.lost);
    EXPECT_GT(d.batches, 0) << d.name;
    EXPECT_GT(d.busy_s, 100e-6 * static_cast<double>(d.subtasks)) << d.name;
    all += d.subtasks;
  }
  EXPECT_EQ(value.summary().numeric_class, c.devices()[0].numeric_class);
  EXPECT_EQ(all, 2000);
  EXPECT_EQ(value.summary().devices[1].name, "n1");
}

TEST_F(Nodes, FillTheUsersMemoryBlockByBlock)
{
  constexpr std::int64_t rows = 251;
  constexpr std::int64_t columns = 397;
  std::vector<float> picture(rows * columns);
  for (std::size_t i = 0; i < picture.size(); ++i) picture[i] = static_cast<float>(support::mix(i) % 1000);
  const std::vector<float> table{1, 2, 3, 4, 5, 6, 7};
  const auto filter = [&](cluster& c) {
    std::vector<float> out(picture.size(), -1.0f);
    const auto job = fastgpu::make_job(
        fastgpu::space<2>{{rows, columns}, fastgpu::by_size{16, 32}}, blur{},
        fastgpu::slices(fastgpu::matrix(picture.data(), rows, columns), 1, fastgpu::border::reflect_101),
        fastgpu::broadcast(table), 0.25f, fastgpu::gather(fastgpu::matrix(out.data(), rows, columns)));
    fastgpu::aggregate(fastgpu::execute(c, job));
    return out;
  };
  start();
  start();
  cluster here{"host:1"};
  auto shared = join("host:1");
  auto alone = join();
  const auto expected = filter(here);
  EXPECT_EQ(filter(shared), expected);
  EXPECT_EQ(filter(alone), expected);
  EXPECT_EQ(filter(alone), expected);  // the table is there already
}

TEST_F(Nodes, MayDieInTheMidst)
{
  start();
  start();
  auto c = join("host:1");
  const auto job = fastgpu::make_job(fastgpu::space<1>{6000, fastgpu::by_size{1}}, slow_mixed{200},
                                     fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  auto run = fastgpu::execute(c, job);
  while (run.progress().done < 1000) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  kill(0);
  const auto value = fastgpu::aggregate(run);
  EXPECT_EQ(value.get(), sum_of_mixed(6000));
}

TEST_F(Nodes, MayJoinInTheMidst)
{
  auto c = join("host:1");
  const auto job = fastgpu::make_job(fastgpu::space<1>{3000, fastgpu::by_size{1}}, slow_mixed{200},
                                     fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  c.add_node(start().address());
  auto run = fastgpu::execute(c, job);
  while (run.progress().done < 200) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  c.add_node(start().address());
  const auto value = fastgpu::aggregate(run);
  EXPECT_EQ(value.get(), sum_of_mixed(3000));
  ASSERT_EQ(value.summary().devices.size(), 3);
  EXPECT_GT(value.summary().devices[2].subtasks, 0);
}

TEST_F(Nodes, MayDialInAndComeBack)
{
  cluster c{"none"};
  const auto where = c.accept_nodes("unix:" + folder_.path("here"));
  const auto dial = [&] {
    return std::make_unique<fastgpu::node>(
        fastgpu::node_options{.connect = where, .name = "n1", .devices = {.devices = "host:2"}});
  };
  const auto await = [&](std::size_t devices) {
    for (int i = 0; i < 1000 && c.devices().size() != devices; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    EXPECT_EQ(c.devices().size(), devices);
  };
  auto node = dial();
  EXPECT_EQ(node->address(), "");
  await(1);
  EXPECT_EQ(fastgpu::reduce(c, many, mixed{}, fastgpu::sum<std::uint64_t>{}).get(), sum_of_mixed(many));
  node.reset();
  await(0);
  node = dial();
  await(1);
  EXPECT_EQ(fastgpu::reduce(c, many, mixed{}, fastgpu::sum<std::uint64_t>{}).get(), sum_of_mixed(many));
}

TEST_F(Nodes, LeaveInGoodOrderWhenDrained)
{
  auto& first = start();
  start();
  auto c = join();
  const auto job = fastgpu::make_job(fastgpu::space<1>{6000, fastgpu::by_size{1}}, slow_mixed{200},
                                     fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  auto run = fastgpu::execute(c, job);
  while (run.progress().done < 500) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  first.drain();
  first.run();  // returns when it has nothing more
  EXPECT_FALSE(run.finished());
  const auto value = fastgpu::aggregate(run);
  EXPECT_EQ(value.get(), sum_of_mixed(6000));
  EXPECT_FALSE(value.summary().devices[0].lost);
  EXPECT_GT(value.summary().devices[0].subtasks, 0);
  EXPECT_EQ(value.summary().wasted, 0);
}

TEST_F(Nodes, DrainPastACallerThatSaysNothing)
{
  auto& n = start();
  const int silent = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::sockaddr_un to{};
  to.sun_family = AF_UNIX;
  folder_.path("n1").copy(to.sun_path, sizeof to.sun_path - 1);
  ASSERT_EQ(::connect(silent, reinterpret_cast<const ::sockaddr*>(&to), sizeof to), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds{100});  // it is taken in

  std::promise<void> drained;
  auto told = drained.get_future();
  std::thread waits{[&] {
    n.run();
    drained.set_value();
  }};
  n.drain();
  const bool over = told.wait_for(std::chrono::seconds{20}) == std::future_status::ready;
  EXPECT_TRUE(over);
  if (!over) std::_Exit(1);  // nothing would end it
  waits.join();
  ::close(silent);
}

TEST_F(Nodes, TakeNoMoreDataThanTheyAreToldTo)
{
  nodes_.push_back(std::make_unique<fastgpu::node>(fastgpu::node_options{.listen = "unix:" + folder_.path("small"),
                                                                         .name = "small",
                                                                         .devices = {.devices = "host:1"},
                                                                         .job_bytes_max = 10'000}));
  auto c = join();
  const auto job_over = [](std::vector<std::uint64_t>& out, std::uint32_t microseconds) {
    return fastgpu::make_job(fastgpu::space<1>{static_cast<std::int64_t>(out.size()), fastgpu::by_size{1}},
                             slow_writer{microseconds}, fastgpu::gather(out));
  };
  std::vector<std::uint64_t> first(800);
  std::vector<std::uint64_t> second(800);
  auto run = fastgpu::execute(c, job_over(first, 2000));
  while (run.progress().done == 0) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  const auto why = support::failure_of([&] { fastgpu::aggregate(fastgpu::execute(c, job_over(second, 0))); });
  EXPECT_EQ(why.code, errc::no_usable_device) << why.detail;
  run.cancel();
  (void)run.wait();
  fastgpu::aggregate(fastgpu::execute(c, job_over(second, 0)));  // there is room again
  EXPECT_EQ(second[7], support::mix(7));
}

TEST_F(Nodes, RetryWhatTheirDevicesFailAt)
{
  start("faulty:1*2,host:1");
  start("faulty:7*3");
  auto c = join("host:1");
  for (int i = 0; i < 10; ++i) {
    const auto job = fastgpu::make_job(fastgpu::space<1>{500, fastgpu::by_size{1}}, slow_mixed{20},
                                       fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
    EXPECT_EQ(fastgpu::aggregate(fastgpu::execute(c, job)).get(), sum_of_mixed(500));
  }
}

TEST_F(Nodes, TellWhichSubtaskOfAKernelFailed)
{
  start();
  auto c = join();
  const auto job = fastgpu::make_job(fastgpu::space<1>{1000, fastgpu::by_size{10}}, thrower{777},
                                     fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  const auto why = support::failure_of([&] { fastgpu::aggregate(fastgpu::execute(c, job)); });
  EXPECT_EQ(why.code, errc::kernel_failed);
  EXPECT_EQ(why.subtask, 77);
  EXPECT_NE(why.detail.find("as it was told"), std::string::npos) << why.detail;
}

TEST_F(Nodes, FailARunWhereAMergeThrows)
{
  start();
  auto c = join("host:1");
  const fastgpu::space over{1000, fastgpu::by_size{4}};
  for (const double at : {3.0, 499500.0}) {  // in a subtask; in the last merge, which is this process's
    for (const bool standard : {true, false}) {
      EXPECT_EQ(support::failure_of([&] {
                  (void)fastgpu::reduce(c, over, identity{}, fastgpu::merge<double>(throwing_sum{at, standard}));
                }).code,
                errc::kernel_failed)
          << at << standard;
    }
  }
}

TEST_F(Nodes, MergeAsByDefaultWhateverTheUsersRounding)
{
  cluster here{"host:1"};
  const auto expected = fastgpu::reduce(here, many, rough{}, fastgpu::sum<double>{}).get();
  std::fesetround(FE_UPWARD);
  start();
  start();
  auto c = join();
  const auto value = fastgpu::reduce(c, many, rough{}, fastgpu::sum<double>{}).get();
  const auto still = std::fegetround();
  std::fesetround(FE_TONEAREST);
  EXPECT_EQ(value, expected);
  EXPECT_EQ(still, FE_UPWARD);
}

TEST_F(Nodes, AreNotUsedForKernelsWithoutAName)
{
  start();
  auto with_cores = join("host:1");
  auto without = join();
  const auto sum = [](cluster& c) {
    return fastgpu::reduce(c, 1000, [](std::uint64_t i) { return i; }, fastgpu::sum<std::uint64_t>{}).get();
  };
  EXPECT_EQ(sum(with_cores), 499'500);
  EXPECT_EQ(support::failure_of([&] { (void)sum(without); }).code, errc::kernel_not_registered);
}

TEST_F(Nodes, ThatCannotBeReachedAreTriedAgainLater)
{
  cluster c{"host:1"};
  c.add_node("unix:" + folder_.path("n1"));  // nobody there: a warning
  EXPECT_EQ(c.devices().size(), 1);
  EXPECT_EQ(fastgpu::reduce(c, 1000, mixed{}, fastgpu::sum<std::uint64_t>{}).get(), sum_of_mixed(1000));
  start();
  for (int i = 0; i < 2000 && c.devices().size() < 2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds{10});
  EXPECT_EQ(c.devices().size(), 2);
}

TEST_F(Nodes, WithoutAnyDeviceARunIsRefused)
{
  cluster c{"none"};
  c.add_node("unix:" + folder_.path("n1"));
  EXPECT_EQ(support::failure_of([&] { (void)fastgpu::reduce(c, 1000, mixed{}, fastgpu::sum<std::uint64_t>{}); }).code,
            errc::no_usable_device);
}

TEST_F(Nodes, StopWhenTheRunIsCancelled)
{
  start();
  auto c = join();
  const auto job = fastgpu::make_job(fastgpu::space<1>{100'000, fastgpu::by_size{1}}, slow_mixed{1000},  // 50 s
                                     fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  slow_calls = 0;
  auto run = fastgpu::execute(c, job);
  while (run.progress().done < 10) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  run.cancel();
  EXPECT_EQ(run.wait().kind(), fastgpu::outcome_kind::cancelled);
  const auto runs_still = [] {
    const auto before = slow_calls.load();
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
    return slow_calls != before;
  };
  int looks = 0;
  while (looks < 200 && runs_still()) ++looks;
  EXPECT_LT(looks, 200);  // 10 s
  EXPECT_LT(slow_calls, 100'000);
  // The node is free again.
  const fastgpu::run_options soon{.deadline = fastgpu::seconds{30}};
  EXPECT_EQ(fastgpu::reduce(c, 1000, mixed{}, fastgpu::sum<std::uint64_t>{}, soon).get(), sum_of_mixed(1000));
}

TEST_F(Nodes, KeepARunsDeadline)
{
  start();
  auto c = join();
  const auto job = fastgpu::make_job(fastgpu::space<1>{100'000, fastgpu::by_size{1}}, slow_mixed{1000},
                                     fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  auto run = fastgpu::execute(c, job, {.deadline = fastgpu::seconds{0.05}});
  EXPECT_EQ(run.wait().kind(), fastgpu::outcome_kind::deadline);
}

TEST_F(Nodes, ServeManyRunsAtATime)
{
  start();
  start();
  auto c = join("host:1");
  std::vector<fastgpu::run<std::uint64_t>> runs;
  for (int i = 0; i < 20; ++i) {
    const auto job = fastgpu::make_job(fastgpu::space<1>{1000 + i, fastgpu::by_size{7}}, mixed{},
                                       fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
    runs.push_back(fastgpu::execute(c, job));
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(fastgpu::aggregate(runs[i]).get(), sum_of_mixed(1000 + i));
}


TEST_F(Nodes, AreWaitedForWhereTheyMayDialIn)
{
  cluster c{"none"};
  const auto address = c.accept_nodes("unix:" + folder_.path("door"));
  std::thread later{[&] {
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
    nodes_.push_back(std::make_unique<fastgpu::node>(
        fastgpu::node_options{.connect = address, .name = "late", .devices = {.devices = "host:1"}}));
  }};
  EXPECT_EQ(fastgpu::reduce(c, 1000, mixed{}, fastgpu::sum<std::uint64_t>{}).get(), sum_of_mixed(1000));
  later.join();
}

}  // namespace nodes_test
