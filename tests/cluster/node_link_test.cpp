#include "cluster/node_link.hpp"  // first: shows that the header stands alone

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "cluster/node_control.hpp"
#include "cluster/node_directory.hpp"
#include "net/authority.hpp"
#include "support/failure_of.hpp"
#include "support/folder.hpp"
#include "support/strange_node.hpp"

/// @file
/// Nodes that are not as they should be, as a coordinator's side sees them.

namespace {

namespace net = fastgpu::detail;
using fastgpu::errc;
using support::strange_node;

class NodeLink : public testing::Test {
 protected:
  [[nodiscard]] std::string socket() const { return "unix:" + folder_.path("n"); }
  /// Ends with the test, where a call must not take for ever.
  [[nodiscard]] static double seconds_since(std::chrono::steady_clock::time_point begin)
  {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  support::folder folder_;
};

TEST_F(NodeLink, HasTheNameInTheNodesCertificate)
{
  net::create_credentials(folder_.path("c"), {.nodes = {"gpu7"}, .clients = {"me"}});
  const auto of = [&](const char* name) { return fastgpu::credentials::load(folder_.path("c/") + name); };
  const auto names_itself = [](net::session_self& self) { self.name = "gpu8"; };
  const auto offers = [](net::connection& to) {
    fastgpu::device_info device;
    device.name = "host:2";
    to.send(net::describe_node{{device}, false});
  };
  const strange_node certified{"127.0.0.1:0", of("gpu7"), names_itself, offers};
  const strange_node local{socket(), std::nullopt, names_itself, offers};
  net::node_directory all;
  all.add({.address = certified.address(), .credentials = of("me"), .worker = {}});
  all.add({.address = local.address(), .credentials = {}, .worker = {}});
  const auto devices = all.devices();
  ASSERT_EQ(devices.size(), 2u);
  EXPECT_EQ(devices[0].name, "gpu7/host:2");
  EXPECT_EQ(devices[1].name, "gpu8/host:2");  // it has no other
}

TEST_F(NodeLink, DoesNotWaitForANodeThatDoesNotSayWhatItOffers)
{
  const strange_node mute{socket(), std::nullopt, [](net::session_self&) {}};
  net::node_directory all;
  net::session_limits limits;
  limits.handshake = fastgpu::seconds{0.3};
  const auto begin = std::chrono::steady_clock::now();
  all.add({.address = mute.address(), .credentials = {}, .limits = limits, .worker = {}});
  EXPECT_LT(seconds_since(begin), 4);
  EXPECT_EQ(all.trouble(), "n2: it does not say what it offers");
}

TEST_F(NodeLink, IsToldWhereANodeDoesNotHearThatItIsToDrain)
{
  const strange_node deaf{socket(), std::nullopt, [](net::session_self&) {}};
  const auto begin = std::chrono::steady_clock::now();
  const auto why = support::failure_of([&] { net::drain_node(deaf.address(), std::nullopt); });
  EXPECT_EQ(why.code, errc::node_lost);
  EXPECT_EQ(why.detail, deaf.address() + ": it does not answer");
  EXPECT_LT(seconds_since(begin), 20);
}

TEST_F(NodeLink, StartsNoWorkerOnceItHasLeft)
{
  net::network on;
  int news = 0;
  std::unique_ptr<net::node_link> link;
  on.run([&] {
    net::worker_options worker;
    worker.program = folder_.path("nobody");
    link = std::make_unique<net::node_link>(
        on, fastgpu::node_id{1}, net::node_link_options{.address = "w", .credentials = {}, .worker = worker},
        [&] { ++news; });
    link->connect();
    link->leave();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds{300});  // the first new try comes within 100 ms
  on.run([&] {
    EXPECT_EQ(link->attempts(), 1u);
    EXPECT_EQ(news, 0);
    link.reset();
  });
}

}  // namespace
