#include <algorithm>
#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "support/session_pair.hpp"

/// @file
/// Bytes that travel with messages: in pieces, between which everything else passes.

namespace {

using fastgpu::errc;
using fastgpu::detail::backup_done;
using fastgpu::detail::job_data_piece;
using fastgpu::detail::job_progress;
using fastgpu::detail::payload;
using fastgpu::detail::payload_budget;
using fastgpu::detail::take_back;
using support::pair_options;
using support::payload_of;
using support::session_pair;

constexpr std::size_t mib = 1 << 20;

job_data_piece piece(std::uint32_t job) { return {job, 0, {0, 0, 0}, {1, 1, 1}}; }

TEST(SessionPayloads, ArriveWholeAndInOrder)
{
  session_pair pair;
  pair.open();
  const std::vector<std::size_t> sizes = {1, 0, 256 << 10, (256 << 10) + 1, 3 * mib, 0, 7};
  for (std::uint32_t i = 0; i < sizes.size(); ++i) {
    pair.client.talk.send(piece(i), payload_of(sizes[i], static_cast<std::uint8_t>(i)));
  }
  pair.flow();
  ASSERT_EQ(pair.server.heard.size(), sizes.size());
  for (std::uint32_t i = 0; i < sizes.size(); ++i) {
    EXPECT_EQ(std::get<job_data_piece>(pair.server.heard[i].what).job, i);
    EXPECT_EQ(pair.server.heard[i].bytes, *payload_of(sizes[i], static_cast<std::uint8_t>(i)));
  }
}

TEST(SessionPayloads, WaitForTheWelcomeToo)
{
  session_pair pair;
  pair.client.talk.send(piece(1), payload_of(10));
  pair.open();
  EXPECT_EQ(pair.server.heard.size(), 1u);
}

TEST(SessionPayloads, AreSharedAndNotCopied)
{
  session_pair pair;
  pair.open();
  auto bytes = payload_of(8 * mib);
  pair.client.talk.send(piece(1), bytes);
  pair.client.talk.send(piece(2), bytes);
  EXPECT_EQ(bytes.use_count(), 3);
  EXPECT_LE(pair.client.stream.size(), mib + (256 << 10) + 1000);  // what is on its way is bounded
  pair.flow();
  EXPECT_EQ(bytes.use_count(), 1);
  EXPECT_EQ(pair.server.heard.size(), 2u);
}

TEST(SessionPayloads, LetSmallMessagesPass)
{
  session_pair pair;
  pair.bytes_a_second = 1e6;
  pair.start();
  pair.run_until(0.1);
  pair.client.talk.send(piece(1), payload_of(20 * mib));
  pair.run_until(5);
  pair.client.talk.send(take_back{1, 1, 1});
  pair.run_until(30);
  ASSERT_EQ(pair.server.heard.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<take_back>(pair.server.heard[0].what));
  EXPECT_LT(pair.server.heard[0].at_s, 5 + 1.4);  // behind what was on its way: a window, and the piece that passed it
  EXPECT_NEAR(pair.server.heard[1].at_s, 21, 0.5);
}

TEST(SessionPayloads, LetSmallMessagesPassSoonerInASmallWindow)
{
  pair_options options;
  options.client_limits.window_bytes = 128 << 10;
  options.client_limits.piece_bytes = 32 << 10;
  session_pair pair{options};
  pair.bytes_a_second = 1e6;
  pair.start();
  pair.run_until(0.1);
  pair.client.talk.send(piece(1), payload_of(20 * mib));
  pair.run_until(5);
  pair.client.talk.send(take_back{1, 1, 1});
  pair.run_until(30);
  ASSERT_EQ(pair.server.heard.size(), 2u);
  EXPECT_LT(pair.server.heard[0].at_s, 5 + 0.2);
  EXPECT_NEAR(pair.server.heard[1].at_s, 21, 0.5);
}

TEST(SessionPayloads, KeepASlowLinkBusyAndNobodySuspicious)
{
  session_pair pair;
  pair.bytes_a_second = 1e6;
  pair.start();
  pair.run_until(0.1);
  pair.client.talk.send(piece(1), payload_of(100 * mib));
  pair.run_until(110);
  ASSERT_EQ(pair.server.heard.size(), 1u);
  EXPECT_LT(pair.server.heard[0].at_s, 0.1 + 100 * 1.049 + 0.2);
  EXPECT_TRUE(pair.client.suspicions.empty());
  EXPECT_TRUE(pair.server.suspicions.empty());
  EXPECT_TRUE(pair.client.talk.open());
  // The server had nothing to say but that it lives, twice a second.
  EXPECT_NEAR(static_cast<double>(pair.server.writes), 220, 5);
}

TEST(SessionPayloads, CrossInBothDirections)
{
  session_pair pair;
  pair.bytes_a_second = 1e8;
  pair.start();
  pair.run_until(0.1);
  for (std::uint32_t i = 0; i < 10; ++i) {
    pair.client.talk.send(piece(i), payload_of(mib));
    pair.server.talk.send(backup_done{i, {i, i + 1}}, payload_of(mib + i));
    pair.server.talk.send(job_progress{i, 0, 0, 0});
  }
  pair.run_until(1);
  EXPECT_EQ(pair.server.heard.size(), 10u);
  EXPECT_EQ(pair.client.heard.size(), 20u);
}

TEST(SessionPayloads, AreDroppedByAGoodbye)
{
  auto budget = std::make_shared<payload_budget>(10 * mib);
  pair_options options;
  options.server_limits.budget = budget;
  session_pair pair{options};
  pair.bytes_a_second = 1e6;
  pair.start();
  pair.run_until(0.1);
  auto bytes = payload_of(8 * mib);
  pair.client.talk.send(piece(1), bytes);
  pair.run_until(4);
  EXPECT_LT(budget->left(), 8 * mib);
  EXPECT_GT(budget->left(), 5 * mib);
  pair.client.talk.close();
  pair.run_until(10);
  EXPECT_TRUE(pair.server.over());
  EXPECT_FALSE(pair.server.code());
  EXPECT_TRUE(pair.server.heard.empty());
  EXPECT_EQ(bytes.use_count(), 1);
  EXPECT_EQ(budget->left(), 10 * mib);
}

TEST(SessionPayloads, AreRefusedWhereTheyAreTooLong)
{
  pair_options options;
  options.server_limits.payload_bytes = mib;
  session_pair pair{options};
  pair.open();
  pair.client.talk.send(piece(1), payload_of(mib));
  pair.flow();
  EXPECT_EQ(pair.server.heard.size(), 1u);
  pair.client.talk.send(piece(2), payload_of(mib + 1));
  pair.flow();
  EXPECT_EQ(pair.server.heard.size(), 1u);
  EXPECT_EQ(pair.client.code(), errc::protocol_error);
  EXPECT_EQ(pair.client.reason(), "gpu7 refused: a payload of 1048577 bytes where 1048576 bytes are allowed");
}

TEST(SessionPayloads, AreBoundedOverAllSessions)
{
  auto budget = std::make_shared<payload_budget>(3 * mib);
  pair_options options;
  options.server_limits.budget = budget;
  session_pair first{options};
  session_pair second{options};
  for (auto* pair : {&first, &second}) {
    pair->bytes_a_second = 1e6;
    pair->start();
    pair->run_until(0.1);
  }
  first.client.talk.send(piece(1), payload_of(2 * mib));
  first.run_until(2);
  EXPECT_LT(budget->left(), 2 * mib);
  second.client.talk.send(piece(1), payload_of(2 * mib));
  second.run_until(5);
  EXPECT_EQ(second.server.code(), std::errc::not_enough_memory);
  EXPECT_EQ(second.client.code(), errc::refused);
  EXPECT_TRUE(second.client.reason().starts_with("gpu7 refused: there is no memory for a payload of 2097152 bytes"))
      << second.client.reason();
  first.run_until(5);
  EXPECT_EQ(first.server.heard.size(), 1u);
  EXPECT_EQ(budget->left(), 3 * mib);
}

}  // namespace
