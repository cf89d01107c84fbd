#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "processes/nodes.hpp"
#include "processes/sockets.hpp"
#include "support/process.hpp"

/// @file
/// What listens: a node where it was told to, and nobody anywhere else.

namespace {

using namespace std::chrono_literals;
using namespace oracle;
using sockets = std::set<std::string>;
using support::arguments;
using support::operator+;

class Sockets : public testing::Test {
 protected:
  /// `fastgpu node`, and where it says that it listens.
  std::string start(const std::string& listen, const arguments& more)
  {
    const arguments options{"node", "--listen", listen, "--devices", "host:2"};
    node_ = std::make_unique<support::process>("fastgpu", options + more);
    const auto line = line_of(*node_);
    return line.substr(line.rfind(' ') + 1);
  }
  arguments as(const std::string& name) const { return {"--credentials", all_.folder_of(name)}; }

  nodes all_{1};
  std::unique_ptr<support::process> node_;
};

TEST_F(Sockets, AreSeenHere)  // the test's own eyes
{
  EXPECT_EQ(endpoint_of("0100007F:0050"), "127.0.0.1:80");
  EXPECT_EQ(endpoint_of("00000000000000000000000001000000:1F90"), "[::1]:8080");
}

TEST_F(Sockets, OfANodeOnTcpAreTheOneThatItWasTold)
{
  const auto address = start("127.0.0.1:0", as("n1"));
  EXPECT_EQ(listening(node_->id()), sockets{"tcp " + address});
  support::process user{"nas_ep", arguments{"--m", "34", "--devices", "host:1", "--nodes", address} + as("user")};
  for (int i = 0; i < 20; ++i) {  // while they work with each other, too
    EXPECT_EQ(listening(node_->id()), sockets{"tcp " + address});
    EXPECT_EQ(listening(user.id()), sockets{});
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_TRUE(user.running());
  user.send(SIGKILL);
  (void)user.wait();
  EXPECT_EQ(listening(node_->id()), sockets{"tcp " + address});
}

TEST_F(Sockets, OfANodeOnIpv6AreTheOneThatItWasTold)
{
  std::string address;
  try {
    address = start("[::1]:0", as("n1"));
  } catch (const std::runtime_error& e) {
    GTEST_SKIP() << "no IPv6: " << e.what();
  }
  EXPECT_EQ(listening(node_->id()), sockets{"tcp6 " + address});
}

TEST_F(Sockets, OfANodeOnAUnixSocketAreThatOne)
{
  std::filesystem::create_directory(all_.folder().path("sockets"));
  std::filesystem::permissions(all_.folder().path("sockets"), std::filesystem::perms::owner_all);
  const auto path = all_.folder().path("sockets/node");
  const auto address = start("unix:" + path, {});
  EXPECT_EQ(address, "unix:" + path);
  EXPECT_EQ(listening(node_->id()), sockets{"unix " + path});
  support::process user{"nas_ep", {"--m", "34", "--devices", "none", "--nodes", address}};
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(listening(node_->id()), sockets{"unix " + path});
    EXPECT_EQ(listening(user.id()), sockets{});
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_TRUE(user.running());
}

TEST_F(Sockets, OfADrainingNodeAreNone)
{
  all_.start(0, {});
  support::process user{"fastgpu_test_coordinator", {all_.folder_of("user"), "none", "8", "1000000", all_.address(0)}};
  std::this_thread::sleep_for(500ms);  // it has begun, and takes a second more for what it has
  all_.send(0, SIGTERM);
  const auto begin = clock::now();
  while (!listening(all_.process(0).id()).empty() && seconds_since(begin) < 10) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(listening(all_.process(0).id()).empty());
}

TEST_F(Sockets, OfAProgramWithoutNodesAreNone)
{
  support::process user{"nas_ep", {"--m", "34", "--devices", "host:2"}};
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(listening(user.id()), sockets{});
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_TRUE(user.running());
}

}  // namespace
