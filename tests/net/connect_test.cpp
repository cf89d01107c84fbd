#include "net/connect.hpp"

#include <sys/socket.h>

#include <gmock/gmock.h>

#include "net/address.hpp"
#include "net/socket.hpp"
#include "support/io_world.hpp"
#include "support/refusal.hpp"

namespace {

using namespace support;
using fastgpu::errc;
using testing::HasSubstr;
using testing::StartsWith;

class Connect : public testing::Test {
 protected:
  fastgpu::failure failure_at(const std::string& where, net::connect_options options = {})
  {
    held_attempt client{world, where, shared_cluster().of("me"), options};
    EXPECT_FALSE(client.done);  // never from within the call
    EXPECT_TRUE(world.run_until([&] { return client.done; }));
    EXPECT_FALSE(client.held);
    EXPECT_EQ(client.failed.detail.find('\n'), std::string::npos);
    return client.failed;
  }
  io_world world;
};

TEST_F(Connect, SaysThatNobodyListens)
{
  std::string where;
  {
    const held_listener gone{world, "127.0.0.1:0", shared_cluster().of("gpu7")};
    where = gone.listener.address();
  }
  world.run_for(1ms);
  const auto why = failure_at(where);
  EXPECT_EQ(why.code, errc::node_unreachable);
  EXPECT_EQ(why.detail, where + ": Connection refused");
  EXPECT_EQ(failure_at("unix:/nonexistent/socket").code, errc::node_unreachable);
}

TEST_F(Connect, SaysThatAHostIsNotKnown)
{
  const auto why = failure_at("no-such-host.invalid:7400");
  EXPECT_EQ(why.code, errc::node_unreachable);
  EXPECT_THAT(why.detail, StartsWith("no-such-host.invalid:7400: "));
}

TEST_F(Connect, GivesUpAfterItsDeadline)
{
  // A socket that listens and whose process does nothing: the connection is made, the handshake is not.
  const int deaf = net::listen_on(net::parse_address("127.0.0.1:0")).release();
  const auto where = "127.0.0.1:" + std::to_string(net::port_of(deaf));
  const auto before = std::chrono::steady_clock::now();
  const auto why = failure_at(where, {.deadline = fastgpu::seconds{0.3}});
  const auto took = std::chrono::steady_clock::now() - before;
  ::close(deaf);
  EXPECT_EQ(why.code, errc::node_unreachable);
  EXPECT_EQ(why.detail, where + ": no answer in time");
  EXPECT_GE(took, 290ms);
  EXPECT_LE(took, 1500ms);
}

TEST_F(Connect, FindsAHostByItsName)
{
  held_listener server{world, "localhost:0", shared_cluster().of("gpu7")};
  held_attempt client{world, server.listener.address(), shared_cluster().of("me")};
  ASSERT_TRUE(world.run_until([&] { return client.done; }));
  EXPECT_TRUE(client.held) << client.failed.detail;
}

TEST_F(Connect, HoldsANodeToItsName)
{
  held_listener server{world, "127.0.0.1:0", shared_cluster().of("gpu7")};
  held_attempt right{world, "gpu7@" + server.listener.address(), shared_cluster().of("me")};
  ASSERT_TRUE(world.run_until([&] { return right.done; }));
  EXPECT_TRUE(right.held) << right.failed.detail;
  const auto why = failure_at("gpu8@" + server.listener.address());
  EXPECT_EQ(why.code, errc::refused);
  EXPECT_EQ(why.detail, server.listener.address() + ": it is named 'gpu7', not 'gpu8'");
}

TEST_F(Connect, NeedsCredentialsForTcp)
{
  EXPECT_EQ(refusal([&] {
              return net::connect(world.io, "127.0.0.1:1", {}, [](auto) {});
            }),
            errc::credentials_error);
  EXPECT_EQ(refusal([&] {
              return net::connect(world.io, "nonsense", {}, [](auto) {});
            }),
            errc::invalid_argument);
}

TEST_F(Connect, IsCalledOffWithItsAttempt)
{
  held_listener server{world, "127.0.0.1:0", shared_cluster().of("gpu7")};
  for (int turns = 0; turns < 12; ++turns) {  // at each step of it
    bool called = false;
    {
      const auto attempt =
          net::connect(world.io, server.listener.address(), shared_cluster().of("me"), [&](auto) { called = true; });
      for (int i = 0; i < turns && !called; ++i) world.io.run_one_for(100ms);
      world.io.restart();
    }
    const bool before = called;
    world.run_for(20ms);
    EXPECT_EQ(called, before);
  }
}

TEST_F(Connect, LetsANodeDialIn)
{
  held_listener coordinator{world, "127.0.0.1:0", shared_cluster().of("me"), {.accepts = net::role::node}};
  held_attempt node{world, coordinator.listener.address(), shared_cluster().of("gpu7"), {.expects = net::role::submit}};
  ASSERT_TRUE(world.run_until([&] { return node.done && !coordinator.streams.empty(); }));
  ASSERT_TRUE(node.held) << node.failed.detail;
  EXPECT_EQ(coordinator.streams.front()->stream.peer().name, "gpu7");
}

TEST(ReconnectDelay, DoublesItsBoundFrom100MillisecondsTo10Seconds)
{
  constexpr auto most = ~std::uint64_t{0};
  const double expected[] = {0.1, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10};
  for (std::uint32_t failures = 0; failures < 10; ++failures) {
    EXPECT_NEAR(net::reconnect_delay(failures, most).count, expected[failures], 1e-9) << failures;
    EXPECT_NEAR(net::reconnect_delay(failures, most / 2).count, expected[failures] / 2, 1e-9);
    EXPECT_EQ(net::reconnect_delay(failures, 0).count, 0);
  }
  EXPECT_NEAR(net::reconnect_delay(4'000'000'000, most).count, 10, 1e-9);
}

}  // namespace
