#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fastgpu/error.hpp>
#include <fastgpu/seconds.hpp>

#include "execute/environment.hpp"
#include "net/messages.hpp"
#include "net/payload_inbox.hpp"
#include "net/peer.hpp"
#include "net/transfer_meter.hpp"

/// @file
/// A session: the protocol between two authenticated processes, without a socket or a clock of its own.

namespace fastgpu::inline v0::detail {

struct session_limits {
  std::uint32_t frame_bytes_before_welcome = 4096;
  std::uint32_t frame_bytes = 1 << 20;
  std::uint32_t piece_bytes = 256 << 10;           ///< Of a payload, in one frame.
  std::uint64_t payload_bytes = std::uint64_t{16} << 30;
  std::uint32_t window_bytes = 1 << 20;            ///< With so much given to write() and not written(), no piece goes.
  std::uint64_t outbound_bytes = 64 << 20;         ///< Written and not yet taken by the peer's machine; more cuts it.
  std::shared_ptr<payload_budget> budget{};        ///< For payloads that are coming, shared by sessions; null: none.
  seconds handshake{5.0};
  seconds heartbeat_every{0.5};
  seconds suspect_after{2.0};
  seconds dead_after{5.0};
  seconds write_within{10.0};                      ///< Of what is being written the peer takes some so often.
  seconds progress_within{10.0};                   ///< In the middle of a frame, so often,
  std::uint64_t progress_bytes = 10 << 10;         ///< at least so much must have come.
};

/// The defaults, but for a peer that is dead after `dead_after` of silence, suspect after 0.4 of it; and it hears of us
/// ten times in it.
/// @throws error  errc::invalid_argument unless 1 s <= dead_after <= 60 s.
[[nodiscard]] session_limits limits_for(seconds dead_after);

/// What the two ends must agree on, and what this one says of itself.
struct session_self {
  std::string name;     ///< For messages.
  std::string library;  ///< Version, "0.1.0".
  std::string build;    ///< Compiler and floating-point flags of the library.
  bool server = false;  ///< Who accepted the connection speaks second.
  role wanted = role::none;  ///< What the client wants to be: refused unless its identity holds it.
};

/// Where a session's bytes and news go. Called from within the session's own calls; it may be closed, and must not be
/// destroyed, there.
class session_events {
 public:
  /// Bytes for the stream, in order, all that is ready. written() says when they have been taken; until then hardly
  /// more is given: what gathers meanwhile is one write.
  virtual void write(std::vector<std::byte> bytes) = 0;
  /// The peer was welcomed, or has welcomed us: jobs may be spoken of.
  virtual void opened() = 0;
  virtual void received(message&& what, payload&& bytes) = 0;
  /// The peer has been silent for long, or is heard again.
  virtual void suspected(bool now) = 0;
  /// The session is over; `why` has no code where the peer said goodbye, or close() was called. What was given to
  /// write() has been written, unless the peer is beyond reach. Nothing is called afterwards.
  virtual void closed(const failure& why) = 0;

 protected:
  ~session_events() = default;
};

/// State machine without I/O: bytes, time and messages go in; bytes, messages and news come out. Frames with a sequence
/// number each, caps by state, a handshake of hello and welcome, heartbeats both ways, payloads in pieces between which
/// other messages pass. Any breach by the peer closes it with a reason; none throws.
///
/// @par Threads  Single-threaded.
class session {
 public:
  session(environment& world, session_events& events, session_self self, peer_identity peer,
          session_limits limits = {});
  ~session();
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  /// Begins: the client says hello.
  void start();

  /// Bytes that came, in any portions.
  void received(std::span<const std::byte> bytes);
  /// `bytes` of what write() was given are with the peer's machine, or at least in this one's socket.
  void written(std::size_t bytes);
  /// The stream has ended or failed.
  void ended(const failure& why);

  /// Before opened() nothing is sent: it waits. After closed() nothing is. What is longer than a frame ends the
  /// session with errc::internal: see out_of_bounds(). A payload, though an empty one, is what makes a message one
  /// "with a payload".
  ///
  /// @param meter  Of the payload: from when its first piece goes to write() until in_socket() says that it has left.
  ///               Where the session ends before, nothing is told.
  /// @pre  No bytes with a message that carries none, by the dispatch table.
  void send(const message& what, std::shared_ptr<const payload> bytes = nullptr,
            std::shared_ptr<transfer_meter> meter = nullptr);

  /// Whether a payload that was sent with a meter has been written, and in_socket() should say that it has left.
  [[nodiscard]] bool waits_for_socket() const noexcept;
  /// So much of what was written() is still in this machine's socket.
  void in_socket(std::size_t bytes);

  /// Says goodbye, behind all messages without a payload, and closes as soon as that is written. Payloads that wait, or
  /// are not sent to their ends, will not be.
  void close();

  /// When tick() wants to be called, at the latest. Asked again after any other call.
  [[nodiscard]] std::optional<seconds> next_tick() const;
  void tick();

  [[nodiscard]] bool open() const noexcept;
  [[nodiscard]] bool suspect() const noexcept;
  [[nodiscard]] const peer_identity& peer() const noexcept;
  /// Of the peer's hello or welcome.
  [[nodiscard]] const session_self& peer_self() const noexcept;

  struct counters {
    std::uint64_t messages_sent = 0;
    std::uint64_t messages_received = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
  };
  [[nodiscard]] const counters& count() const noexcept;

  /// How long the payload that received() is given took to come, from its announcement to its last piece: 0 where all
  /// of it came at once. Valid in that call.
  [[nodiscard]] double payload_took_s() const noexcept;

  /// Of payloads that were sent, what has not begun its way yet.
  [[nodiscard]] std::uint64_t queued_payload_bytes() const noexcept;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace fastgpu::inline v0::detail
