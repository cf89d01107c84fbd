#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <fastgpu/cluster/credentials.hpp>
#include <fastgpu/seconds.hpp>

#include "net/admission.hpp"
#include "net/peer.hpp"
#include "net/stream.hpp"

/// @file
/// Where streams come in. Secure or not at all: TCP only with credentials, a Unix socket only for the same user.

namespace fastgpu::inline v0::detail {

struct listener_options {
  role accepts = role::submit | role::observe | role::operate;  ///< A peer holds at least one of them.
  admission_limits strangers{};
  std::uint32_t authenticated = 1024;
  std::uint32_t per_principal = 32;  ///< Streams of one name, welcomed or not yet.
  seconds dead_after{5.0};           ///< See set_tcp_options().
};

struct listener_handlers {
  /// Its certificate is good. It counts as a stranger until authenticated() is called of it. Must not throw.
  std::function<void(byte_stream)> accepted;
  /// Somebody was turned away; a line for the log, and few of them however many come. Default: a warning there.
  std::function<void(const std::string&)> refused{};
};

/// Accepts until it is destroyed; streams that were handed out and are authenticated() live on, others are ended.
///
/// Handshakes are computed one at a time, on the io_context's thread: their number at once is bounded by
/// admission_limits alone.
///
/// @par Threads    The one that runs the io_context.
/// @par Lifetimes  The io_context outlives it.
class listener {
 public:
  /// @param where  `HOST:PORT`, `[IPV6]:PORT` or `unix:/PATH`. Port 0: any that is free.
  /// @param self   Needed for TCP, without meaning for Unix sockets.
  /// @throws error  errc::invalid_argument, errc::credentials_error (TCP without any), errc::node_unreachable (the port
  ///                is taken, the folder is open to others): one line each.
  listener(boost::asio::io_context& io, const std::string& where, std::optional<credentials> self,
           listener_handlers handlers, listener_options options = {});
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  ~listener();

  /// As given, with the port it got.
  [[nodiscard]] std::string address() const;

  struct counters {
    std::uint64_t connections = 0;    ///< Taken from the system, ever.
    std::uint64_t accepted = 0;       ///< Handed out, ever.
    std::uint64_t refused = 0;        ///< For what they showed or did, ever.
    std::uint64_t crowded = 0;        ///< To make room, ever.
    std::uint64_t late = 0;           ///< Not welcomed by the deadline, ever.
    std::uint32_t strangers = 0;      ///< Now.
    std::uint32_t authenticated = 0;  ///< Now.
  };
  [[nodiscard]] counters count() const noexcept;

 private:
  class impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace fastgpu::inline v0::detail
