#pragma once

#include <unistd.h>

#include <string>
#include <utility>

#include <fastgpu/seconds.hpp>

#include "net/address.hpp"
#include "net/peer.hpp"

/// @file
/// What is asked of the system's sockets and Asio does not do: none is inherited by a process that is started, and none
/// waits for a peer that is gone.

namespace fastgpu::inline v0::detail {

class owned_descriptor {
 public:
  owned_descriptor() = default;
  explicit owned_descriptor(int descriptor) noexcept : descriptor_{descriptor} {}
  owned_descriptor(owned_descriptor&& other) noexcept : descriptor_{other.release()} {}
  owned_descriptor& operator=(owned_descriptor&& other) noexcept
  {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~owned_descriptor()
  {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  [[nodiscard]] int get() const noexcept { return descriptor_; }
  [[nodiscard]] int release() noexcept { return std::exchange(descriptor_, -1); }
  explicit operator bool() const noexcept { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

/// Closed on exec, never blocking.
void make_ready_for_io(int descriptor) noexcept;

/// No waiting for more to send; the connection ends when the peer's machine has acknowledged nothing, or has taken
/// nothing, for `dead_after`.
void set_tcp_options(int descriptor, seconds dead_after) noexcept;

/// A new one, as above.
/// @return  Empty, with errno, where there is none.
[[nodiscard]] owned_descriptor new_socket(int domain) noexcept;

/// The user at the other end of a Unix socket, by the kernel's word: only this process's user or root.
/// @throws error  errc::refused, errc::node_unreachable
[[nodiscard]] std::string check_unix_peer(int descriptor);

/// The peer's IP address without its port, and with it; "?" where there is none any more.
[[nodiscard]] std::pair<std::string, std::string> tcp_peer(int descriptor);

/// A socket that listens; of port 0 it gets one.
/// @throws error  errc::node_unreachable, with one line: the port is taken, the folder is open to others, ...
[[nodiscard]] owned_descriptor listen_on(const address& where);

/// Port of a listening TCP socket.
[[nodiscard]] std::uint16_t port_of(int descriptor) noexcept;

/// Whether a listening TCP socket serves all interfaces, however that was written.
[[nodiscard]] bool serves_all_interfaces(int descriptor) noexcept;

}  // namespace fastgpu::inline v0::detail
