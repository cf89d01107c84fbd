#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <fastgpu/result.hpp>

#include "net/messages.hpp"
#include "net/peer.hpp"

/// @file
/// The codec: messages as bytes, by the schema in fastgpu.fbs. Bytes from a peer are verified, then converted, then
/// checked for what the types cannot say (enumerations, ranges, counts): whatever decode() returns is within its
/// bounds. decode(encode(x)) is x; of several ways to write an x, decode() takes all.

namespace fastgpu::inline v0::detail {

/// Bounds of what is said. What a user's job makes longer cannot be sent.
inline constexpr std::size_t wire_items_max = 65536;             ///< Of any vector, but:
inline constexpr std::size_t wire_arguments_max = 256;
inline constexpr std::size_t wire_devices_max = 4096;
inline constexpr std::size_t wire_labels_max = 256;              ///< Of one device.
inline constexpr std::size_t wire_string_bytes_max = 4096;       ///< Of any string, but:
inline constexpr std::size_t wire_signature_bytes_max = 65536;
inline constexpr std::size_t wire_sentence_bytes_max = 1024;     ///< Of a refusal: it goes before a welcome, too.

/// What the two ends say of themselves, in HELLO and in WELCOME.
struct hello {
  std::string name;
  std::string library;
  std::string build;
  role wanted = role::none;
};

/// Why there is no session, or no more.
struct refusal {
  errc code = errc::refused;
  std::string sentence;
};

/// Writes bodies behind each other. Keeps its working memory: one for each session.
class encoder {
 public:
  encoder();
  ~encoder();
  encoder(const encoder&) = delete;
  encoder& operator=(const encoder&) = delete;

  /// Appends the body to `out`, a multiple of 8 bytes. `what` is within its bounds, see out_of_bounds(); details of
  /// failures are shortened to theirs, and codes of foreign categories become errc::internal.
  void append(const message& what, std::vector<std::byte>& out);
  void append(const hello& what, std::vector<std::byte>& out);
  void append(const refusal& what, std::vector<std::byte>& out);

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// The body alone.
[[nodiscard]] std::vector<std::byte> encode(const message& what);

/// @param type  Position in `message`.
/// @return  errc::protocol_error where `body` is no such message, or one out of its bounds.
[[nodiscard]] result<message> decode(std::size_t type, std::span<const std::byte> body);
[[nodiscard]] result<hello> decode_hello(std::span<const std::byte> body);
[[nodiscard]] result<refusal> decode_refusal(std::span<const std::byte> body);

/// What the peer would refuse `what` for, "open_job: too many bounds"; empty where it would not.
[[nodiscard]] std::string out_of_bounds(const message& what);

}  // namespace fastgpu::inline v0::detail
