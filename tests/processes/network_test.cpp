#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "processes/news.hpp"
#include "processes/nodes.hpp"
#include "processes/oracle.hpp"

/// @file
/// A coordinator and a node in network namespaces of their own, with a router between them that drops what it is told
/// to: partitions as the two ends see them, without a reset or an error.

namespace {

using namespace std::chrono_literals;
using namespace oracle;

constexpr double dead_after_s = 1;
constexpr const char* node_ip = "10.77.2.2";
constexpr const char* user_ip = "10.77.1.2";

/// Of each kind of partition.
std::uint64_t trials()
{
  const char* wanted = std::getenv("FASTGPU_NETWORK_TRIALS");
  return wanted == nullptr ? 1 : static_cast<std::uint64_t>(std::atoll(wanted));
}

/// A namespace without a name: it goes with the last who is in it or holds it.
class net_space {
 public:
  /// @throws std::runtime_error  where this process may not have one
  net_space()
  {
    const int before = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (::unshare(CLONE_NEWNET) != 0) {
      ::close(before);
      throw std::runtime_error{"no network namespaces"};
    }
    file_ = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    ::setns(before, CLONE_NEWNET);
    ::close(before);
  }
  net_space(const net_space&) = delete;
  net_space& operator=(const net_space&) = delete;
  ~net_space() { ::close(file_); }

  /// Calls `what` in it; threads and processes that it starts are in it, too.
  template <class What>
  void in(const What& what) const
  {
    const int before = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    ::setns(file_, CLONE_NEWNET);
    try {
      what();
    } catch (...) {
      ::setns(before, CLONE_NEWNET);
      ::close(before);
      throw;
    }
    ::setns(before, CLONE_NEWNET);
    ::close(before);
  }
  /// Runs `ip` in it.
  void ip(const std::string& words) const
  {
    in([&] {
      if (std::system(("ip " + words + " > /dev/null 2>&1").c_str()) != 0) throw std::runtime_error{"no ip " + words};
    });
  }
  [[nodiscard]] std::string path() const
  {
    return std::to_string(file_).insert(0, "/proc/" + std::to_string(::getpid()) + "/fd/");
  }

 private:
  int file_ = -1;
};

/// User - router - node.
class network {
 public:
  network()
  {
    wire(user, "u", "10.77.1");
    wire(node, "n", "10.77.2");
    router.in([] { std::ofstream{"/proc/sys/net/ipv4/ip_forward"} << 1; });
  }

  /// Drops what goes to the node, or to the user.
  void cut(bool to_node, bool to_user)
  {
    set(to_node_cut_, to_node, node_ip);
    set(to_user_cut_, to_user, user_ip);
  }

  net_space user;
  net_space router;
  net_space node;

 private:
  void wire(const net_space& end, const std::string& name, const std::string& net) const
  {
    router.ip("link add " + name + "0 type veth peer name " + name + "1");
    router.ip("link set " + name + "1 netns " + end.path());
    router.ip("address add " + net + ".1/24 dev " + name + "0");
    router.ip("link set " + name + "0 up");
    end.ip("link set lo up");
    end.ip("address add " + net + ".2/24 dev " + name + "1");
    end.ip("link set " + name + "1 up");
    end.ip("route add default via " + net + ".1");
  }
  void set(bool& is, bool wanted, const char* ip) const
  {
    if (is == wanted) return;
    router.ip(std::string{"route "} + (wanted ? "add" : "delete") + " blackhole " + ip + "/32");
    is = wanted;
  }

  bool to_node_cut_ = false;
  bool to_user_cut_ = false;
};

class Network : public testing::Test {
 protected:
  void SetUp() override
  {
    try {
      net_ = std::make_unique<network>();
    } catch (const std::runtime_error& e) {
      GTEST_SKIP() << "no network namespaces: " << e.what();
    }
    net_->node.in([&] { all_.start(0, {.listen = std::string{node_ip} + ":0"}); });
  }

  fastgpu::cluster join()
  {
    fastgpu::cluster_options options;
    options.devices = "host:1";
    options.node_dead_after = fastgpu::seconds{dead_after_s};
    fastgpu::cluster cluster{options};
    net_->user.in([&] { cluster.add_node(all_.address(0), all_.user()); });
    EXPECT_EQ(cluster.devices().size(), 2);
    return cluster;
  }

  /// Cuts in the midst of runs, and heals when the node is missed. Tells how soon it is.
  void partition(bool to_node, bool to_user)
  {
    std::vector<double> took;
    for (std::uint64_t i = 0; i < trials(); ++i) {
      const news log;
      auto cluster = join();
      auto run = fastgpu::execute(cluster, job(subtasks, 1000));
      while (run.progress().done < 100 * (i % 10 + 1)) std::this_thread::sleep_for(1ms);
      const auto begin = clock::now();
      net_->cut(to_node, to_user);
      const auto noticed = log.await("it is tried again", begin, 30s);
      net_->cut(false, false);
      ASSERT_TRUE(noticed) << log.all();
      took.push_back(std::chrono::duration<double>(*noticed - begin).count());
      EXPECT_TRUE(log.await("is there", *noticed, 60s)) << log.all();
      EXPECT_EQ(fastgpu::aggregate(run).get(), expected(subtasks)) << log.all();
      EXPECT_EQ(fastgpu::aggregate(fastgpu::execute(cluster, job(500, 1000))).get(), expected(500));
    }
    std::sort(took.begin(), took.end());
    std::printf("missed after %.2f to %.2f s\n", took.front(), took.back());
    EXPECT_GT(took.front(), 0.7 * dead_after_s);
    EXPECT_LT(took.front(), dead_after_s + 0.5);  // the least, since this machine may be loaded
  }

  static constexpr std::uint64_t subtasks = 5000;
  nodes all_{1};
  std::unique_ptr<network> net_;
};

TEST_F(Network, PartitionIsNoticedAndOutlived) { partition(true, true); }

TEST_F(Network, SilenceOfTheNodeIsNoticedAndOutlived) { partition(false, true); }

TEST_F(Network, SilenceOfTheCoordinatorIsNoticedAndOutlived) { partition(true, false); }

TEST_F(Network, FlappingChangesNoAnswer)
{
  constexpr std::uint64_t seed = 7;
  std::mt19937_64 random{seed};
  const news log;
  auto cluster = join();
  for (std::uint64_t i = 0; i < trials(); ++i) {
    SCOPED_TRACE(testing::Message{} << "seed " << seed << ", run " << i);
    auto run = fastgpu::execute(cluster, job(5000, 1000), {.seal_every = fastgpu::seconds{0.1}});
    while (!run.finished()) {
      const auto way = random() % 4;
      net_->cut(way == 1 || way == 3, way == 2 || way == 3);
      const auto until = clock::now() + std::chrono::milliseconds{100 + random() % 1200};
      while (!run.finished() && clock::now() < until) std::this_thread::sleep_for(1ms);
    }
    net_->cut(false, false);
    EXPECT_EQ(fastgpu::aggregate(run).get(), expected(5000)) << log.all();
  }
}

}  // namespace
