#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "processes/news.hpp"
#include "processes/nodes.hpp"
#include "processes/oracle.hpp"

/// @file
/// How soon it is noticed that a node or a coordinator is gone.

namespace {

using namespace std::chrono_literals;
using namespace oracle;

/// Seconds from the signal until the coordinator says that it has lost the node, the least of some attempts: this
/// machine may have other things to do, too.
double detected(int signal, double dead_after_s, int attempts)
{
  nodes all{1};
  all.start_all({.dead_after_s = dead_after_s});
  std::vector<double> took;
  for (int i = 0; i < attempts; ++i) {
    all.repair();
    const news log;
    auto cluster = all.join("host:1", dead_after_s);
    auto run = fastgpu::execute(cluster, job(1'000'000, 1000));
    while (run.progress().done < 100) std::this_thread::sleep_for(1ms);
    const auto begin = clock::now();
    all.send(0, signal);
    const auto noticed = log.await("it is tried again", begin, 30s);
    run.cancel();
    if (!noticed) {
      ADD_FAILURE() << "nobody noticed\n" << log.all();
      return 1e9;
    }
    took.push_back(std::chrono::duration<double>(*noticed - begin).count());
    std::printf("noticed after %.4f s\n", took.back());
    all.send(0, SIGCONT);
  }
  return *std::min_element(took.begin(), took.end());
}

TEST(Detection, OfAKilledNodeTakesATenthOfASecond) { EXPECT_LT(detected(SIGKILL, 5, 5), 0.1); }

TEST(Detection, OfAFrozenNodeTakesTheDeadTime)
{
  const auto took = detected(SIGSTOP, 1, 3);
  EXPECT_GT(took, 0.7);  // a loaded machine was silent before
  EXPECT_LT(took, 1.5);
}

TEST(Detection, OfAFrozenNodeTakesFiveSecondsWhereNobodySaysOtherwise)
{
  const auto took = detected(SIGSTOP, 5, 1);
  EXPECT_GT(took, 4);
  EXPECT_LT(took, 5.5);
}

TEST(Detection, HasBounds)
{
  EXPECT_THROW(fastgpu::cluster(fastgpu::cluster_options{.node_dead_after = fastgpu::seconds{0.9}}), fastgpu::error);
  EXPECT_THROW(fastgpu::cluster(fastgpu::cluster_options{.node_dead_after = fastgpu::seconds{61.0}}), fastgpu::error);
}

/// Seconds that a small job takes on all nodes, first what a whole one is waited for.
double small_job(const nodes& all)
{
  const auto begin = clock::now();
  auto cluster = all.join("none", 5);
  EXPECT_EQ(fastgpu::aggregate(fastgpu::execute(cluster, job(200, 1000))).get(), expected(200));
  return seconds_since(begin);
}

/// Seconds until nodes serve somebody else after `signal` has come over their coordinator.
double free_after(int signal, double dead_after_s)
{
  nodes all{2};
  all.start_all({.dead_after_s = dead_after_s});
  const auto usual_s = small_job(all);
  support::process first{"fastgpu_test_coordinator",
                         {all.folder_of("user"), "none", "1000000", "20000", all.address(0), all.address(1)}};
  EXPECT_EQ(line_of(first), "under way");
  first.send(signal);
  const auto begin = clock::now();
  double took = 0;
  do {  // as long as the first one's job has the nodes, this takes twice as long at least
    took = small_job(all);
  } while (took > 1.5 * usual_s + 0.2 && seconds_since(begin) < 30);
  const auto free = seconds_since(begin);
  std::printf("a job of %.2f s took %.2f s, %.2f s after the coordinator was gone\n", usual_s, took, free);
  // No thread is at the first one's job any more: nothing is left of it.
  for (std::size_t i = 0; i < all.size(); ++i) {
    fastgpu::cluster cluster{"none"};
    cluster.add_node(all.address(i), all.user());
    for (const auto& d : cluster.devices()) EXPECT_EQ(d.load, 0) << d.name;
    EXPECT_TRUE(all.running(i));
  }
  return free;
}

TEST(CoordinatorDeath, ByAKillFreesItsNodesAtOnce) { EXPECT_LT(free_after(SIGKILL, 5), 15); }

TEST(CoordinatorDeath, ByAFreezeFreesItsNodesAfterTheDeadTime) { EXPECT_LT(free_after(SIGSTOP, 1), 15); }

/// Waits until the node has `count` children. How long that took.
double children(const nodes& all, std::size_t count)
{
  const auto begin = clock::now();
  while (family_of(all.process(0).id()).size() != 1 + count && seconds_since(begin) < 60) {
    std::this_thread::sleep_for(1ms);
  }
  return seconds_since(begin);
}

TEST(CoordinatorDeath, EndsTheWorkersThatItHad)
{
  nodes all{1};
  all.start_all({.isolated = true});
  support::process first{"fastgpu_test_coordinator",
                         {all.folder_of("user"), "none", "1000000", "20000", all.address(0)}};
  EXPECT_EQ(line_of(first), "under way");
  EXPECT_LT(children(all, 1), 60);
  first.send(SIGKILL);
  const auto took = children(all, 0);
  std::printf("its worker has ended after %.3f s\n", took);
  EXPECT_LT(took, 15);
  EXPECT_TRUE(all.running(0));
}

TEST(NodeDeath, LeavesNoWorkers)
{
  nodes all{1};
  all.start_all({.isolated = true});
  auto cluster = all.join();
  auto run = fastgpu::execute(cluster, job(1'000'000, 20'000));
  while (run.progress().done == 0 && !run.finished()) std::this_thread::sleep_for(1ms);
  const auto family = family_of(all.process(0).id());
  ASSERT_EQ(family.size(), 2);
  all.send(0, SIGKILL);
  const auto begin = clock::now();
  while (runs(family[1]) && seconds_since(begin) < 60) std::this_thread::sleep_for(1ms);
  std::printf("its worker has ended after %.3f s\n", seconds_since(begin));
  EXPECT_LT(seconds_since(begin), 15);
  run.cancel();
  (void)run.wait();
}

TEST(CoordinatorDeath, LeavesNodesAsTheyAreHoweverOftenItComes)
{
  nodes all{2};
  all.start_all({});
  for (int i = 0; i < 10; ++i) {
    support::process one{"fastgpu_test_coordinator",
                         {all.folder_of("user"), "host:1", "1000000", "500", all.address(0), all.address(1)}};
    EXPECT_EQ(line_of(one), "under way");
    std::this_thread::sleep_for(std::chrono::milliseconds{7 * i});
    one.send(SIGKILL);
    EXPECT_EQ(one.wait().status, 128 + SIGKILL);
  }
  EXPECT_GT(small_job(all), 0);
}

}  // namespace
