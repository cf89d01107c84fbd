#include "net/frame.hpp"  // first: shows that the header stands alone

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/raw_peer.hpp"

namespace {

using fastgpu::errc;
using fastgpu::detail::frame_decoder;
using fastgpu::detail::frame_header_bytes;
using fastgpu::detail::frame_type;
using support::poke;
using support::raw_peer;

using bytes = std::vector<std::byte>;

constexpr std::uint32_t cap = 1000;

bytes pattern(std::size_t size)
{
  bytes made(size);
  for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<std::byte>(i * 7 + size);
  return made;
}

struct taken {
  std::vector<std::pair<frame_type, bytes>> frames;
  std::string breach;
  bool partial = false;
};

/// What a decoder makes of `stream`, given to it in portions of `portion`.
taken decoded(const bytes& stream, std::size_t portion)
{
  frame_decoder decoder;
  taken all;
  for (std::size_t at = 0; at < stream.size(); at += portion) {
    auto input = std::span{stream}.subspan(at, std::min(portion, stream.size() - at));
    for (;;) {
      const auto next = decoder.next(input, cap);
      if (!next) {
        EXPECT_EQ(next.error().code, errc::protocol_error);
        all.breach = next.error().detail;
        return all;
      }
      if (!next.value()) break;
      all.frames.emplace_back(next.value()->type, bytes{next.value()->body.begin(), next.value()->body.end()});
    }
    EXPECT_TRUE(input.empty());
  }
  all.partial = decoder.partial();
  return all;
}

/// Five frames, one behind the other.
bytes conversation()
{
  raw_peer peer;
  bytes stream;
  for (const std::size_t size : {0u, 1u, 1000u, 0u, 24u}) {
    const auto frame = peer.frame(frame_type::piece, pattern(size));
    stream.insert(stream.end(), frame.begin(), frame.end());
  }
  return stream;
}

TEST(Frame, HasAHeaderOfTwentyFourBytesLittleEndian)
{
  raw_peer peer;
  (void)peer.frame(frame_type::hello);
  const auto frame = peer.frame(frame_type::first_with_payload, bytes(3, std::byte{0xee}));
  const std::vector<int> expected = {'F', 'G', 'P', 'U', 1, 0, 0x10, 1, 0, 0, 0, 0, 3,    0,
                                     0,   0,   1,   0,   0, 0, 0,    0, 0, 0, 0xee, 0xee, 0xee};
  ASSERT_EQ(frame.size(), expected.size());
  for (std::size_t i = 0; i < frame.size(); ++i) EXPECT_EQ(static_cast<int>(frame[i]), expected[i]) << i;
}

TEST(Frame, ComesOutTheSameInAnyPortions)
{
  const auto stream = conversation();
  for (std::size_t portion = 1; portion <= stream.size(); ++portion) {
    const auto all = decoded(stream, portion);
    ASSERT_EQ(all.breach, "");
    ASSERT_FALSE(all.partial);
    ASSERT_EQ(all.frames.size(), 5u) << portion;
    std::size_t i = 0;
    for (const std::size_t size : {0u, 1u, 1000u, 0u, 24u}) ASSERT_EQ(all.frames[i++].second, pattern(size)) << portion;
  }
}

TEST(Frame, IsNotThereBeforeItsLastByte)
{
  const auto stream = conversation();
  const std::vector<std::size_t> ends = {24, 49, 1073, 1097, 1145};
  ASSERT_EQ(stream.size(), ends.back());
  for (std::size_t size = 0; size < stream.size(); ++size) {
    const bytes cut{stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(size)};
    const auto whole = static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), size) - ends.begin());
    for (const std::size_t portion : {std::size_t{1}, std::size_t{10}, stream.size()}) {
      const auto all = decoded(cut, portion);
      ASSERT_EQ(all.breach, "");
      ASSERT_EQ(all.frames.size(), whole) << size;
      ASSERT_EQ(all.partial, size != 0 && (whole == 0 || size != ends[whole - 1])) << size;
    }
  }
}

/// The reason for which a frame with that change is refused, however it comes.
template <class Change>
std::string breach_of(Change change)
{
  raw_peer peer;
  auto frame = peer.frame(frame_type::piece, pattern(10));
  change(frame);
  const auto at_once = decoded(frame, frame.size()).breach;
  const auto byte_by_byte = decoded(frame, 1).breach;
  EXPECT_EQ(at_once, byte_by_byte);
  return at_once;
}

TEST(Frame, IsRefusedForAnyWrongWordOfItsHeader)
{
  EXPECT_EQ(breach_of([](auto&) {}), "");
  EXPECT_EQ(breach_of([](auto& f) { f[0] = std::byte{'f'}; }), "what came is no frame of fastgpu's");
  EXPECT_EQ(breach_of([](auto& f) { poke(f, support::at_version, std::uint16_t{0}); }),
            "protocol version 0 came, version 1 is spoken here");
  EXPECT_EQ(breach_of([](auto& f) { poke(f, support::at_version, std::uint16_t{0x0101}); }),
            "protocol version 257 came, version 1 is spoken here");
  EXPECT_EQ(breach_of([](auto& f) { poke(f, support::at_flags, std::uint32_t{1} << 31); }), "a frame has flags");
  EXPECT_EQ(breach_of([](auto& f) { poke(f, support::at_body_bytes, std::uint32_t{1001}); }),
            "a frame of 1001 bytes came where 1000 are allowed");
  EXPECT_EQ(breach_of([](auto& f) { poke(f, support::at_body_bytes, std::uint32_t{0xffffffff}); }),
            "a frame of 4294967295 bytes came where 1000 are allowed");
  EXPECT_EQ(breach_of([](auto& f) { poke(f, support::at_sequence, std::uint64_t{1}); }),
            "frame 1 came in the place of frame 0");
  EXPECT_EQ(breach_of([](auto& f) { poke(f, support::at_sequence, std::uint64_t{1} << 63); }),
            "frame 9223372036854775808 came in the place of frame 0");
}

TEST(Frame, IsRefusedWhereOneIsMissingOrComesTwice)
{
  raw_peer peer;
  const auto first = peer.frame(frame_type::heartbeat);
  const auto second = peer.frame(frame_type::heartbeat);
  const auto third = peer.frame(frame_type::heartbeat);
  const auto stream_of = [](std::vector<bytes> frames) {
    bytes all;
    for (const auto& one : frames) all.insert(all.end(), one.begin(), one.end());
    return all;
  };
  for (const std::size_t portion : {1u, 24u, 72u}) {
    EXPECT_EQ(decoded(stream_of({first, second, third}), portion).breach, "");
    EXPECT_EQ(decoded(stream_of({first, third}), portion).breach, "frame 2 came in the place of frame 1");
    EXPECT_EQ(decoded(stream_of({first, second, second}), portion).breach, "frame 1 came in the place of frame 2");
    EXPECT_EQ(decoded(stream_of({second}), portion).breach, "frame 1 came in the place of frame 0");
    EXPECT_EQ(decoded(stream_of({first, first}), portion).frames.size(), 1u);
  }
}

TEST(Frame, IsHeldToTheCapOfItsTime)
{
  raw_peer peer;
  auto stream = peer.frame(frame_type::hello, pattern(100));
  const auto second = peer.frame(frame_type::piece, pattern(500));
  stream.insert(stream.end(), second.begin(), second.end());
  frame_decoder decoder;
  auto input = std::span<const std::byte>{stream};
  EXPECT_TRUE(decoder.next(input, 100).value().has_value());
  EXPECT_TRUE(decoder.next(input, 500).value().has_value());

  frame_decoder strict;
  input = stream;
  EXPECT_TRUE(strict.next(input, 100).value().has_value());
  EXPECT_FALSE(strict.next(input, 100).has_value());
}

TEST(Frame, LiesInTheInputWhereItIsWhole)
{
  raw_peer peer;
  const auto stream = peer.frame(frame_type::piece, pattern(100));
  frame_decoder decoder;
  auto input = std::span<const std::byte>{stream};
  const auto next = decoder.next(input, cap);
  EXPECT_EQ(next.value()->body.data(), stream.data() + frame_header_bytes);
}

}  // namespace
