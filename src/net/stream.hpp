#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <fastgpu/error.hpp>
#include <fastgpu/seconds.hpp>

#include "net/peer.hpp"

/// @file
/// An established stream of bytes to a peer whose identity is proved. What is below a session.

namespace boost::asio {
class io_context;
}

namespace fastgpu::inline v0::detail {

/// What is told of a stream. They are called one at a time, never from within a call to the stream, and may do anything
/// to it, its destruction included. They must not throw.
struct stream_handlers {
  std::function<void(std::span<const std::byte>)> bytes;  ///< As they come, in any portions.
  std::function<void(std::size_t)> written;               ///< So many bytes more were taken by this machine's kernel.
  /// Nothing more will come. No code: after close(). errc::refused: the peer did not like our credentials. Else
  /// errc::node_lost, also where the peer closed in good order, which a session knows better from what it said.
  std::function<void(const failure&)> ended;
};

/// TLS over TCP, a Unix socket or a socket pair; see connect.hpp and listener.hpp, which make them.
///
/// @par Threads    The one that runs the io_context.
/// @par Lifetimes  The io_context outlives it.
class byte_stream {
 public:
  class transport;

  explicit byte_stream(std::shared_ptr<transport> via) noexcept;
  byte_stream(byte_stream&&) noexcept;
  byte_stream& operator=(byte_stream&&) noexcept;
  /// Nothing is called any more. What close() was told to flush still is; else it ends as by abort().
  ~byte_stream();

  /// Begins to read. Once.
  void start(stream_handlers handlers);

  /// Queues bytes. Small ones go together into as few TLS records as they fill. The queue has no bound of its own: who
  /// writes looks at unwritten() or counts what `written` says.
  void write(std::vector<std::byte> bytes);
  [[nodiscard]] std::size_t unwritten() const noexcept;
  /// Bytes that were written and are still in this machine's socket: over TCP what was not sent yet (what was sent and
  /// not acknowledged is not among them, since an acknowledgement may be delayed), over a Unix socket what the peer has
  /// not read. In bytes of the socket, which TLS makes a little more.
  [[nodiscard]] std::size_t in_socket() const noexcept;
  /// It has ended or failed, or was aborted: nothing is called any more.
  [[nodiscard]] bool over() const noexcept;

  /// Writes what is queued, tells the peer that this was all, and ends when the peer has ended too, or after two
  /// seconds. What still comes is thrown away.
  void close();

  /// Ends at once, without a word to the peer. `ended` is not called.
  void abort() noexcept;

  /// To be called when the session is welcomed: until then a stream from a listener counts among its strangers and is
  /// cut after its deadline.
  void authenticated();

  [[nodiscard]] const peer_identity& peer() const noexcept;
  /// Where the peer is, e.g. "10.0.0.7:41234"; for messages.
  [[nodiscard]] const std::string& remote() const noexcept;

 private:
  std::shared_ptr<transport> via_;
};

/// A stream over a connected stream socket that was inherited or made by socketpair(), to a process whose identity is
/// known thereby. Takes the descriptor over.
/// @throws error  errc::node_unreachable where it is no such socket.
[[nodiscard]] byte_stream adopt_socket(boost::asio::io_context& io, int descriptor, peer_identity peer);

}  // namespace fastgpu::inline v0::detail
