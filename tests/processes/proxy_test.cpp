#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "processes/fault_proxy.hpp"
#include "processes/news.hpp"
#include "processes/nodes.hpp"
#include "processes/oracle.hpp"

/// @file
/// Sessions through a network that delays, cuts and alters what it carries: the right answer or a clean error.

namespace {

using namespace std::chrono_literals;
using namespace oracle;

constexpr double dead_after_s = 1;
constexpr std::uint64_t subtasks = 200;
constexpr std::uint64_t elements = 1 << 16;
constexpr unsigned lanes = 4;
constexpr fastgpu::seconds patience{30.0};  // with one run, however loaded the machine

std::uint64_t sessions()
{
  const char* wanted = std::getenv("FASTGPU_PROXY_SESSIONS");
  return wanted == nullptr ? 200 : static_cast<std::uint64_t>(std::atoll(wanted));
}

std::uint64_t first_seed()
{
  const char* wanted = std::getenv("FASTGPU_PROXY_SEED");
  return wanted == nullptr ? 1 : static_cast<std::uint64_t>(std::atoll(wanted));
}

poison draw_poison(std::mt19937_64& random)
{
  const auto uniform = [&](double from, double to) { return std::uniform_real_distribution<>{from, to}(random); };
  static constexpr double least[] = {0, 0.001, 0.05, 0, 0, 0, 2e4, 0};
  static constexpr double most[] = {0, 0.03, 1.5 * dead_after_s, 0, 0, 0, 1e6, 7.99};
  const auto kind = 1 + random() % 7;
  poison p{static_cast<toxin>(kind), random() % 2 == 0, 0, uniform(least[kind], most[kind])};
  // The handshake takes about 2,000 bytes each way, the jobs some 600,000 more.
  switch (random() % 4) {
    case 0: p.at_byte = random() % 2500; break;
    case 1: p.at_byte = random() % 600'000; break;
    default: p.at_byte = random() % 12'000; break;
  }
  return p;
}

struct tally {
  std::atomic<std::uint64_t> right = 0;
  std::atomic<std::uint64_t> errors = 0;
  std::atomic<std::uint64_t> alone = 0;      // sessions in which nobody but the node computes, and it was met
  std::atomic<std::uint64_t> alone_right = 0;
  std::atomic<std::uint64_t> again = 0;      // connections beyond the first
  std::atomic<std::uint64_t> corrupted = 0;
};

/// One session, or several where the first is lost; two jobs, one of them with data both ways.
void try_session(const nodes& all, std::uint64_t seed, tally& tally)
{
  std::mt19937_64 random{seed};
  const auto first = draw_poison(random);
  const auto second = random() % 2 == 0 ? draw_poison(random) : poison{};
  const std::string local = random() % 2 == 0 ? "host:1" : "none";
  SCOPED_TRACE(testing::Message{} << "FASTGPU_PROXY_SEED=" << seed << ": " << first << "; then " << second
                                  << "; devices here: " << local);
  fault_proxy proxy{all.address(0), [=](std::size_t n) { return n == 0 ? first : n == 1 ? second : poison{}; }};
  {
    fastgpu::cluster_options options;
    options.devices = local;
    options.node_dead_after = fastgpu::seconds{dead_after_s};
    fastgpu::cluster cluster{options};
    cluster.add_node(proxy.address(), all.user());
    const bool node_alone = local == "none" && !cluster.devices().empty();
    if (node_alone) ++tally.alone;
    try {
      EXPECT_EQ(fastgpu::aggregate(fastgpu::execute(cluster, job(subtasks, 500), {.deadline = patience})).get(),
                expected(subtasks));
      std::vector<std::uint64_t> in(elements, seed);
      std::vector<std::uint64_t> out(elements);
      fastgpu::aggregate(fastgpu::execute(cluster, scramble_job(in, out), {.deadline = patience}));
      std::uint64_t wrong = 0;
      for (std::uint64_t i = 0; i < elements; ++i) wrong += out[i] != support::mix(seed + i) ? 1 : 0;
      EXPECT_EQ(wrong, 0);
      ++tally.right;
      if (node_alone) ++tally.alone_right;
    } catch (const fastgpu::error& e) {
      EXPECT_NE(e.code(), fastgpu::errc::deadline_exceeded) << "it hangs";
      EXPECT_NE(e.code(), fastgpu::errc::internal) << e.what();
      EXPECT_NE(std::string{e.what()}, "");
      EXPECT_EQ(local, "none") << e.what();  // with devices here there is always an answer
      ++tally.errors;
    }
    const auto begin = clock::now();
    while (proxy.ended_corrupted() < proxy.corrupted() && seconds_since(begin) < 20) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(proxy.ended_corrupted(), proxy.corrupted()) << "a session has outlived a byte that was altered";
  }
  tally.again += proxy.connections() > 0 ? proxy.connections() - 1 : 0;
  tally.corrupted += proxy.corrupted();
}

TEST(Proxy, GivesTheRightAnswerOrACleanError)
{
  nodes all{1};
  all.start_all({});
  const news log;  // keeps warnings off the terminal
  tally tally;
  std::vector<std::thread> threads;
  const auto end = first_seed() + sessions();
  for (unsigned lane = 0; lane < lanes; ++lane) {
    threads.emplace_back([&, lane] {
      for (auto seed = first_seed() + lane; seed < end; seed += lanes) try_session(all, seed, tally);
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_TRUE(all.running(0)) << all.process(0).err_so_far();
  std::printf("%llu sessions: %llu right, %llu clean errors; %llu of %llu right where the node is alone; ",
              static_cast<unsigned long long>(sessions()), static_cast<unsigned long long>(tally.right.load()),
              static_cast<unsigned long long>(tally.errors.load()),
              static_cast<unsigned long long>(tally.alone_right.load()),
              static_cast<unsigned long long>(tally.alone.load()));
  std::printf("%llu bytes altered, %llu times connected again\n",
              static_cast<unsigned long long>(tally.corrupted.load()),
              static_cast<unsigned long long>(tally.again.load()));
  EXPECT_EQ(tally.right + tally.errors, sessions());
  EXPECT_GT(tally.corrupted.load(), 0);
  if (sessions() < 100) return;  // of a seed that is looked at again
  EXPECT_GT(4 * tally.alone, sessions());
  EXPECT_GE(10 * tally.alone_right, 9 * tally.alone);  // of 97 of them 97
}

/// In the midst of a run that has nothing else to fear.
TEST(Proxy, AnyAlteredByteEndsItsSessionAndTheRunGoesOn)
{
  nodes all{1};
  all.start_all({});
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    std::mt19937_64 random{seed};
    const poison p{toxin::corrupt, seed % 2 == 0, 2800 + random() % 1000, static_cast<double>(random() % 8)};
    SCOPED_TRACE(testing::Message{} << "seed " << seed << ": " << p);
    const news log;
    fault_proxy proxy{all.address(0), [&](std::size_t n) { return n == 0 ? p : poison{}; }};
    fastgpu::cluster_options options;
    options.devices = "none";
    options.node_dead_after = fastgpu::seconds{dead_after_s};
    fastgpu::cluster cluster{options};
    cluster.add_node(proxy.address(), all.user());
    auto run = fastgpu::execute(cluster, job(2'000'000, 1000), {.seal_every = fastgpu::seconds{0.02}});
    const auto begin = clock::now();
    while (proxy.ended_corrupted() == 0 && seconds_since(begin) < 30) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(proxy.corrupted(), 1);
    EXPECT_EQ(proxy.ended_corrupted(), 1) << log.all();
    EXPECT_LT(proxy.longest_corrupted_s(), 5);  // at once, but where it was a length: then by the dead time
    const auto known = run.progress().done;
    while (run.progress().done <= known && seconds_since(begin) < 60) std::this_thread::sleep_for(1ms);
    EXPECT_GT(run.progress().done, known) << log.all();
    EXPECT_FALSE(run.finished());
    run.cancel();
    (void)run.wait();
  }
}

}  // namespace
