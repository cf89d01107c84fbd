#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "net/codec.hpp"
#include "net/dispatch.hpp"
#include "net/message_fields.hpp"
#include "net/random_message.hpp"

/// @file
/// Bodies that no honest peer writes. Whatever is made of them is refused or within its bounds.

namespace {

using fastgpu::errc;
using fastgpu::detail::decode;
using fastgpu::detail::decode_hello;
using fastgpu::detail::decode_refusal;
using fastgpu::detail::dispatch_table;
using fastgpu::detail::encode;
using fastgpu::detail::message;
using fastgpu::detail::out_of_bounds;
using support::random_message;
using support::same;

/// @return  True where it was taken.
bool try_body(std::size_t type, std::span<const std::byte> body)
{
  (void)decode_hello(body).has_value();
  (void)decode_refusal(body).has_value();
  const auto decoded = decode(type, body);
  if (!decoded) {
    EXPECT_EQ(decoded.error().code, errc::protocol_error);
    EXPECT_TRUE(decoded.error().detail.starts_with(dispatch_table[type].name)) << decoded.error().detail;
    return false;
  }
  EXPECT_EQ(decoded.value().index(), type);
  EXPECT_EQ(out_of_bounds(decoded.value()), "");
  const auto again = decode(type, encode(decoded.value()));
  EXPECT_TRUE(again.has_value() && same(again.value(), decoded.value()));
  return true;
}

TEST(MalformedBodies, AreRefusedOrWithinTheirBounds)
{
  random_message messages{3};
  int taken = 0;
  constexpr int cases = 150'000;
  for (int i = 0; i < cases; ++i) {
    const auto type = messages.below(dispatch_table.size());
    auto body = encode(messages.of(type));
    const auto flips = 1 + messages.below(4);
    for (std::size_t f = 0; f < flips; ++f) {
      auto& byte = body[messages.below(body.size())];
      if (messages.below(4) == 0) byte = static_cast<std::byte>(messages.below(2) * 255);  // long lengths, far offsets
      else byte ^= static_cast<std::byte>(1 << messages.below(8));
    }
    taken += try_body(type, body) ? 1 : 0;
    ASSERT_FALSE(testing::Test::HasFailure()) << "case " << i;
  }
  EXPECT_GT(taken, cases / 10);  // both outcomes are looked at
  EXPECT_LT(taken, cases * 9 / 10);
}

TEST(MalformedBodies, AreRefusedOrWithinTheirBoundsAtEveryLength)
{
  random_message messages{4};
  for (std::size_t type = 0; type < dispatch_table.size(); ++type) {
    for (int i = 0; i < 20; ++i) {
      const auto body = encode(messages.of(type));
      for (std::size_t size = 0; size < body.size(); ++size) {
        const std::vector<std::byte> cut{body.begin(), body.begin() + static_cast<std::ptrdiff_t>(size)};
        try_body(type, cut);
      }
    }
    ASSERT_FALSE(testing::Test::HasFailure()) << type;
  }
}

TEST(MalformedBodies, AreRefusedWhereTheyAreNoise)
{
  std::mt19937_64 random{5};
  int taken = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::vector<std::byte> body(random() % 64);
    // Small numbers: offsets that lead somewhere.
    for (auto& byte : body) byte = static_cast<std::byte>(random() % 4 == 0 ? random() % 64 : 0);
    taken += try_body(random() % dispatch_table.size(), body) ? 1 : 0;
  }
  EXPECT_FALSE(testing::Test::HasFailure());
  EXPECT_LT(taken, 25'000);
}

TEST(MalformedBodies, AreRefusedWhereAnotherTypeIsMeant)
{
  random_message messages{6};
  for (int i = 0; i < 20'000; ++i) {
    const auto body = encode(messages.any());
    try_body(messages.below(dispatch_table.size()), body);
  }
  EXPECT_FALSE(testing::Test::HasFailure());
}

}  // namespace
