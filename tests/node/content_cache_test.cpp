#include "node/content_cache.hpp"  // first: shows that the header stands alone

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using fastgpu::detail::content_cache;
using fastgpu::detail::content_hash;
using fastgpu::detail::hash_of;
using fastgpu::detail::mapped_bytes;

std::vector<std::byte> bytes_of(const std::string& text)
{
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

TEST(ContentCache, HashesBySha256)
{
  // FIPS 180-2, B.1.
  const content_hash expected{0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                              0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                              0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
  EXPECT_EQ(hash_of(bytes_of("abc")), expected);
}

TEST(ContentCache, FindsWhatCameByItsHashAndSize)
{
  content_cache cache{100};
  const auto abc = bytes_of("abc");
  const auto stored = cache.store(hash_of(abc), abc);
  ASSERT_TRUE(stored);
  EXPECT_EQ(std::memcmp(stored->data(), "abc", 3), 0);
  EXPECT_EQ(cache.find(hash_of(abc), 3), stored);
  EXPECT_EQ(cache.find(hash_of(abc), 4), nullptr);
  EXPECT_EQ(cache.find(hash_of(bytes_of("abd")), 3), nullptr);
  EXPECT_EQ(cache.store(hash_of(abc), abc), stored);
  EXPECT_EQ(cache.bytes(), 3u);
}

TEST(ContentCache, RefusesWhatHasAnotherHash)
{
  content_cache cache{100};
  EXPECT_EQ(cache.store(hash_of(bytes_of("abc")), bytes_of("abd")), nullptr);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(ContentCache, LetsGoOfWhatWasUsedLongestAgo)
{
  content_cache cache{10};
  const auto four = [](char c) { return bytes_of(std::string(4, c)); };
  const auto has = [&](char c) { return cache.find(hash_of(four(c)), 4) != nullptr; };
  const auto a = cache.store(hash_of(four('a')), four('a'));
  (void)cache.store(hash_of(four('b')), four('b'));
  EXPECT_TRUE(has('a'));
  (void)cache.store(hash_of(four('c')), four('c'));
  EXPECT_FALSE(has('b'));
  EXPECT_TRUE(has('a'));
  EXPECT_EQ(cache.bytes(), 8u);
  (void)cache.store(hash_of(four('d')), four('d'));
  (void)cache.store(hash_of(four('e')), four('e'));
  EXPECT_FALSE(has('a'));
  EXPECT_EQ(std::memcmp(a->data(), "aaaa", 4), 0);  // its jobs still have it
}

TEST(ContentCache, DoesNotKeepWhatIsLargerThanItself)
{
  content_cache cache{2};
  const auto abc = bytes_of("abc");
  EXPECT_TRUE(cache.store(hash_of(abc), abc));
  EXPECT_EQ(cache.find(hash_of(abc), 3), nullptr);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(ContentCache, ServesThreads)
{
  content_cache cache{64};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&cache, t] {
      for (int i = 0; i < 300; ++i) {
        const auto text = bytes_of("content " + std::to_string((i * (t + 1)) % 20));
        const auto got = cache.store(hash_of(text), text);
        ASSERT_TRUE(got);
        EXPECT_EQ(std::memcmp(got->data(), text.data(), text.size()), 0);
        EXPECT_LE(cache.bytes(), 64u);
      }
    });
  }
}

TEST(MappedBytes, CostNothingUntilTheyAreTouched)
{
  mapped_bytes huge{std::size_t{1} << 36};
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(huge.data()) % 64, 0u);
  huge.data()[std::size_t{1} << 35] = std::byte{7};
  auto moved = std::move(huge);
  EXPECT_EQ(moved.data()[std::size_t{1} << 35], std::byte{7});
  moved.give_back(0, moved.size());
  EXPECT_EQ(moved.data()[std::size_t{1} << 35], std::byte{0});
  EXPECT_EQ(mapped_bytes{0}.data(), nullptr);
}

TEST(MappedBytesDeathTest, ThatAreReadOnlyCannotBeWritten)
{
  mapped_bytes shared{10};
  shared.make_read_only();
  EXPECT_EQ(shared.data()[3], std::byte{0});
  EXPECT_DEATH(shared.data()[3] = std::byte{1}, "");
}

}  // namespace
