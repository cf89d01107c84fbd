#include <fastgpu/cluster/worker.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <fastgpu/cluster/node.hpp>
#include <fastgpu/fastgpu.hpp>

#include "support/failure_of.hpp"
#include "support/folder.hpp"
#include "support/splitmix.hpp"

/// @file
/// Devices in child processes: what a kernel that crashes takes with it, and what not. The children are this program.

namespace isolation_test {

using fastgpu::cluster;
using fastgpu::errc;

/// Crashes at one index, as often as it is told: each time it writes a byte to a file, whose length it counts by.
struct crasher {
  char file[120];
  std::uint64_t at;
  std::int64_t times;
  std::uint64_t operator()(std::uint64_t i) const
  {
    if (i == at) {
      const int f = ::open(file, O_RDWR | O_CREAT | O_APPEND, 0600);
      if (f >= 0 && ::lseek(f, 0, SEEK_END) < times && ::write(f, "x", 1) == 1) ::raise(SIGKILL);
      ::close(f);
    }
    return support::mix(i);
  }
};
FASTGPU_REGISTER("test.isolation.crasher", crasher)

/// Hangs at one index, as often as it is told.
struct hanger {
  crasher counted;
  std::uint64_t operator()(std::uint64_t i) const
  {
    if (i == counted.at) {
      const int f = ::open(counted.file, O_RDWR | O_CREAT | O_APPEND, 0600);
      const bool hangs = f >= 0 && ::lseek(f, 0, SEEK_END) < counted.times && ::write(f, "x", 1) == 1;
      ::close(f);
      while (hangs) ::pause();
    }
    return support::mix(i);
  }
};
FASTGPU_REGISTER("test.isolation.hanger", hanger)

std::uint64_t sum_of_mixed(std::uint64_t n)
{
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < n; ++i) sum += support::mix(i);
  return sum;
}

class Isolation : public testing::Test {
 protected:
  crasher at(std::uint64_t index, std::int64_t times)
  {
    crasher k{{}, index, times};
    const auto path = folder_.path("crashes");
    EXPECT_LT(path.size(), sizeof k.file);
    std::strncpy(k.file, path.c_str(), sizeof k.file - 1);
    return k;
  }
  template <class Kernel>
  static auto job(std::uint64_t n, std::int64_t granule, const Kernel& k)
  {
    return fastgpu::make_job(fastgpu::space<1>{static_cast<std::int64_t>(n), fastgpu::by_size{granule}}, k,
                             fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  }
  static cluster isolated(const std::string& devices)
  {
    return cluster{fastgpu::cluster_options{.devices = devices, .isolate = fastgpu::isolation::process}};
  }

  support::folder folder_;
};

TEST_F(Isolation, GivesTheSameAnswer)
{
  auto c = isolated("host:2,host:1*2");
  EXPECT_EQ(c.devices().size(), 3);
  EXPECT_EQ(fastgpu::aggregate(fastgpu::execute(c, job(100'000, 10, at(0, 0)))).get(), sum_of_mixed(100'000));
}

TEST_F(Isolation, SurvivesAKernelThatCrashesOnce)
{
  auto c = isolated("host:2");
  const auto value = fastgpu::aggregate(fastgpu::execute(c, job(10'000, 10, at(7'777, 1))));
  EXPECT_EQ(value.get(), sum_of_mixed(10'000));
  EXPECT_GE(value.summary().retries, 1);
}

TEST_F(Isolation, NamesTheSubtaskThatCrashesEachTime)
{
  auto c = isolated("host:1*2");
  const auto why =
      support::failure_of([&] { fastgpu::aggregate(fastgpu::execute(c, job(10'000, 10, at(7'777, 1'000)))); });
  EXPECT_EQ(why.code, errc::retries_exhausted);
  EXPECT_EQ(why.subtask, 777) << why.detail;
  EXPECT_NE(why.detail.find("subtask 777"), std::string::npos) << why.detail;
  EXPECT_NE(why.detail.find("Killed"), std::string::npos) << why.detail;
  // The devices go on.
  EXPECT_EQ(fastgpu::aggregate(fastgpu::execute(c, job(1'000, 10, at(0, 0)))).get(), sum_of_mixed(1'000));
}

TEST_F(Isolation, EndsWhatHangsAndRunsItAgain)
{
  auto c = isolated("host:2");
  const fastgpu::run_options options{.subtask_timeout = fastgpu::seconds{0.3}};
  const auto value = fastgpu::aggregate(fastgpu::execute(c, job(10'000, 10, hanger{at(7'777, 1)}), options));
  EXPECT_EQ(value.get(), sum_of_mixed(10'000));
  EXPECT_GE(value.summary().retries, 1);
}

TEST_F(Isolation, NamesTheSubtaskThatHangsEachTime)
{
  auto c = isolated("host:1");
  const fastgpu::run_options options{.subtask_timeout = fastgpu::seconds{0.2}};
  const auto why = support::failure_of(
      [&] { fastgpu::aggregate(fastgpu::execute(c, job(10'000, 10, hanger{at(7'777, 1'000)}), options)); });
  EXPECT_EQ(why.code, errc::retries_exhausted);
  EXPECT_EQ(why.subtask, 777) << why.detail;
  EXPECT_NE(why.detail.find("longer than"), std::string::npos) << why.detail;
}

TEST_F(Isolation, ACancelledRunFreesADeviceThatHangs)
{
  auto c = isolated("host:1");
  auto run = fastgpu::execute(c, job(1'000, 10, hanger{at(500, 1)}));
  while (run.progress().done == 0) std::this_thread::sleep_for(std::chrono::milliseconds{5});
  const auto begin = std::chrono::steady_clock::now();
  run.cancel();
  EXPECT_EQ(run.wait().kind(), fastgpu::outcome_kind::cancelled);
  EXPECT_EQ(fastgpu::aggregate(fastgpu::execute(c, job(1'000, 10, at(0, 0)))).get(), sum_of_mixed(1'000));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{10});
}

TEST_F(Isolation, OfANodeLeavesTheNodeAlive)
{
  fastgpu::node node{fastgpu::node_options{.listen = "unix:" + folder_.path("n"),
                                           .name = "n",
                                           .devices = {.devices = "host:1"},
                                           .isolate = fastgpu::isolation::process}};
  cluster c{"none"};
  c.add_node(node.address());
  EXPECT_EQ(fastgpu::aggregate(fastgpu::execute(c, job(5'000, 10, at(4'321, 2)))).get(), sum_of_mixed(5'000));
  EXPECT_EQ(c.devices().size(), 1);
}

TEST_F(Isolation, OfANodeKeepsItsHistory)
{
  const auto file = folder_.path("history.json");
  fastgpu::node node{fastgpu::node_options{.listen = "unix:" + folder_.path("n"),
                                           .name = "n",
                                           .devices = {.devices = "host:1", .history = file},
                                           .isolate = fastgpu::isolation::process}};
  cluster c{"none"};
  c.add_node(node.address());
  (void)fastgpu::aggregate(fastgpu::execute(c, job(100'000, 10, at(0, 0))));
  for (int i = 0; i < 500 && ::access(file.c_str(), R_OK) != 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  EXPECT_EQ(::access(file.c_str(), R_OK), 0);
}

TEST_F(Isolation, StartsWhateverDescriptorsAreTaken)
{
  std::vector<int> taken;
  const auto next_free = [] {
    const int found = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::close(found);
    return found;
  };
  while (next_free() < 190) taken.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  for (int first = next_free(); first <= 203; ++first) {
    SCOPED_TRACE(first);
    while (next_free() < first) taken.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    auto c = isolated("host:1");
    ASSERT_EQ(c.devices().size(), 1u);
    EXPECT_EQ(fastgpu::aggregate(fastgpu::execute(c, job(1'000, 10, at(0, 0)))).get(), sum_of_mixed(1'000));
  }
  for (const int one : taken) ::close(one);
}

TEST_F(Isolation, NeedsKernelsWithAName)
{
  auto c = isolated("host:1");
  const auto why = support::failure_of([&] {
    (void)fastgpu::reduce(c, 1000, [](std::uint64_t i) { return i; }, fastgpu::sum<std::uint64_t>{});
  });
  EXPECT_EQ(why.code, errc::kernel_not_registered);
}

}  // namespace isolation_test

int main(int argc, char** argv)
{
  if (const auto ended = fastgpu::run_as_worker(argc, argv)) return *ended;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
