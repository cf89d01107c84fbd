#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>

#include "net/tls.hpp"
#include "net/transport.hpp"

/// @file
/// TLS over a socket. OpenSSL reads from and writes to memory of ours: so a read of the socket brings many records, and
/// many leave in one write, where Asio's own TLS stream goes through the event loop with each.

namespace fastgpu::inline v0::detail {
namespace asio = boost::asio;
namespace {

constexpr std::size_t record_bytes = 16 << 10;  // of plain text, the most that TLS allows
constexpr std::size_t record_overhead_bytes = 64;
constexpr std::size_t input_bytes = 256 << 10;  // of one read
constexpr std::size_t output_bytes = 128 << 10;  // plain text of one write; a slow peer is seen to take each

boost::system::error_code error_of(unsigned long openssl)
{
  return {static_cast<int>(openssl), asio::error::get_ssl_category()};
}

/// The bytes of several buffers, in order.
class cursor {
 public:
  explicit cursor(std::span<const asio::const_buffer> of) : of_{of} {}

  [[nodiscard]] bool at_end() const noexcept { return of_.empty(); }
  [[nodiscard]] bool in_last() const noexcept { return of_.size() == 1; }
  /// What is left of the first buffer.
  [[nodiscard]] asio::const_buffer front() const { return of_.front() + used_; }
  void skip(std::size_t bytes)
  {
    used_ += bytes;
    while (!of_.empty() && used_ >= of_.front().size()) {
      used_ -= of_.front().size();
      of_ = of_.subspan(1);
    }
  }
  /// Moves as much as fits into `to`. @return  How much.
  std::size_t move_to(std::span<std::byte> to)
  {
    std::size_t moved = 0;
    while (!at_end() && moved < to.size()) {
      const auto part = asio::buffer_copy(asio::buffer(to.data() + moved, to.size() - moved), front());
      moved += part;
      skip(part);
    }
    return moved;
  }

 private:
  std::span<const asio::const_buffer> of_;
  std::size_t used_ = 0;  // of the first
};

class tls_transport final : public byte_stream::transport {
 public:
  tls_transport(asio::ip::tcp::socket socket, tls_ptr tls, bool server, std::string where)
      : transport{socket.get_executor(), std::move(where)},
        socket_{std::move(socket)},
        tls_{std::move(tls)},
        input_{std::make_unique_for_overwrite<std::byte[]>(input_bytes)}
  {
    auto* memory = BIO_new(memory_method());
    if (memory == nullptr) throw std::bad_alloc{};
    BIO_set_data(memory, this);
    BIO_set_init(memory, 1);
    SSL_set_bio(tls_.get(), memory, memory);
    if (server) {
      SSL_set_accept_state(tls_.get());
    } else {
      SSL_set_connect_state(tls_.get());
    }
  }

  void handshake(std::function<void(const failure*)> done)
  {
    done_ = std::move(done);
    asio::post(executor_, [this, self = shared_from_this()] { guarded([&] { shake_hands(); }); });
  }

 private:
  // What OpenSSL reads and writes ------------------------------------------------------------------------------------

  static const BIO_METHOD* memory_method()
  {
    static const auto* const method = [] {
      auto* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "fastgpu");
      if (made == nullptr) throw std::bad_alloc{};
      BIO_meth_set_read(made, [](BIO* at, char* to, int bytes) {
        return static_cast<tls_transport*>(BIO_get_data(at))->give(at, to, bytes);
      });
      BIO_meth_set_write(made, [](BIO* at, const char* from, int bytes) {
        return static_cast<tls_transport*>(BIO_get_data(at))->take(from, bytes);
      });
      BIO_meth_set_ctrl(made, [](BIO*, int what, long, void*) { return long{what == BIO_CTRL_FLUSH}; });
      return made;
    }();
    return method;
  }

  int give(BIO* at, char* to, int wanted) noexcept
  {
    BIO_clear_retry_flags(at);
    if (received_.empty()) {
      BIO_set_retry_read(at);
      return -1;
    }
    const auto bytes = std::min(received_.size(), static_cast<std::size_t>(wanted));
    std::copy_n(received_.data(), bytes, reinterpret_cast<std::byte*>(to));
    received_ = received_.subspan(bytes);
    return static_cast<int>(bytes);
  }

  int take(const char* from, int bytes) noexcept
  {
    try {
      const auto* first = reinterpret_cast<const std::byte*>(from);
      produced_.insert(produced_.end(), first, first + bytes);
      return bytes;
    } catch (const std::bad_alloc&) {
      return -1;
    }
  }

  // The handshake ----------------------------------------------------------------------------------------------------

  void shake_hands()
  {
    if (!done_) return;  // cut
    ERR_clear_error();
    const int good = SSL_do_handshake(tls_.get());
    const int state = SSL_get_error(tls_.get(), good);
    const auto code = ERR_get_error();
    if (good != 1 && state != SSL_ERROR_WANT_READ) refused_ = explain_tls(*tls_, code);
    send_produced();
    if (refused_) {
      if (!sending_) tell();  // else once the peer has been told, too
    } else if (good == 1) {
      tell();
    } else {
      receive();
    }
  }

  void tell()
  {
    const auto tell = std::exchange(done_, nullptr);
    if (!tell) return;
    if (refused_) return tell(&*refused_);
    auto who = peer_of(*tls_);
    if (!who) return tell(&who.error());
    peer = std::move(who).value();
    tell(nullptr);
  }

  failure explain_handshake(const boost::system::error_code& why) const
  {
    if (why == asio::error::eof) {
      return {make_error_code(errc::node_unreachable), "it closed the connection during the handshake"};
    }
    return {make_error_code(errc::node_unreachable), why.message()};
  }

  // The socket -------------------------------------------------------------------------------------------------------

  void receive()
  {
    socket_.async_read_some(asio::buffer(input_.get(), input_bytes),
                            [this, self = shared_from_this()](const auto& why, std::size_t bytes) {
                              guarded([&] { was_received(why, bytes); });
                            });
  }

  void was_received(const boost::system::error_code& why, std::size_t bytes)
  {
    if (why && done_) {
      if (!refused_) refused_ = explain_handshake(why);
      return tell();
    }
    // Without the peer's farewell, an end is none.
    if (why) return was_read(why == asio::error::eof ? asio::ssl::error::stream_truncated : why, 0);
    received_ = {input_.get(), bytes};
    if (done_) {
      shake_hands();
    } else {
      decrypt();
    }
  }

  void send_produced()
  {
    if (sending_ || produced_.empty()) return;
    sending_ = true;
    std::swap(produced_, sent_);
    send_rest(0);
  }

  void send_rest(std::size_t from)
  {
    socket_.async_write_some(asio::buffer(sent_) + from,
                             [this, self = shared_from_this(), from](const auto& why, std::size_t bytes) {
                               guarded([&] {
                                 if (!why && from + bytes < sent_.size()) return send_rest(from + bytes);
                                 was_sent(why);
                               });
                             });
  }

  void was_sent(const boost::system::error_code& why)
  {
    sending_ = false;
    sent_.clear();
    if (!why && !produced_.empty()) return send_produced();
    if (done_) {
      if (why && !refused_) refused_ = explain_handshake(why);
      if (refused_) tell();
    } else if (plain_bytes_ > 0) {
      was_written(why, std::exchange(plain_bytes_, 0));
    }
  }

  // The stream -------------------------------------------------------------------------------------------------------

  void read_some(asio::mutable_buffer into) override
  {
    into_ = into;
    if (received_.empty() && SSL_pending(tls_.get()) == 0 && !ended_) return receive();
    asio::post(executor_, [this, self = shared_from_this()] { guarded([&] { decrypt(); }); });
  }

  void decrypt()
  {
    std::size_t filled = 0;
    while (!ended_ && filled < into_.size()) {
      std::size_t bytes = 0;
      ERR_clear_error();
      if (SSL_read_ex(tls_.get(), static_cast<std::byte*>(into_.data()) + filled, into_.size() - filled, &bytes) == 1) {
        filled += bytes;
        continue;
      }
      const int state = SSL_get_error(tls_.get(), 0);
      if (state == SSL_ERROR_WANT_READ) break;
      ended_ = state == SSL_ERROR_ZERO_RETURN ? boost::system::error_code{asio::error::eof} : error_of(ERR_get_error());
    }
    send_produced();  // an alert, an answer to a change of keys
    if (filled > 0) return was_read({}, filled);
    if (ended_) return was_read(*ended_, 0);
    receive();
  }

  void write_some(std::span<const asio::const_buffer> of) override
  {
    std::size_t whole = 0;
    for (const auto& one : of) whole += one.size();
    whole = std::min(whole, output_bytes);
    produced_.reserve(produced_.size() + whole + (whole / record_bytes + 2) * record_overhead_bytes);
    for (cursor rest{of}; !rest.at_end() && plain_bytes_ < output_bytes;) {
      auto next = rest.front();
      if (rest.in_last() || next.size() >= record_bytes) {  // from where it lies; but for the last, whole records
        const auto wanted = rest.in_last() ? next.size() : next.size() / record_bytes * record_bytes;
        next = asio::buffer(next, std::min(wanted, output_bytes - plain_bytes_));
        rest.skip(next.size());
      } else {  // what is small goes together
        record_.resize(record_bytes);
        next = asio::buffer(record_.data(), rest.move_to(record_));
      }
      std::size_t written = 0;
      ERR_clear_error();
      if (SSL_write_ex(tls_.get(), next.data(), next.size(), &written) != 1) {
        asio::post(executor_, [this, self = shared_from_this(), why = error_of(ERR_get_error())] { was_written(why, 0); });
        return;
      }
      plain_bytes_ += written;
    }
    send_produced();
  }

  void shut_down() override
  {
    ERR_clear_error();
    SSL_shutdown(tls_.get());
    send_produced();  // The peer's farewell is seen by the read that is under way.
  }

  int descriptor() noexcept override { return socket_.native_handle(); }
  void cut() noexcept override
  {
    done_ = nullptr;
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

  failure explain(const boost::system::error_code& why) const override
  {
    if (why == asio::ssl::error::stream_truncated) return transport::explain(asio::error::connection_reset);
    if (why.category() != asio::error::get_ssl_category()) return transport::explain(why);
    // A client learns only here, after its own handshake, that the server did not like its certificate.
    auto told = explain_tls(*tls_, static_cast<unsigned long>(why.value()));
    told.detail = remote + ": " + told.detail;
    return told;
  }

  asio::ip::tcp::socket socket_;
  tls_ptr tls_;
  std::function<void(const failure*)> done_;  // while there is a handshake
  std::optional<failure> refused_;            // what it is to be told

  std::unique_ptr<std::byte[]> input_;
  std::span<const std::byte> received_;  // of input_, what OpenSSL has not read yet
  asio::mutable_buffer into_;            // where plain text is wanted
  std::optional<boost::system::error_code> ended_;

  std::vector<std::byte> record_;    // of small buffers
  std::vector<std::byte> produced_;  // by OpenSSL, to be sent
  std::vector<std::byte> sent_;      // being sent
  bool sending_ = false;
  std::size_t plain_bytes_ = 0;      // in produced_ and sent_, of write_some()
};

}  // namespace

std::shared_ptr<byte_stream::transport> start_handshake(asio::ip::tcp::socket socket, bool server,
                                                        const credentials& self, peer_expectation expected,
                                                        std::string remote,
                                                        std::function<void(const failure* why)> done)
{
  auto made = std::make_shared<tls_transport>(std::move(socket), new_tls(server, self, std::move(expected)), server,
                                              std::move(remote));
  made->handshake(std::move(done));
  return made;
}

}  // namespace fastgpu::inline v0::detail
