#include "net/frame.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <gsl/assert>

namespace fastgpu::inline v0::detail {
namespace {

constexpr std::uint32_t magic = 0x55504746;  // "FGPU"

// Offsets in a header.
constexpr std::size_t at_magic = 0;
constexpr std::size_t at_version = 4;
constexpr std::size_t at_type = 6;
constexpr std::size_t at_flags = 8;
constexpr std::size_t at_body_bytes = 12;
constexpr std::size_t at_sequence = 16;

constexpr std::size_t kept_bytes_usual = 64 << 10;  // memory for a frame that is kept beyond it

failure breach(std::string detail) { return {make_error_code(errc::protocol_error), std::move(detail)}; }

}  // namespace

frame_decoder::header frame_decoder::header_of(std::span<const std::byte> bytes)
{
  const auto* from = bytes.data();
  return {load_little<std::uint32_t>(from + at_magic),      load_little<std::uint16_t>(from + at_version),
          load_little<std::uint16_t>(from + at_type),       load_little<std::uint32_t>(from + at_flags),
          load_little<std::uint32_t>(from + at_body_bytes), load_little<std::uint64_t>(from + at_sequence)};
}

std::optional<failure> frame_decoder::breach_of(const header& what, std::uint32_t body_bytes_max) const
{
  if (what.magic != magic) return breach("what came is no frame of fastgpu's");
  if (what.version != protocol_version) {
    return breach("protocol version " + std::to_string(what.version) + " came, version " +
                  std::to_string(protocol_version) + " is spoken here");
  }
  if (what.flags != 0) return breach("a frame has flags");
  if (what.body_bytes > body_bytes_max) {
    return breach("a frame of " + std::to_string(what.body_bytes) + " bytes came where " +
                  std::to_string(body_bytes_max) + " are allowed");
  }
  if (what.sequence != expected_) {
    return breach("frame " + std::to_string(what.sequence) + " came in the place of frame " +
                  std::to_string(expected_));
  }
  return std::nullopt;
}

void frame_decoder::keep(std::span<const std::byte>& input, std::size_t until)
{
  const auto taken = input.first(std::min(input.size(), until - kept_.size()));
  kept_.insert(kept_.end(), taken.begin(), taken.end());
  input = input.subspan(taken.size());
}

result<std::optional<frame>> frame_decoder::next(std::span<const std::byte>& input, std::uint32_t body_bytes_max)
{
  if (complete_) {
    kept_.clear();
    complete_ = false;
  }
  if (input.empty()) return std::optional<frame>{};

  // The usual case: it is all there, and nothing is copied.
  if (kept_.empty() && input.size() >= frame_header_bytes) {
    const auto what = header_of(input);
    if (auto why = breach_of(what, body_bytes_max)) return *std::move(why);
    if (input.size() - frame_header_bytes >= what.body_bytes) {
      const frame whole{static_cast<frame_type>(what.type), input.subspan(frame_header_bytes, what.body_bytes)};
      input = input.subspan(frame_header_bytes + what.body_bytes);
      ++expected_;
      if (kept_.capacity() > kept_bytes_usual) kept_ = std::vector<std::byte>{};  // of a long one; `= {}` would keep it
      return std::optional{whole};
    }
  }

  if (kept_.size() < frame_header_bytes) {
    keep(input, frame_header_bytes);
    if (kept_.size() < frame_header_bytes) return std::optional<frame>{};
    header_ = header_of(kept_);
    if (auto why = breach_of(header_, body_bytes_max)) return *std::move(why);
  }
  const auto whole_bytes = frame_header_bytes + header_.body_bytes;
  keep(input, whole_bytes);
  if (kept_.size() < whole_bytes) return std::optional<frame>{};
  complete_ = true;
  ++expected_;
  return std::optional{frame{static_cast<frame_type>(header_.type), std::span{kept_}.subspan(frame_header_bytes)}};
}

std::size_t frame_writer::begin(frame_type type, std::vector<std::byte>& out)
{
  const auto begin = out.size();
  out.resize(begin + frame_header_bytes);
  auto* to = out.data() + begin;
  store_little(magic, to + at_magic);
  store_little(protocol_version, to + at_version);
  store_little(static_cast<std::uint16_t>(type), to + at_type);
  store_little(std::uint32_t{0}, to + at_flags);
  store_little(std::uint32_t{0}, to + at_body_bytes);
  store_little(next_++, to + at_sequence);
  return begin;
}

void frame_writer::end(std::size_t begin, std::vector<std::byte>& out)
{
  const auto body_bytes = out.size() - begin - frame_header_bytes;
  Expects(body_bytes <= UINT32_MAX);
  store_little(static_cast<std::uint32_t>(body_bytes), out.data() + begin + at_body_bytes);
}

void frame_writer::number_again(std::span<std::byte> frames)
{
  while (!frames.empty()) {
    store_little(next_++, frames.data() + at_sequence);
    frames = frames.subspan(frame_header_bytes + load_little<std::uint32_t>(frames.data() + at_body_bytes));
  }
}

}  // namespace fastgpu::inline v0::detail
