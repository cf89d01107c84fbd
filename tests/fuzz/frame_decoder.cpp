#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "fuzz/target.hpp"
#include "net/frame.hpp"

/// @file
/// Bytes as a stream of frames: the first says in what portions it comes. It must give the same frames and the same end
/// as in one piece.

namespace {

using fastgpu::detail::frame_decoder;
using fastgpu::detail::frame_type;

struct outcome {
  std::vector<std::pair<frame_type, std::vector<std::byte>>> frames;
  bool refused = false;
  bool partial = false;
  friend bool operator==(const outcome&, const outcome&) = default;
};

outcome decoded(std::span<const std::byte> stream, std::size_t portion)
{
  constexpr std::uint32_t cap = 512;
  frame_decoder decoder;
  outcome all;
  while (!stream.empty()) {
    auto input = stream.first(std::min(portion, stream.size()));
    stream = stream.subspan(input.size());
    for (;;) {
      const auto next = decoder.next(input, cap);
      if (!next) {
        all.refused = true;
        return all;
      }
      if (!next.value()) break;
      fuzz::require(next.value()->body.size() <= cap && !decoder.partial());
      all.frames.emplace_back(next.value()->type,
                              std::vector<std::byte>{next.value()->body.begin(), next.value()->body.end()});
    }
    fuzz::require(input.empty());
  }
  all.partial = decoder.partial();
  return all;
}

}  // namespace

void fuzz::frame_decoder(std::span<const std::byte> input)
{
  reader from{input};
  const std::size_t portion = 1 + from.byte() % 64;
  const auto stream = from.bytes(input.size());
  require(decoded(stream, portion) == decoded(stream, stream.size()));
}
