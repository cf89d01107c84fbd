#include "net/dispatch.hpp"  // first: shows that the header stands alone

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "net/random_message.hpp"
#include "support/raw_peer.hpp"
#include "support/session_pair.hpp"

/// @file
/// Who may say what, through real sessions: every message type, from either end, with every set of roles that a client
/// can hold and ask for.

namespace {

using fastgpu::errc;
using fastgpu::detail::dispatch_table;
using fastgpu::detail::has;
using fastgpu::detail::message;
using fastgpu::detail::role;
using fastgpu::detail::side;
using support::pair_options;
using support::random_message;
using support::session_end;
using support::session_pair;

/// What the roles should be, written down once more: a change of the table has to be meant.
TEST(Dispatch, AsksForTheseRoles)
{
  const std::set<std::string_view> of_node = {"describe_node", "job_opened",   "job_refused",    "taken_back",
                                              "job_sealed",    "backup_done",  "attempt_failed", "partial_lost",
                                              "job_progress",  "node_drains"};
  const std::set<std::string_view> with_payload = {"job_data_piece", "job_sealed", "backup_done"};
  for (const auto& line : dispatch_table) {
    const bool node = of_node.contains(line.name);
    EXPECT_EQ(line.from, node ? side::node : side::coordinator) << line.name;
    const auto needed = node                             ? role::node
                        : line.name == "ask_description" ? role::observe
                        : line.name == "ask_to_drain"    ? role::operate
                                                         : role::submit;
    EXPECT_EQ(line.needed, needed) << line.name;
    EXPECT_EQ(line.may_carry_payload, with_payload.contains(line.name)) << line.name;
  }
}

/// One session in which `from` says `what`: taken, or refused and over.
void expect_verdict(session_pair& pair, session_end& from, session_end& to, const message& what, bool allowed)
{
  ASSERT_TRUE(from.talk.open() && to.talk.open());
  from.talk.send(what);
  pair.flow();
  const auto& line = dispatch_table[what.index()];
  if (allowed) {
    EXPECT_EQ(to.heard.size(), 1u) << line.name << ": " << to.reason();
    EXPECT_TRUE(from.talk.open());
    return;
  }
  EXPECT_TRUE(to.heard.empty()) << line.name;
  EXPECT_EQ(to.code(), errc::refused) << line.name;
  EXPECT_EQ(from.code(), errc::refused) << line.name;
  const auto sentence = "refused: message type " + std::to_string(line.type) + " is not for you to send";
  EXPECT_TRUE(from.reason().ends_with(sentence)) << from.reason();
}

constexpr auto all_roles = role::node | role::submit | role::observe | role::operate;

TEST(Dispatch, HoldsForEveryRoleTypeAndDirectionWhereCoordinatorsDial)
{
  random_message messages{7};
  int pairs = 0;
  // 1 is role::node: the other three make up what a coordinator can ask for.
  for (int wanted = 2; wanted < 16; wanted += 2) {
    for (std::size_t type = 0; type < dispatch_table.size(); ++type) {
      for (const bool from_client : {true, false}) {
        pair_options options;
        options.client.wanted = static_cast<role>(wanted);
        options.client_identity.roles = all_roles;  // what it holds and did not ask for does not count
        options.server_identity.roles = all_roles;
        session_pair pair{options};
        pair.open();
        const auto& line = dispatch_table[type];
        const bool allowed = from_client ? line.from == side::coordinator && has(options.client.wanted, line.needed)
                                         : line.from == side::node;
        expect_verdict(pair, from_client ? pair.client : pair.server, from_client ? pair.server : pair.client,
                       messages.of(type), allowed);
        ++pairs;
      }
    }
  }
  EXPECT_EQ(pairs, 7 * 19 * 2);
}

TEST(Dispatch, HoldsForEveryRoleTypeAndDirectionWhereNodesDial)
{
  random_message messages{8};
  int pairs = 0;
  for (int held = 0; held < 16; ++held) {
    for (std::size_t type = 0; type < dispatch_table.size(); ++type) {
      for (const bool from_client : {true, false}) {
        pair_options options;
        options.client.wanted = role::node;
        options.client_identity.roles = all_roles;
        options.server_identity.roles = static_cast<role>(held);
        session_pair pair{options};
        pair.open();
        if (!has(static_cast<role>(held), role::submit)) {
          EXPECT_EQ(pair.client.code(), errc::refused);
          continue;
        }
        const auto& line = dispatch_table[type];
        const bool allowed = from_client ? line.from == side::node
                                         : line.from == side::coordinator && has(static_cast<role>(held), line.needed);
        expect_verdict(pair, from_client ? pair.client : pair.server, from_client ? pair.server : pair.client,
                       messages.of(type), allowed);
        ++pairs;
      }
    }
  }
  EXPECT_EQ(pairs, 8 * 19 * 2);
}

TEST(Dispatch, LetsInOnlyTheRolesThatAnIdentityHolds)
{
  for (int held = 0; held < 16; ++held) {
    for (int wanted = 0; wanted < 16; ++wanted) {
      pair_options options;
      options.client.wanted = static_cast<role>(wanted);
      options.client_identity.roles = static_cast<role>(held);
      options.server_identity.roles = all_roles;
      session_pair pair{options};
      pair.open();
      const bool one_side = wanted == 1 || (wanted > 0 && wanted % 2 == 0);
      EXPECT_EQ(pair.server.talk.open(), one_side && (held & wanted) == wanted) << held << ' ' << wanted;
      EXPECT_EQ(pair.client.talk.open(), pair.server.talk.open());
    }
  }
}

TEST(Dispatch, JudgesBeforeItReadsTheBody)
{
  session_pair pair;
  pair.server.talk.start();
  support::raw_peer peer;
  pair.server.talk.received(peer.hello());
  pair.server.talk.received(peer.frame(support::raw_peer::type(fastgpu::detail::describe_node{}),
                                       std::vector<std::byte>(100, std::byte{0xff})));
  EXPECT_EQ(pair.server.stream.empty(), false);
  pair.flow();
  EXPECT_EQ(pair.server.reason(), "desk was refused: message type 9 is not for you to send");
}

TEST(Dispatch, KnowsNoOtherTypes)
{
  for (int type = 7; type < 65536; type += type < 700 ? 1 : 4999) {
    if (type >= 16 && type < 35) continue;                   // messages
    if (type == 273 || type == 285 || type == 286) continue;  // those with a payload
    session_pair pair;
    pair.server.talk.start();
    support::raw_peer peer;
    pair.server.talk.received(peer.hello());
    ASSERT_TRUE(pair.server.talk.open());
    pair.server.talk.received(peer.frame(static_cast<fastgpu::detail::frame_type>(type)));
    pair.flow();
    ASSERT_TRUE(pair.server.code() == errc::protocol_error || pair.server.code() == errc::refused) << type;
    ASSERT_TRUE(pair.server.heard.empty());
  }
}

}  // namespace
