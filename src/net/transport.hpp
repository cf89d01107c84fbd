#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fastgpu/cluster/credentials.hpp>
#include <fastgpu/result.hpp>

#include "net/stream.hpp"
#include "net/tls.hpp"

/// @file
/// What a byte_stream is made of: a queue and its bookkeeping here, the socket in a derived class.

namespace fastgpu::inline v0::detail {

/// Lives until its last operation has ended, however early its byte_stream goes.
class byte_stream::transport : public std::enable_shared_from_this<byte_stream::transport> {
 public:
  transport(boost::asio::any_io_executor executor, std::string remote);
  virtual ~transport() = default;
  transport(const transport&) = delete;
  transport& operator=(const transport&) = delete;

  void start(stream_handlers handlers);
  void write(std::vector<std::byte> bytes);
  void close();
  void abort() noexcept;
  /// As abort(), and tells the owner why.
  void fail(failure why);
  void orphan() noexcept;

  [[nodiscard]] std::size_t unwritten() const noexcept { return unwritten_; }
  [[nodiscard]] std::size_t in_socket() noexcept;
  [[nodiscard]] bool over() const noexcept { return over_; }

  peer_identity peer{};
  const std::string remote;
  std::function<void()> on_authenticated{};  ///< Of the listener's.
  std::function<void()> on_gone{};           ///< Of the listener's: exactly once, when the socket is closed.

 protected:
  /// The socket's side. The first three end in a call, later, of the function named; cut() closes at once, whatever is
  /// under way.
  virtual void read_some(boost::asio::mutable_buffer into) = 0;                         // was_read
  virtual void write_some(std::span<const boost::asio::const_buffer> of) = 0;           // was_written
  virtual void shut_down() = 0;                                                         // none
  virtual void cut() noexcept = 0;
  [[nodiscard]] virtual int descriptor() noexcept = 0;
  /// What an error of this transport means.
  [[nodiscard]] virtual failure explain(const boost::system::error_code& why) const;

  void was_read(const boost::system::error_code& why, std::size_t bytes);
  void was_written(const boost::system::error_code& why, std::size_t bytes);

  /// Runs `step`, and ends the stream where there is no memory for it.
  template <class Step>
  void guarded(const Step& step) noexcept
  {
    try {
      step();
    } catch (const std::exception& e) {  // what Asio or the heap throws
      fail_without_memory(e.what());
    }
  }

  const boost::asio::any_io_executor executor_;

 private:
  void read();
  void flush();
  void finish(const failure& why);
  void let_go() noexcept;
  void fail_without_memory(const char* what) noexcept;
  void end_after(std::chrono::milliseconds limit, failure why);

  stream_handlers handlers_;
  std::unique_ptr<std::byte[]> input_;  // not filled: what nobody has written takes no memory
  std::deque<std::vector<std::byte>> queue_;
  std::size_t front_written_ = 0;  // of queue_.front()
  std::size_t unwritten_ = 0;
  boost::asio::steady_timer linger_;  // until finish(last_words_)
  failure last_words_;
  int calls_ = 0;         // of handlers, under way
  bool writing_ = false;  // or about to
  bool closing_ = false;
  bool over_ = false;     // nothing is called any more, the socket is closed
  bool orphan_ = false;
};

/// Over a Unix socket or a socket pair.
[[nodiscard]] std::shared_ptr<byte_stream::transport> make_plain_transport(
    boost::asio::local::stream_protocol::socket socket, peer_identity peer, std::string remote);

/// TLS over a connected socket: `done` is given the transport with its peer, or the reason why there is none, worded to
/// stand behind the peer's address and a colon. Until then it is cut by abort().
[[nodiscard]] std::shared_ptr<byte_stream::transport> start_handshake(
    boost::asio::ip::tcp::socket socket, bool server, const credentials& self, peer_expectation expected,
    std::string remote, std::function<void(const failure* why)> done);

}  // namespace fastgpu::inline v0::detail
