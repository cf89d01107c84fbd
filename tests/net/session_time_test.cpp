#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/raw_peer.hpp"
#include "support/session_pair.hpp"

/// @file
/// What happens as time passes: heartbeats, silence, and peers that take theirs.

namespace {

using fastgpu::errc;
using fastgpu::seconds;
using fastgpu::detail::take_back;
using support::pair_options;
using support::session_pair;

TEST(SessionTime, HearsHeartbeatsWhileNobodySpeaks)
{
  session_pair pair;
  pair.open();
  const auto writes = pair.client.writes;
  pair.run_until(100.25);
  EXPECT_TRUE(pair.client.talk.open());
  EXPECT_TRUE(pair.server.talk.open());
  EXPECT_TRUE(pair.client.suspicions.empty());
  EXPECT_EQ(pair.client.writes - writes, 200u);
}

TEST(SessionTime, SendsNoHeartbeatsWhileItSpeaks)
{
  session_pair pair;
  pair.open();
  const auto writes = pair.client.writes;
  for (std::uint32_t i = 1; i <= 100; ++i) {
    pair.client.talk.send(take_back{1, i, 1});
    pair.run_until(0.4 * i);
  }
  EXPECT_EQ(pair.client.writes - writes, 100u);
}

TEST(SessionTime, SuspectsASilentPeerAndThenGivesItUp)
{
  session_pair pair;
  pair.open();
  pair.server.frozen = true;
  pair.run_until(10);
  ASSERT_EQ(pair.client.suspicions.size(), 1u);
  EXPECT_DOUBLE_EQ(pair.client.suspicions[0].first, 2.0);
  EXPECT_TRUE(pair.client.suspicions[0].second);
  ASSERT_EQ(pair.client.ends.size(), 1u);
  EXPECT_DOUBLE_EQ(pair.client.ends[0].first, 5.0);
  EXPECT_EQ(pair.client.code(), errc::node_lost);
  EXPECT_EQ(pair.client.reason(), "gpu7: nothing heard for 5.0 s");
}

TEST(SessionTime, IsAsQuickAsItIsTold)
{
  pair_options options;
  options.client_limits.heartbeat_every = options.server_limits.heartbeat_every = seconds{0.25};
  options.client_limits.suspect_after = seconds{1.0};
  options.client_limits.dead_after = seconds{1.5};
  session_pair pair{options};
  pair.open();
  pair.run_until(20.0);
  EXPECT_TRUE(pair.client.suspicions.empty());
  pair.cut = true;  // a partition: both speak, nobody hears
  pair.run_until(30);
  ASSERT_EQ(pair.client.suspicions.size(), 1u);
  EXPECT_NEAR(pair.client.suspicions[0].first, 20.9, 0.2);
  ASSERT_EQ(pair.client.ends.size(), 1u);
  EXPECT_NEAR(pair.client.ends[0].first, 21.4, 0.2);
  EXPECT_EQ(pair.client.reason(), "gpu7: nothing heard for 1.5 s");
  ASSERT_EQ(pair.server.ends.size(), 1u);
  EXPECT_NEAR(pair.server.ends[0].first, 24.9, 0.2);
}

TEST(SessionTime, TakesASuspicionBack)
{
  session_pair pair;
  pair.open();
  pair.cut = true;
  pair.run_until(3);
  EXPECT_TRUE(pair.client.talk.suspect());
  pair.cut = false;
  // The frames of three seconds are missing: this is no longer the session it was.
  pair.run_until(4);
  EXPECT_EQ(pair.client.suspicions.size(), 2u);
  EXPECT_FALSE(pair.client.suspicions[1].second);
  EXPECT_EQ(pair.client.code(), errc::protocol_error);
}

TEST(SessionTime, ForgivesAPeerThatFrozeForAWhile)
{
  session_pair pair;
  pair.open();
  pair.stuck = true;
  pair.run_until(3);
  EXPECT_TRUE(pair.client.talk.suspect());
  pair.stuck = false;
  pair.run_until(20);
  ASSERT_EQ(pair.client.suspicions.size(), 2u);
  EXPECT_FALSE(pair.client.suspicions[1].second);
  EXPECT_TRUE(pair.client.talk.open());
  EXPECT_FALSE(pair.client.talk.suspect());
}

TEST(SessionTime, GivesUpAHandshakeThatTakesTooLong)
{
  session_pair pair;
  pair.cut = true;
  pair.start();
  pair.run_until(10);
  ASSERT_EQ(pair.client.ends.size(), 1u);
  EXPECT_DOUBLE_EQ(pair.client.ends[0].first, 5.0);
  EXPECT_EQ(pair.client.code(), errc::node_unreachable);
  EXPECT_EQ(pair.client.reason(), "gpu7: no welcome within 5.0 s");
  EXPECT_EQ(pair.server.code(), errc::protocol_error);
  EXPECT_EQ(pair.server.reason(), "desk: no hello within 5.0 s");
}

TEST(SessionTime, GivesUpAHandshakeThatComesByteByByte)
{
  session_pair pair;
  pair.start();
  const auto hello = std::exchange(pair.client.stream, {});
  for (std::size_t i = 0; i + 1 < hello.size() && !pair.server.over(); ++i) {
    pair.server.talk.received(std::span{hello}.subspan(i, 1));
    pair.run_until(pair.clock.now().count + 0.1);
  }
  EXPECT_EQ(pair.server.reason(), "desk: no hello within 5.0 s");
}

/// A client that was welcomed and then sends one frame, slowly.
struct dripping {
  session_pair pair;
  std::vector<std::byte> frame;

  explicit dripping(std::size_t bytes)
  {
    support::raw_peer client;
    pair.server.talk.start();
    pair.server.talk.received(client.hello());
    pair.flow();
    frame = client.frame(fastgpu::detail::frame_type::piece, std::vector<std::byte>(bytes));
  }
  void drip(std::size_t bytes_a_second, double for_s)
  {
    for (std::size_t at = 0; at < frame.size() && !pair.server.over(); at += bytes_a_second / 10) {
      if (pair.clock.now().count > for_s) return;
      pair.server.talk.received(std::span{frame}.subspan(at, std::min(bytes_a_second / 10, frame.size() - at)));
      pair.run_until(pair.clock.now().count + 0.1);
    }
  }
};

TEST(SessionTime, CutsAFrameThatComesTooSlowly)
{
  dripping slow{200'000};
  slow.drip(1000, 60);
  EXPECT_EQ(slow.pair.server.code(), errc::protocol_error);
  EXPECT_TRUE(slow.pair.server.reason().starts_with("desk was refused: a frame came too slowly: "))
      << slow.pair.server.reason();
  EXPECT_NEAR(slow.pair.server.ends.at(0).first, 10, 0.2);
}

TEST(SessionTime, BearsAFrameThatComesSlowlyEnough)
{
  dripping slow{200'000};
  slow.drip(1100, 60);
  EXPECT_FALSE(slow.pair.server.over()) << slow.pair.server.reason();
}

TEST(SessionTime, CutsAFrameThatStopsAfterAGoodStart)
{
  dripping slow{200'000};
  slow.drip(100'000, 1);
  slow.pair.server.talk.tick();
  for (int i = 0; i < 40 && !slow.pair.server.over(); ++i) {  // one byte keeps it from being taken for dead
    slow.pair.server.talk.received(std::vector<std::byte>(1));
    slow.pair.run_until(slow.pair.clock.now().count + 1);
  }
  EXPECT_EQ(slow.pair.server.code(), errc::protocol_error);
  EXPECT_LE(slow.pair.server.ends.at(0).first, 21);
}

}  // namespace
