#include "net/session.hpp"  // first: shows that the header stands alone

#include <cstddef>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "support/session_pair.hpp"

namespace {

using fastgpu::errc;
using fastgpu::detail::acknowledge_seal;
using fastgpu::detail::close_job;
using fastgpu::detail::grant_ranges;
using fastgpu::detail::job_progress;
using fastgpu::detail::message;
using fastgpu::detail::take_back;
using support::pair_options;
using support::session_end;
using support::session_pair;

/// Numbers of the take_back messages that came, in order.
std::vector<std::uint32_t> requests_of(const session_end& end)
{
  std::vector<std::uint32_t> requests;
  for (const auto& one : end.heard) requests.push_back(std::get<take_back>(one.what).request);
  return requests;
}

TEST(Session, CarriesMessagesBothWays)
{
  session_pair pair;
  pair.open();
  ASSERT_TRUE(pair.client.talk.open());
  ASSERT_TRUE(pair.server.talk.open());

  pair.client.talk.send(grant_ranges{3, true, 7, {{0, 10}, {20, 25}}});
  pair.server.talk.send(job_progress{3, 11, 5, 6});
  pair.flow();

  ASSERT_EQ(pair.server.heard.size(), 1u);
  const auto& grant = std::get<grant_ranges>(pair.server.heard[0].what);
  EXPECT_EQ(grant.job, 3u);
  EXPECT_TRUE(grant.staged);
  EXPECT_EQ(grant.pieces, 7u);
  EXPECT_EQ(grant.ranges, (std::vector<fastgpu::interval>{{0, 10}, {20, 25}}));
  ASSERT_EQ(pair.client.heard.size(), 1u);
  EXPECT_EQ(std::get<job_progress>(pair.client.heard[0].what).unstarted, 6u);
}

TEST(Session, SendsNothingOfAJobBeforeItIsWelcomed)
{
  session_pair pair;
  pair.server.talk.start();
  pair.client.talk.send(take_back{1, 1, 1});
  pair.client.talk.start();
  pair.client.talk.send(take_back{1, 2, 1});
  const auto hello_bytes = pair.client.stream.size();
  EXPECT_EQ(pair.client.talk.count().bytes_sent, hello_bytes);
  EXPECT_LT(hello_bytes, 200u);
  pair.client.talk.send(take_back{1, 3, 1});
  EXPECT_EQ(pair.client.stream.size(), hello_bytes);

  pair.flow();
  pair.client.talk.send(take_back{1, 4, 1});
  pair.flow();
  EXPECT_EQ(requests_of(pair.server), (std::vector<std::uint32_t>{1, 2, 3, 4}));
}

TEST(Session, SendsWhatGathersDuringAWriteInOneWrite)
{
  session_pair pair;
  pair.open();
  const auto before = pair.client.writes;
  for (std::uint32_t i = 0; i < 100; ++i) pair.client.talk.send(take_back{1, i, 1});
  EXPECT_EQ(pair.client.writes, before + 1);  // the first
  pair.flow();
  EXPECT_EQ(pair.client.writes, before + 2);  // the others
  EXPECT_EQ(pair.server.heard.size(), 100u);
}

TEST(Session, SendsTheAnswersToWhatCameTogetherInOneWrite)
{
  session_pair pair;
  pair.open();
  pair.server.answer = [](session_end& here, message& what) {
    here.talk.send(job_progress{std::get<take_back>(what).request, 0, 0, 0});
  };
  for (std::uint32_t i = 0; i < 100; ++i) pair.client.talk.send(take_back{1, i, 1});
  const auto before = pair.server.writes;
  pair.flow();
  EXPECT_EQ(pair.client.heard.size(), 100u);
  EXPECT_EQ(pair.server.writes, before + 2);
}

TEST(Session, WorksInPortionsOfOneByte)
{
  session_pair pair;
  pair.slice = 1;
  pair.open();
  for (std::uint32_t i = 0; i < 10; ++i) pair.client.talk.send(take_back{1, i, 1});
  pair.server.talk.send(fastgpu::detail::backup_done{4, {1, 2}}, support::payload_of(1001));
  pair.flow();
  EXPECT_EQ(pair.server.heard.size(), 10u);
  ASSERT_EQ(pair.client.heard.size(), 1u);
  EXPECT_EQ(pair.client.heard[0].bytes, *support::payload_of(1001));
}

TEST(Session, ClosesBothEndsWithAGoodbye)
{
  session_pair pair;
  pair.open();
  pair.client.talk.send(take_back{1, 1, 1});
  pair.client.talk.send(take_back{1, 2, 1});
  pair.client.talk.close();
  EXPECT_FALSE(pair.client.talk.open());
  EXPECT_FALSE(pair.client.over());  // before the goodbye is written
  pair.flow();
  EXPECT_EQ(requests_of(pair.server), (std::vector<std::uint32_t>{1, 2}));
  ASSERT_TRUE(pair.client.over());
  ASSERT_TRUE(pair.server.over());
  EXPECT_FALSE(pair.client.code());
  EXPECT_FALSE(pair.server.code());

  pair.server.talk.ended({});
  pair.client.talk.send(take_back{1, 3, 1});
  pair.client.talk.close();
  EXPECT_EQ(pair.server.ends.size(), 1u);
  EXPECT_EQ(pair.client.ends.size(), 1u);
  EXPECT_EQ(pair.client.talk.next_tick(), std::nullopt);
}

TEST(Session, ClosesWhereAGoodbyeCannotBeWritten)
{
  session_pair pair;
  pair.open();
  pair.stuck = true;
  pair.client.talk.close();
  pair.run_until(4.9);
  EXPECT_FALSE(pair.client.over());
  pair.run_until(5.1);
  ASSERT_TRUE(pair.client.over());
  EXPECT_FALSE(pair.client.code());
}

TEST(Session, TakesAnEndWithoutAGoodbyeForALoss)
{
  session_pair pair;
  pair.open();
  pair.client.talk.ended({std::make_error_code(std::errc::connection_reset), "read: connection reset by peer"});
  EXPECT_EQ(pair.client.code(), errc::node_lost);
  EXPECT_EQ(pair.client.reason(), "gpu7: connection lost: read: connection reset by peer");

  pair.server.talk.ended({});
  EXPECT_EQ(pair.server.code(), errc::node_lost);
  EXPECT_EQ(pair.server.reason(), "desk: connection lost: the stream ended");
}

TEST(Session, MayBeClosedInItsOwnNews)
{
  session_pair pair;
  pair.open();
  pair.server.answer = [](session_end& here, message&) { here.talk.close(); };
  pair.client.talk.send(take_back{1, 1, 1});
  pair.client.talk.send(take_back{1, 2, 1});
  pair.flow();
  EXPECT_TRUE(pair.server.over());
  EXPECT_TRUE(pair.client.over());
  EXPECT_FALSE(pair.client.code());
}

TEST(Session, EndsWhereAMessageFitsInNoFrame)
{
  session_pair pair;
  pair.open();
  pair.client.talk.send(grant_ranges{1, false, 0, std::vector<fastgpu::interval>(200'000)});
  EXPECT_EQ(pair.client.code(), errc::internal);
  EXPECT_TRUE(pair.client.reason().starts_with("grant_ranges of 1600")) << pair.client.reason();
}

TEST(Session, RefusesAMessageThatBreaksItsBounds)
{
  session_pair pair;
  pair.open();
  pair.client.talk.send(grant_ranges{1, false, 0, {{5, 3}}});
  pair.flow();
  EXPECT_TRUE(pair.server.heard.empty());
  EXPECT_EQ(pair.server.code(), errc::protocol_error);
  EXPECT_EQ(pair.server.reason(), "desk was refused: grant_ranges: an interval ends before it begins");
  EXPECT_EQ(pair.client.code(), errc::protocol_error);
  EXPECT_EQ(pair.client.reason(), "gpu7 refused: grant_ranges: an interval ends before it begins");
}

TEST(Session, CutsAPeerThatDoesNotRead)
{
  pair_options options;
  options.client_limits.outbound_bytes = 100'000;
  session_pair pair{options};
  pair.open();
  pair.stuck = true;
  std::uint32_t sent = 0;
  for (; sent < 10'000 && !pair.client.over(); ++sent) pair.client.talk.send(take_back{1, sent, 1});
  EXPECT_LT(sent, 100'000u / 24);
  EXPECT_EQ(pair.client.code(), errc::node_lost);
  EXPECT_TRUE(pair.client.reason().starts_with("gpu7: the peer does not read: 100")) << pair.client.reason();
}

/// What both say in a short conversation with everything in it.
TEST(Session, TakesAStreamCutAnywhereForALoss)
{
  std::vector<std::byte> spoken;
  {
    session_pair pair;
    pair.server.talk.start();
    pair.client.talk.start();
    const auto keep = [&] {
      while (!pair.client.stream.empty()) {
        const auto bytes = std::exchange(pair.client.stream, {});
        spoken.insert(spoken.end(), bytes.begin(), bytes.end());
        pair.client.talk.written(bytes.size());
        pair.server.talk.received(bytes);
        pair.flow();
      }
    };
    keep();
    pair.client.talk.send(take_back{1, 1, 1});
    keep();
    pair.client.talk.send(fastgpu::detail::job_data_piece{1, 0, {0, 0, 0}, {10, 1, 1}}, support::payload_of(40));
    keep();
    pair.client.talk.close();
    keep();
    ASSERT_FALSE(pair.server.code());
    ASSERT_EQ(pair.server.heard.size(), 2u);
  }
  for (std::size_t bytes = 0; bytes < spoken.size(); ++bytes) {
    session_pair pair;
    pair.server.talk.start();
    pair.server.talk.received(std::span{spoken}.first(bytes));
    pair.server.talk.ended({});
    ASSERT_EQ(pair.server.code(), errc::node_lost) << bytes;
    ASSERT_EQ(pair.server.ends.size(), 1u);
    ASSERT_LE(pair.server.heard.size(), 2u);
  }
  session_pair pair;
  pair.server.talk.start();
  pair.server.talk.received(spoken);
  pair.server.talk.ended({});
  EXPECT_FALSE(pair.server.code());
  EXPECT_EQ(pair.server.heard.size(), 2u);
}

}  // namespace
