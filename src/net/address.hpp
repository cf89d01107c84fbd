#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// @file
/// Where a process listens, or is to be found.

namespace fastgpu::inline v0::detail {

/// `HOST:PORT`, `[IPV6]:PORT`, `unix:/PATH`; to connect to, `NAME@` in front says who must answer there.
struct address {
  std::string name{};  ///< Of the certificate; empty: any.
  std::string host{};
  std::uint16_t port = 0;
  std::string path{};  ///< Of a Unix socket; the rest is empty then.

  [[nodiscard]] bool is_unix() const noexcept { return !path.empty(); }
  /// As it is written, without the name.
  [[nodiscard]] std::string text() const;
};

/// @throws error  errc::invalid_argument, saying what was expected.
[[nodiscard]] address parse_address(std::string_view text);

}  // namespace fastgpu::inline v0::detail
