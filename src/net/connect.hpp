#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <fastgpu/cluster/credentials.hpp>
#include <fastgpu/result.hpp>
#include <fastgpu/seconds.hpp>

#include "net/peer.hpp"
#include "net/stream.hpp"

/// @file
/// Ways out: a stream to an address.

namespace fastgpu::inline v0::detail {

struct connect_options {
  role expects = role::node;  ///< The peer holds at least one of them.
  seconds deadline{5.0};      ///< For all of it: name, connection and handshake.
  seconds dead_after{5.0};    ///< See set_tcp_options().
};

/// A connection under way. To destroy it calls it off.
class connection_attempt {
 public:
  class impl;
  connection_attempt() noexcept;
  explicit connection_attempt(std::shared_ptr<impl> what) noexcept;
  connection_attempt(connection_attempt&&) noexcept;
  connection_attempt& operator=(connection_attempt&&) noexcept;
  ~connection_attempt();

 private:
  std::shared_ptr<impl> impl_;
};

/// Connects to `HOST:PORT`, `[IPV6]:PORT` or `unix:/PATH`; with `NAME@` in front, whoever has another name there is
/// refused. All addresses of a host are tried in turn.
///
/// `done` is called once, never from within this call, and may destroy the attempt. With a stream, the peer is proved
/// to be who it is; whether it takes *us* is known when it has welcomed the session, and until then nothing that matters
/// is to be sent. Else errc::node_unreachable or errc::refused, with one line that begins with the address.
///
/// @param self  Needed for TCP, without meaning for Unix sockets.
/// @throws error  errc::invalid_argument for the address; errc::credentials_error for TCP without any.
/// @par Threads  The one that runs `io`.
[[nodiscard]] connection_attempt connect(boost::asio::io_context& io, const std::string& where,
                                         std::optional<credentials> self, std::function<void(result<byte_stream>)> done,
                                         connect_options options = {});

/// How long to wait before the next try when `failures` of them have failed: anything up to 100 ms after the first, up
/// to twice that after each one more, up to 10 s; uniform, so that many who lost the same peer do not come back at once.
/// @param random  64 uniform bits.
[[nodiscard]] seconds reconnect_delay(std::uint32_t failures, std::uint64_t random) noexcept;

}  // namespace fastgpu::inline v0::detail
