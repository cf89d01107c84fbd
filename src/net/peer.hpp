#pragma once

#include <cstdint>
#include <string>

/// @file
/// Who is at the other end of a session, and what they may do.

namespace fastgpu::inline v0::detail {

/// Rights, as bits: a message type asks for one of them.
enum class role : std::uint8_t {
  none = 0,
  node = 1,     ///< Runs subtasks for coordinators.
  submit = 2,   ///< Opens jobs of registered kernels.
  observe = 4,  ///< Asks what is there.
  operate = 8,  ///< Drains nodes.
};

[[nodiscard]] constexpr role operator|(role a, role b) noexcept
{
  return static_cast<role>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
[[nodiscard]] constexpr bool has(role held, role wanted) noexcept
{
  return (static_cast<std::uint8_t>(held) & static_cast<std::uint8_t>(wanted)) == static_cast<std::uint8_t>(wanted);
}

/// A peer whose identity was proved: by its certificate, or by the kernel on a Unix socket or a socket pair.
struct peer_identity {
  std::string name;        ///< "gpu7"; "uid 1000" behind a Unix socket.
  role roles = role::none;
  bool certified = false;  ///< By a certificate: the name is the peer's alone.
};

}  // namespace fastgpu::inline v0::detail
