#include "net/connection.hpp"  // first: shows that the header stands alone

#include <sys/socket.h>

#include <chrono>
#include <future>
#include <memory>

#include <gtest/gtest.h>

#include "net/self.hpp"
#include "net/socket.hpp"

namespace {

namespace net = fastgpu::detail;

struct owner final : net::connection_owner {
  void opened(net::connection&) override {}
  void received(net::connection&, net::message&&, net::payload&&) override {}
  void suspected(net::connection&, bool) override {}
  void closed(net::connection&, const fastgpu::failure&) override { over.set_value(); }
  std::promise<void> over;
};

TEST(Connection, ClosesOverAStreamThatHasEndedBefore)
{
  int ends[2] = {};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const net::owned_descriptor other{ends[1]};
  net::network on;
  owner me;
  std::unique_ptr<net::connection> one;
  on.run([&] {
    auto stream = net::adopt_socket(on.io(), ends[0], {"peer", net::role::node});
    stream.abort();
    one = std::make_unique<net::connection>(on, std::move(stream), net::this_process("me"), me);
    one->close();
  });
  EXPECT_EQ(me.over.get_future().wait_for(std::chrono::seconds{20}), std::future_status::ready);
  on.run([&] { one.reset(); });
}

}  // namespace
