#include "net/stream.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <future>

#include <gtest/gtest.h>

#include "net/address.hpp"
#include "support/io_world.hpp"
#include "support/raw_tls.hpp"

namespace {

using namespace support;
using fastgpu::errc;
using net::role;

class Stream : public testing::Test {
 protected:
  /// A client and the server's end of it.
  void connect(const std::string& where)
  {
    server.emplace(world, where, shared_cluster().of("gpu7"));
    client.emplace(world, server->listener.address(), shared_cluster().of("me"));
    ASSERT_TRUE(world.run_until([&] { return client->done && !server->streams.empty(); }))
        << (server->refusals.empty() ? "" : server->refusals.front());
    ASSERT_TRUE(client->held) << client->failed.detail;
  }
  held_stream& near() { return *client->held; }
  held_stream& far() { return *server->streams.front(); }

  io_world world;
  std::optional<held_listener> server;
  std::optional<held_attempt> client;
};

TEST_F(Stream, CarriesBytesBothWaysOverMutualTls)
{
  connect("127.0.0.1:0");
  EXPECT_EQ(near().stream.peer().name, "gpu7");
  EXPECT_EQ(near().stream.peer().roles, role::node);
  EXPECT_EQ(far().stream.peer().name, "me");
  EXPECT_EQ(far().stream.peer().roles, role::submit | role::observe);

  near().stream.write(bytes_of("hello"));
  far().stream.write(bytes_of("welcome"));
  EXPECT_TRUE(world.run_until([&] { return near().received == "welcome" && far().received == "hello"; }));
  EXPECT_TRUE(world.run_until([&] { return near().written == 5 && near().stream.unwritten() == 0; }));
}

TEST_F(Stream, CarriesLargeAndSmallWritesIntactBothWaysAtOnce)
{
  connect("127.0.0.1:0");
  constexpr std::size_t total = 64 << 20;
  // Byte i of each direction is a function of i, so that what comes can be checked as it comes.
  const auto byte_at = [](std::size_t i, int salt) { return static_cast<std::byte>((i * 2654435761u + salt) >> 7); };
  std::size_t seen[2] = {};
  bool intact = true;
  const auto check = [&](int direction) {
    return [&, direction](std::span<const std::byte> some) {
      for (const auto b : some) intact &= b == byte_at(seen[direction]++, direction);
    };
  };
  near().on_bytes = check(0);
  far().on_bytes = check(1);

  for (const int direction : {0, 1}) {
    auto& from = (direction == 0 ? far() : near()).stream;
    std::size_t at = 0;
    for (std::size_t size = 1; at < total; size = size * 3 % 1'000'003 + 1) {
      std::vector<std::byte> piece(std::min(size, total - at));
      for (auto& b : piece) b = byte_at(at++, direction);
      from.write(std::move(piece));
    }
  }
  EXPECT_TRUE(world.run_until([&] { return seen[0] == total && seen[1] == total; }, 60s)) << seen[0] << " " << seen[1];
  EXPECT_TRUE(intact);
  EXPECT_TRUE(world.run_until([&] { return near().written == total && far().written == total; }));
}

TEST_F(Stream, SendsWhatIsQueuedBeforeItCloses)
{
  connect("127.0.0.1:0");
  near().stream.write(std::vector<std::byte>(8 << 20));
  near().stream.write(bytes_of("goodbye"));
  near().stream.close();
  EXPECT_TRUE(world.run_until([&] { return near().ended && far().ended; }));
  EXPECT_EQ(far().received.size(), (8u << 20) + 7);
  EXPECT_TRUE(far().received.ends_with("goodbye"));
  EXPECT_FALSE(near().ended->code);  // it was asked to
  EXPECT_EQ(far().ended->code, errc::node_lost);
  EXPECT_NE(far().ended->detail.find("closed the connection"), std::string::npos) << far().ended->detail;
}

TEST_F(Stream, SendsWhatIsQueuedWhenItIsClosedAndDestroyed)
{
  connect("127.0.0.1:0");
  near().stream.write(bytes_of("goodbye"));
  near().stream.close();
  client.reset();
  EXPECT_TRUE(world.run_until([&] { return far().ended.has_value(); }));
  EXPECT_EQ(far().received, "goodbye");
}

TEST_F(Stream, TakesACutConnectionForAnError)
{
  connect("127.0.0.1:0");
  near().stream.abort();  // no farewell: TLS calls it truncated
  EXPECT_TRUE(world.run_until([&] { return far().ended.has_value(); }));
  EXPECT_EQ(far().ended->code, errc::node_lost);
  EXPECT_NE(far().ended->detail.find("was lost"), std::string::npos) << far().ended->detail;
  EXPECT_FALSE(near().ended);  // whoever aborts knows
}

TEST_F(Stream, CallsNothingOnceItIsDestroyedEvenFromItsOwnHandler)
{
  connect("127.0.0.1:0");
  near().on_bytes = [&](std::span<const std::byte>) { client.reset(); };
  far().stream.write(bytes_of("first"));
  far().stream.write(bytes_of("second"));
  EXPECT_TRUE(world.run_until([&] { return !client; }));
  EXPECT_TRUE(world.run_until([&] { return far().ended.has_value(); }));
}

TEST_F(Stream, SaysHowMuchWaitsForAPeerThatDoesNotRead)
{
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  held_stream here{net::adopt_socket(world.io, pair[0], {"worker", role::node})};
  here.stream.write(std::vector<std::byte>(32 << 20));
  world.run_for(200ms);
  EXPECT_GT(here.stream.unwritten(), 16u << 20);
  EXPECT_EQ(here.stream.unwritten() + here.written, 32u << 20);
  EXPECT_GT(here.stream.in_socket(), 0u);
  EXPECT_FALSE(here.ended);  // whether that is too much, its owner decides
  here.stream.close();
  EXPECT_TRUE(world.run_until([&] { return here.ended.has_value(); }, 4s));  // after its two seconds
  ::close(pair[1]);
}

// Its machine goes on to acknowledge, and keepalive finds nothing wrong: what ends it is TCP_USER_TIMEOUT.
TEST_F(Stream, EndsWhereThePeerTakesNothingForTheDeadTime)
{
  held_listener node{world, "127.0.0.1:0", shared_cluster().of("gpu7"), {.dead_after = fastgpu::seconds{1.0}}};
  const auto shown = read_credentials(shared_cluster().path("me"));
  const auto context = raw_context(false, shown, {});
  const auto socket = raw_connect(net::parse_address(node.listener.address()).port);
  const tls_ptr deaf{SSL_new(context.get())};
  SSL_set_fd(deaf.get(), socket.get());
  auto handshake = std::async(std::launch::async, [&] { return SSL_connect(deaf.get()); });
  ASSERT_TRUE(world.run_until([&] { return !node.streams.empty(); }));
  ASSERT_EQ(handshake.get(), 1);

  auto& stuck = *node.streams.front();
  stuck.stream.write(std::vector<std::byte>(64 << 20));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(stuck.stream.in_socket(), 0u);  // nothing was written yet
  EXPECT_TRUE(world.run_until([&] { return stuck.stream.in_socket() > 0; }));
  EXPECT_TRUE(world.run_until([&] { return stuck.ended.has_value(); }));
  EXPECT_EQ(stuck.stream.in_socket(), 0u);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 900ms);
  EXPECT_LE(std::chrono::steady_clock::now() - begin, 6s);
  EXPECT_EQ(stuck.ended->code, errc::node_lost);
  EXPECT_EQ(node.listener.count().authenticated, 0u);
}

TEST_F(Stream, WorksOverASocketPair)
{
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  held_stream a{net::adopt_socket(world.io, pair[0], {"worker", role::node})};
  held_stream b{net::adopt_socket(world.io, pair[1], {"parent", role::submit})};
  EXPECT_EQ(a.stream.peer().name, "worker");
  for (int i = 0; i < 1000; ++i) a.stream.write(bytes_of("0123456789"));
  b.stream.write(bytes_of("back"));
  EXPECT_TRUE(world.run_until([&] { return b.received.size() == 10'000 && a.received == "back"; }));
  a.stream.close();
  EXPECT_TRUE(world.run_until([&] { return b.ended && a.ended; }));
}

TEST_F(Stream, SurvivesAPeerThatIsGoneWithoutASignal)
{
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  held_stream a{net::adopt_socket(world.io, pair[0], {"worker", role::node})};
  ::close(pair[1]);
  a.stream.write(std::vector<std::byte>(1 << 20));  // SIGPIPE would end the test
  EXPECT_TRUE(world.run_until([&] { return a.ended.has_value(); }));
  EXPECT_EQ(a.ended->code, errc::node_lost);
}

TEST_F(Stream, RefusesToAdoptWhatIsNoSocket)
{
  EXPECT_THROW((void)net::adopt_socket(world.io, -1, {}), fastgpu::error);
}

}  // namespace
