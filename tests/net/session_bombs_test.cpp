#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <flatbuffers/flatbuffers.h>
#include <gtest/gtest.h>

#include "net/codec.hpp"
#include "net/dispatch.hpp"
#include "support/raw_peer.hpp"
#include "support/session_pair.hpp"

/// @file
/// Peers that cost more than they send: none may take memory that it has not filled.

namespace {

using fastgpu::errc;
using fastgpu::detail::backup_done;
using fastgpu::detail::decode;
using fastgpu::detail::describe_node;
using fastgpu::detail::frame_type;
using fastgpu::detail::job_data_piece;
using fastgpu::detail::payload_budget;
using fastgpu::detail::type_of;
using support::pair_options;
using support::payload_of;
using support::poke;
using support::raw_peer;
using support::session_pair;

constexpr std::size_t mib = 1 << 20;

/// Of this process.
std::size_t resident_bytes()
{
  std::ifstream file{"/proc/self/statm"};
  std::size_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Resident bytes more than `before`; 0 where there are fewer.
std::size_t grown_since(std::size_t before)
{
  const auto now = resident_bytes();
  return now > before ? now - before : 0;
}

/// A server with an open session to a raw peer.
struct attacked {
  session_pair pair;
  raw_peer peer;

  explicit attacked(const pair_options& options = {}) : pair{options}
  {
    pair.server.talk.start();
    hears(peer.hello());
  }
  void hears(const std::vector<std::byte>& bytes)
  {
    pair.server.talk.received(bytes);
    pair.server.talk.written(std::exchange(pair.server.stream, {}).size());
  }
};

TEST(SessionBombs, ALengthTakesNoMemory)
{
  const auto before = resident_bytes();
  std::vector<std::unique_ptr<attacked>> sessions;
  for (int i = 0; i < 1000; ++i) {
    auto& one = *sessions.emplace_back(std::make_unique<attacked>());
    auto frame = one.peer.frame(frame_type::piece, std::vector<std::byte>(100));
    poke(frame, support::at_body_bytes, std::uint32_t{1 << 20});  // as long as may be, and never there
    one.hears(frame);
    EXPECT_TRUE(one.pair.server.talk.open());

    auto& other = *sessions.emplace_back(std::make_unique<attacked>());
    frame = other.peer.frame(frame_type::piece, std::vector<std::byte>(100));
    poke(frame, support::at_body_bytes, UINT32_MAX);
    other.hears(frame);
    EXPECT_EQ(other.pair.server.code(), errc::protocol_error);
  }
  EXPECT_LT(grown_since(before), 100 * mib);
}

TEST(SessionBombs, AnAnnouncedPayloadTakesNoMemory)
{
  const auto before = resident_bytes();
  std::vector<std::unique_ptr<attacked>> sessions;
  for (int i = 0; i < 1000; ++i) {
    auto& one = *sessions.emplace_back(std::make_unique<attacked>());
    one.hears(one.peer.announcement(job_data_piece{}, std::uint64_t{16} << 30));
    one.hears(one.peer.frame(frame_type::piece, std::vector<std::byte>(10)));
    EXPECT_TRUE(one.pair.server.talk.open()) << one.pair.server.reason();
  }
  EXPECT_LT(grown_since(before), 100 * mib);

  attacked greedy;
  greedy.hears(greedy.peer.announcement(job_data_piece{}, (std::uint64_t{16} << 30) + 1));
  EXPECT_EQ(greedy.pair.server.code(), errc::protocol_error);
  attacked endless;
  endless.hears(endless.peer.announcement(job_data_piece{}, UINT64_MAX));
  EXPECT_EQ(endless.pair.server.code(), errc::protocol_error);
}

TEST(SessionBombs, PayloadsThatNeverEndKeepToTheBudget)
{
  pair_options options;
  options.server_limits.budget = std::make_shared<payload_budget>(10 * mib);
  std::vector<std::unique_ptr<attacked>> sessions;
  for (int i = 0; i < 20; ++i) {
    auto& one = *sessions.emplace_back(std::make_unique<attacked>(options));
    one.hears(one.peer.announcement(job_data_piece{}, 100 * mib));
    for (int k = 0; k < 4 && !one.pair.server.over(); ++k) {
      one.hears(one.peer.frame(frame_type::piece, std::vector<std::byte>(256 << 10)));
    }
    EXPECT_EQ(one.pair.server.over(), i >= 10) << i;
  }
  sessions.clear();
  EXPECT_EQ(options.server_limits.budget->left(), 10 * mib);
}

TEST(SessionBombs, PiecesKeepToTheirAnnouncement)
{
  const auto expect_breach = [](auto speak) {
    attacked one;
    speak(one);
    EXPECT_EQ(one.pair.server.code(), errc::protocol_error) << one.pair.server.reason();
    EXPECT_TRUE(one.pair.server.heard.empty());
  };
  const std::vector<std::byte> ten(10);
  expect_breach([&](attacked& a) { a.hears(a.peer.frame(frame_type::piece, ten)); });
  expect_breach([&](attacked& a) {
    a.hears(a.peer.announcement(job_data_piece{}, 9));
    a.hears(a.peer.frame(frame_type::piece, ten));
  });
  expect_breach([&](attacked& a) {
    a.hears(a.peer.announcement(job_data_piece{}, 100));
    a.hears(a.peer.frame(frame_type::piece));
  });
  expect_breach([&](attacked& a) {
    a.hears(a.peer.announcement(job_data_piece{}, 100));
    a.hears(a.peer.announcement(job_data_piece{}, 100));
  });
  expect_breach([&](attacked& a) {  // no length
    a.hears(a.peer.frame(raw_peer::type(job_data_piece{}, frame_type::first_with_payload)));
  });
  expect_breach([&](attacked& a) { a.hears(a.peer.announcement(fastgpu::detail::take_back{}, 10)); });
}

TEST(SessionBombs, TinyFramesAreJustFrames)
{
  attacked one;
  const auto before = resident_bytes();
  std::vector<std::byte> many;
  for (int k = 0; k < 1000; ++k) {
    const auto beat = one.peer.frame(frame_type::heartbeat);
    many.insert(many.end(), beat.begin(), beat.end());
  }
  one.hears(many);
  for (int i = 0; i < 200'000; ++i) one.hears(one.peer.frame(frame_type::heartbeat));
  EXPECT_TRUE(one.pair.server.talk.open());
  EXPECT_LT(grown_since(before), 64 * mib);  // of which address sanitizer takes its part
}

TEST(SessionBombs, APeerThatNeverReadsIsGivenAWindow)
{
  session_pair pair;
  pair.open();
  pair.stuck = true;
  const auto bytes = payload_of(8 * mib);
  for (std::uint32_t i = 0; i < 1000; ++i) pair.server.talk.send(backup_done{i, {}}, bytes);
  pair.run_until(4);
  EXPECT_TRUE(pair.server.talk.open());
  EXPECT_LE(pair.server.stream.size(), mib + (256 << 10) + 1000);
  pair.run_until(6);  // it does not write either: dead
  EXPECT_EQ(pair.server.code(), errc::node_lost);
  EXPECT_EQ(bytes.use_count(), 1);
}

TEST(SessionBombs, APeerThatBeatsAndNeverReadsIsCut)
{
  attacked one;
  one.pair.stuck = true;
  one.pair.server.talk.send(backup_done{1, {}}, payload_of(8 * mib));
  for (double at_s = 0.25; !one.pair.server.over() && at_s < 60; at_s += 0.25) {
    one.pair.run_until(at_s);
    one.pair.server.talk.received(one.peer.frame(frame_type::heartbeat));
  }
  EXPECT_EQ(one.pair.server.code(), errc::node_lost);
  EXPECT_DOUBLE_EQ(one.pair.server.ends.at(0).first, 10.0);
  EXPECT_TRUE(one.pair.server.reason().starts_with("desk: the peer does not read")) << one.pair.server.reason();
}

TEST(SessionBombs, APeerThatReadsALittleIsNot)
{
  attacked one;
  one.pair.stuck = true;
  one.pair.server.talk.send(backup_done{1, {}}, payload_of(8 * mib));
  for (double at_s = 0.25; at_s < 60; at_s += 0.25) {
    one.pair.run_until(at_s);
    one.pair.server.talk.received(one.peer.frame(frame_type::heartbeat));
    if (at_s == 5 * static_cast<int>(at_s / 5)) one.pair.server.talk.written(1);
  }
  EXPECT_FALSE(one.pair.server.over()) << one.pair.server.reason();
}

TEST(SessionBombs, MessagesWithPayloadsThatWaitAreCounted)
{
  pair_options options;
  options.server_limits.outbound_bytes = 100'000;
  session_pair pair{options};
  pair.open();
  pair.stuck = true;
  const auto nothing = payload_of(0);
  std::uint32_t sent = 0;
  for (; sent < 100'000 && !pair.server.over(); ++sent) pair.server.talk.send(backup_done{sent, {}}, nothing);
  EXPECT_LT(sent, 100'000u / 24);
  EXPECT_EQ(pair.server.code(), errc::node_lost);
}

TEST(SessionBombs, ALongFrameTakesItsMemoryWithIt)
{
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "address sanitizer keeps what is freed";
#endif
  const auto before = resident_bytes();
  std::vector<std::unique_ptr<attacked>> sessions;
  for (int i = 0; i < 200; ++i) {
    auto& one = *sessions.emplace_back(std::make_unique<attacked>());
    one.hears(one.peer.announcement(job_data_piece{}, mib));
    const auto piece = one.peer.frame(frame_type::piece, std::vector<std::byte>(mib));
    one.hears({piece.begin(), piece.begin() + mib / 2});
    one.hears({piece.begin() + mib / 2, piece.end()});
    one.hears(one.peer.frame(frame_type::heartbeat));
    EXPECT_EQ(one.pair.server.heard.size(), 1u);
    one.pair.server.heard.clear();
  }
  EXPECT_LT(grown_since(before), 100 * mib);
}

// Bodies whose parts lie on top of each other, so that they would grow when they are read ----------------------------

/// describe_node with `devices` times the same device.
std::vector<std::byte> same_device(std::size_t devices, std::size_t labels, std::size_t string_bytes)
{
  constexpr auto field = [](int n) { return static_cast<flatbuffers::voffset_t>(4 + 2 * n); };
  flatbuffers::FlatBufferBuilder out;
  const auto text = out.CreateString(std::string(string_bytes, 'x'));
  const auto label_table = out.StartTable();
  out.AddOffset(field(0), text);
  const auto label = flatbuffers::Offset<flatbuffers::Table>(out.EndTable(label_table));
  const auto label_vector = out.CreateVector(std::vector<flatbuffers::Offset<flatbuffers::Table>>(labels, label));
  const auto table = out.StartTable();
  for (const int n : {2, 3, 4, 8, 11, 14}) out.AddOffset(field(n), text);  // all strings of device_info
  out.AddOffset(field(13), label_vector);
  const auto device = flatbuffers::Offset<flatbuffers::Table>(out.EndTable(table));
  const auto vector = out.CreateVector(std::vector<flatbuffers::Offset<flatbuffers::Table>>(devices, device));
  const auto root = out.StartTable();
  out.AddOffset(field(0), vector);
  out.Finish(flatbuffers::Offset<flatbuffers::Table>(out.EndTable(root)));
  const auto* bytes = reinterpret_cast<const std::byte*>(out.GetBufferPointer());
  return {bytes, bytes + out.GetSize()};
}

std::string refusal_of(const std::vector<std::byte>& body)
{
  const auto decoded = decode(type_of<describe_node>, body);
  return decoded ? "" : decoded.error().detail;
}

TEST(SessionBombs, ABodyDoesNotGrowWhenItIsRead)
{
  EXPECT_EQ(refusal_of(same_device(1, 1, 1000)), "describe_node: its parts overlap");
  EXPECT_EQ(refusal_of(same_device(1, 0, 0)), "");
  const auto before = resident_bytes();
  EXPECT_EQ(refusal_of(same_device(600, 0, 4096)), "describe_node: its parts overlap");        // 15 MB in 7 kB
  EXPECT_EQ(refusal_of(same_device(4000, 0, 4096)), "describe_node: it does not follow the schema");    // 98 MB
  EXPECT_EQ(refusal_of(same_device(1, 256, 4096)), "describe_node: its parts overlap");        // 1 MB in 5 kB
  EXPECT_EQ(refusal_of(same_device(1, 65'536, 4096)), "describe_node: it does not follow the schema");  // 268 MB
  EXPECT_EQ(refusal_of(same_device(1000, 65'536, 4096)), "describe_node: it does not follow the schema");  // 268 GB
  EXPECT_EQ(refusal_of(same_device(100'000, 0, 0)), "describe_node: it does not follow the schema");
  EXPECT_LT(grown_since(before), 20 * mib);
}

TEST(SessionBombs, ABodyIsNotLookedAtForLong)
{
  const auto body = same_device(4096, 250'000, 8);  // a billion labels, in a frame
  ASSERT_LE(body.size(), fastgpu::detail::session_limits{}.frame_bytes);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(refusal_of(body), "describe_node: it does not follow the schema");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds{500});
}

}  // namespace
