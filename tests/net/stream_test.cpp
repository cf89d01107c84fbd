#include "net/stream.hpp"

#include <sys/socket.h>

#include <gtest/gtest.h>

#include "support/io_world.hpp"

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

}  // namespace
