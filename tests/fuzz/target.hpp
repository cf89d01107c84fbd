#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

/// @file
/// What the fuzz targets share. A target is a function over bytes that aborts where something is wrong. libFuzzer
/// drives it in preset `fuzz`; in every other preset, a test drives it over tests/fuzz/corpus.

namespace fuzz {

void checkpoint(std::span<const std::byte> input);
void frame_decoder(std::span<const std::byte> input);
void handshake(std::span<const std::byte> input);
void session(std::span<const std::byte> input);

/// Holds in every build, as NDEBUG's assert would not.
inline void require(bool holds)
{
  if (!holds) std::abort();
}

/// Takes an input apart from its front. What is missing at the end is 0.
class reader {
 public:
  explicit reader(std::span<const std::byte> input) : left_{input} {}

  [[nodiscard]] bool empty() const { return left_.empty(); }
  std::uint8_t byte()
  {
    if (left_.empty()) return 0;
    const auto first = left_.front();
    left_ = left_.subspan(1);
    return static_cast<std::uint8_t>(first);
  }
  std::size_t number()
  {
    const auto low = byte();
    return low | std::size_t{byte()} << 8;
  }
  std::span<const std::byte> bytes(std::size_t count)
  {
    const auto taken = left_.first(count < left_.size() ? count : left_.size());
    left_ = left_.subspan(taken.size());
    return taken;
  }

 private:
  std::span<const std::byte> left_;
};

}  // namespace fuzz
