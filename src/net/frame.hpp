#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <fastgpu/result.hpp>

/// @file
/// Frames: what a session's stream consists of. A header of 24 bytes, little-endian, and a body:
///
///     0  magic "FGPU"    4  protocol version, 16 bits    6  type, 16 bits    8  flags, 0
///     12  bytes of the body, 32 bits    16  number of the frame in this direction of the session, from 0, 64 bits
///
/// There is no checksum: TLS has one, and Unix sockets and socket pairs copy memory within one machine.

namespace fastgpu::inline v0::detail {

inline constexpr std::uint16_t protocol_version = 1;
inline constexpr std::size_t frame_header_bytes = 24;

/// Headers of all versions begin with magic, version and type, and a refusal is written as in version 1: so each side
/// can tell the other's version.
enum class frame_type : std::uint16_t {
  hello = 1,
  welcome = 2,
  refused = 3,
  goodbye = 4,
  heartbeat = 5,
  piece = 6,  ///< Bytes of the payload that was announced last.
  first_message = 16,       ///< + position of the message in the variant.
  first_with_payload = 272  ///< The same for one whose payload follows in pieces.
};

struct frame {
  frame_type type{};
  std::span<const std::byte> body;
};

/// Takes frames out of a stream. Memory grows as bytes arrive, to one frame at most; a length that may not be is
/// refused before anything is kept. Pure: the same bytes in any portions give the same frames.
class frame_decoder {
 public:
  /// The next frame of what came before and of `input`, which loses what was used.
  ///
  /// @param body_bytes_max  Longest body that may come now. Asked once a frame, when its header is there.
  /// @return  Nothing where more bytes are needed: `input` is empty then. The body lies in `input` or in the decoder
  ///          and lives until the next call. After a failure, errc::protocol_error, nothing more may be asked.
  [[nodiscard]] result<std::optional<frame>> next(std::span<const std::byte>& input, std::uint32_t body_bytes_max);

  /// True in the middle of a frame.
  [[nodiscard]] bool partial() const noexcept { return !kept_.empty() && !complete_; }

 private:
  struct header {
    std::uint32_t magic = 0;
    std::uint16_t version = 0;
    std::uint16_t type = 0;
    std::uint32_t flags = 0;
    std::uint32_t body_bytes = 0;
    std::uint64_t sequence = 0;
  };
  static header header_of(std::span<const std::byte> bytes);
  std::optional<failure> breach_of(const header& what, std::uint32_t body_bytes_max) const;
  void keep(std::span<const std::byte>& input, std::size_t until);

  std::vector<std::byte> kept_;  // a frame that did not come in one piece, from its header on
  header header_;                // of kept_, once it is there
  bool complete_ = false;        // kept_ is what the last call returned
  std::uint64_t expected_ = 0;   // sequence number
};

/// Writes frames one behind the other. begin() writes a header, the body is appended by the caller, end() says how
/// long it has become.
class frame_writer {
 public:
  /// @return  Where the frame begins in `out`, for end().
  std::size_t begin(frame_type type, std::vector<std::byte>& out);
  static void end(std::size_t begin, std::vector<std::byte>& out);

  /// Frames in `frames`, whole ones, get the numbers that come next.
  void number_again(std::span<std::byte> frames);

 private:
  std::uint64_t next_ = 0;
};

/// Numbers on the wire, whatever this machine's order of bytes.
template <class Integer>
[[nodiscard]] Integer load_little(const std::byte* from) noexcept
{
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    value = static_cast<Integer>(value | static_cast<Integer>(static_cast<Integer>(from[i]) << (8 * i)));
  }
  return value;
}
template <class Integer>
void store_little(Integer value, std::byte* to) noexcept
{
  for (std::size_t i = 0; i < sizeof(Integer); ++i) to[i] = static_cast<std::byte>(value >> (8 * i) & 0xff);
}

}  // namespace fastgpu::inline v0::detail
