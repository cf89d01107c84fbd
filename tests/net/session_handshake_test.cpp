#include "net/handshake.hpp"  // first: shows that the header stands alone

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/raw_peer.hpp"
#include "support/session_pair.hpp"

/// @file
/// How sessions begin, and why some do not.

namespace {

using fastgpu::errc;
using fastgpu::detail::describe_node;
using fastgpu::detail::frame_type;
using fastgpu::detail::role;
using fastgpu::detail::take_back;
using support::pair_options;
using support::poke;
using support::raw_peer;
using support::session_pair;

TEST(SessionHandshake, TellsEachEndWhoTheOtherIs)
{
  session_pair pair;
  pair.open();
  EXPECT_EQ(pair.client.opened_count, 1u);
  EXPECT_EQ(pair.server.opened_count, 1u);
  EXPECT_EQ(pair.client.talk.peer_self().name, "gpu7");
  EXPECT_TRUE(pair.client.talk.peer_self().server);
  EXPECT_EQ(pair.server.talk.peer_self().name, "desk");
  EXPECT_EQ(pair.server.talk.peer_self().wanted, role::submit);
  EXPECT_EQ(pair.server.talk.peer_self().build, "g++ 12 -O3");
  EXPECT_EQ(pair.server.talk.peer().name, "desk");
}

TEST(SessionHandshake, LetsANodeDialIn)
{
  pair_options options;
  options.client.wanted = role::node;
  options.client_identity = {"gpu7", role::node};
  options.server_identity = {"desk", role::submit};
  session_pair pair{options};
  pair.open();
  pair.client.talk.send(describe_node{});
  pair.server.talk.send(take_back{1, 1, 1});
  pair.flow();
  EXPECT_EQ(pair.client.heard.size(), 1u);
  EXPECT_EQ(pair.server.heard.size(), 1u);
  EXPECT_TRUE(pair.client.talk.open());
  EXPECT_TRUE(pair.server.talk.open());
}

/// Neither end opens, and both have `code` and a reason that contains `words`.
void expect_refused(const pair_options& options, errc code, const std::vector<std::string>& words)
{
  session_pair pair{options};
  pair.client.talk.send(take_back{1, 1, 1});
  pair.open();
  EXPECT_EQ(pair.client.opened_count, 0u);
  EXPECT_TRUE(pair.server.heard.empty());
  EXPECT_EQ(pair.client.code(), code);
  EXPECT_EQ(pair.server.code(), code);
  for (const auto& word : words) {
    EXPECT_NE(pair.client.reason().find(word), std::string::npos) << pair.client.reason();
    EXPECT_NE(pair.server.reason().find(word), std::string::npos) << pair.server.reason();
  }
}

TEST(SessionHandshake, RefusesAnotherVersionOfTheLibrary)
{
  pair_options options;
  options.client.library = "0.2.0";
  expect_refused(options, errc::build_mismatch, {"library version", "\"0.1.0\"", "\"0.2.0\""});
}

TEST(SessionHandshake, RefusesAnotherBuild)
{
  pair_options options;
  options.client.build = "clang++ 14 -ffast-math";
  expect_refused(options, errc::build_mismatch, {"\"g++ 12 -O3\"", "\"clang++ 14 -ffast-math\""});
}

TEST(SessionHandshake, RefusesARoleThatTheIdentityDoesNotHold)
{
  pair_options options;
  options.client_identity.roles = role::observe | role::node;
  expect_refused(options, errc::refused, {"desk may not be: submit"});
}

TEST(SessionHandshake, RefusesWhoWantsToBeNothingOrBoth)
{
  pair_options options;
  options.client_identity.roles = role::node | role::submit | role::observe | role::operate;
  options.client.wanted = role::none;
  expect_refused(options, errc::refused, {"nobody can be: none"});
  options.client.wanted = role::node | role::submit;
  options.server_identity.roles = role::node | role::submit;
  expect_refused(options, errc::refused, {"nobody can be: node, submit"});
}

TEST(SessionHandshake, RefusesAServerThatMayNotBeOne)
{
  pair_options options;
  options.server_identity.roles = role::submit | role::observe | role::operate;
  expect_refused(options, errc::refused, {"gpu7 may not be: node"});
  options.client.wanted = role::node;
  options.client_identity.roles = role::node;
  options.server_identity.roles = role::node | role::observe | role::operate;
  expect_refused(options, errc::refused, {"gpu7 may not be: submit"});
}

/// What a server answers to `bytes`, as the reason of a client that hears it.
std::string answer_to(const std::vector<std::byte>& bytes)
{
  session_pair pair;
  pair.server.talk.start();
  pair.server.talk.received(bytes);
  const auto answer = std::exchange(pair.server.stream, {});
  pair.server.talk.written(answer.size());
  EXPECT_EQ(pair.server.opened_count, 0u);
  EXPECT_EQ(pair.server.code(), errc::protocol_error) << pair.server.reason();
  pair.client.talk.start();
  pair.client.talk.received(answer);
  return pair.client.reason();
}

TEST(SessionHandshake, NamesBothVersionsOfTheProtocol)
{
  auto hello = raw_peer{}.hello();
  poke(hello, support::at_version, std::uint16_t{7});
  EXPECT_EQ(answer_to(hello), "gpu7 refused: protocol version 7 came, version 1 is spoken here");
}

TEST(SessionHandshake, RefusesWhatIsNoHello)
{
  raw_peer peer;
  EXPECT_EQ(answer_to(peer.message(take_back{1, 1, 1})),
            "gpu7 refused: a frame of type 19 came where it has no place");
  EXPECT_EQ(answer_to(raw_peer{}.welcome()), "gpu7 refused: a frame of type 2 came where it has no place");
  EXPECT_EQ(answer_to(raw_peer{}.frame(frame_type::goodbye)),
            "gpu7 refused: a frame of type 4 came where it has no place");
  EXPECT_EQ(answer_to(raw_peer{}.frame(frame_type::hello, std::vector<std::byte>(100))),
            "gpu7 refused: hello: it does not follow the schema");
  const std::string http = "GET / HTTP/1.1\r\nHost: gpu7\r\n\r\n";
  const auto bytes = std::as_bytes(std::span{http});
  EXPECT_EQ(answer_to({bytes.begin(), bytes.end()}), "gpu7 refused: what came is no frame of fastgpu's");
}

TEST(SessionHandshake, RefusesALongHelloBeforeItIsThere)
{
  auto hello = raw_peer{}.hello();
  poke(hello, support::at_body_bytes, std::uint32_t{4097});
  hello.resize(24);
  EXPECT_EQ(answer_to(hello), "gpu7 refused: a frame of 4097 bytes came where 4096 are allowed");
}

TEST(SessionHandshake, RefusesToGreetTwice)
{
  raw_peer peer;
  session_pair pair;
  pair.server.talk.start();
  pair.server.talk.received(peer.hello());
  EXPECT_TRUE(pair.server.talk.open());
  pair.server.talk.received(peer.hello());
  pair.flow();
  EXPECT_EQ(pair.server.code(), errc::protocol_error);
}

/// A client that is spoken to by a raw peer; closed or not.
std::error_code code_of_client(const std::vector<std::vector<std::byte>>& frames)
{
  session_pair pair;
  pair.client.talk.start();
  for (const auto& one : frames) pair.client.talk.received(one);
  pair.client.talk.written(pair.client.stream.size());
  return pair.client.code();
}

TEST(SessionHandshake, ExpectsAWelcomeAndNothingElse)
{
  raw_peer peer;
  EXPECT_EQ(code_of_client({peer.welcome()}), std::error_code{});
  EXPECT_EQ(code_of_client({peer.welcome()}), errc::protocol_error);  // frame 1 where 0 should come
  EXPECT_EQ(code_of_client({raw_peer{}.hello()}), errc::protocol_error);
  EXPECT_EQ(code_of_client({raw_peer{}.frame(frame_type::goodbye)}), errc::protocol_error);
  EXPECT_EQ(code_of_client({raw_peer{}.frame(frame_type::heartbeat)}), errc::protocol_error);
  EXPECT_EQ(code_of_client({raw_peer{}.message(describe_node{})}), errc::protocol_error);
  EXPECT_EQ(code_of_client({raw_peer{}.frame(frame_type::refused, std::vector<std::byte>(64))}), errc::protocol_error);
}

TEST(SessionHandshake, TakesNothingMoreFromAPeerThatItRefused)
{
  pair_options options;
  options.client_identity.roles = role::none;
  session_pair pair{options};
  pair.server.talk.start();
  raw_peer peer;
  pair.server.talk.received(peer.hello());
  pair.server.talk.received(peer.hello());
  pair.server.talk.received(peer.message(take_back{1, 1, 1}));
  EXPECT_FALSE(pair.server.over());  // the refusal is not written yet
  EXPECT_EQ(pair.server.writes, 1u);
  pair.flow();
  EXPECT_EQ(pair.server.code(), errc::refused);
  EXPECT_TRUE(pair.server.heard.empty());
}

TEST(SessionHandshake, ShortensALongRefusal)
{
  pair_options options;
  options.client.build = std::string(3000, 'c');
  options.server.build = std::string(3000, 's');
  session_pair pair{options};
  pair.open();
  EXPECT_EQ(pair.client.code(), errc::build_mismatch);
  EXPECT_LT(pair.client.reason().size(), 1100u);
}

}  // namespace
