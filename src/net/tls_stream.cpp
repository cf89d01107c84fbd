#include <utility>

#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>

#include "net/tls.hpp"
#include "net/transport.hpp"

/// @file
/// The only place that meets Asio's TLS stream, which takes long to compile.

namespace fastgpu::inline v0::detail {
namespace asio = boost::asio;
namespace {

constexpr std::size_t record_bytes = 16 << 10;  // of plain text, the most that TLS allows

class tls_transport final : public byte_stream::transport {
 public:
  tls_transport(asio::ip::tcp::socket socket, tls_ptr tls, std::string where)
      : transport{socket.get_executor(), std::move(where)}, stream_{std::move(socket), shared(*tls)}, tls_{std::move(tls)}
  {
  }

  void handshake(bool server, std::function<void(const failure*)> done)
  {
    done_ = std::move(done);
    stream_.async_handshake(server ? asio::ssl::stream_base::server : asio::ssl::stream_base::client,
                            [this, self = shared_from_this()](const boost::system::error_code& why) {
                              const auto tell = std::exchange(done_, nullptr);
                              if (!tell) return;
                              guarded([&] {
                                if (why) {
                                  const auto reason = explain_handshake(why);
                                  return tell(&reason);
                                }
                                auto who = peer_of(*tls_);
                                if (!who) return tell(&who.error());
                                peer = std::move(who).value();
                                tell(nullptr);
                              });
                            });
  }

 private:
  /// One reference more, for the stream to free.
  static SSL* shared(SSL& tls) noexcept
  {
    SSL_up_ref(&tls);
    return &tls;
  }

  void read_some(asio::mutable_buffer into) override
  {
    stream_.async_read_some(into, [this, self = shared_from_this()](const auto& why, std::size_t bytes) {
      was_read(why, bytes);
    });
  }

  void write_some(std::span<const asio::const_buffer> of) override
  {
    auto next = of.front();
    if (next.size() < record_bytes && of.size() > 1) {
      record_.resize(record_bytes);
      next = asio::buffer(record_.data(), asio::buffer_copy(asio::buffer(record_), of));
    }
    stream_.async_write_some(next, [this, self = shared_from_this()](const auto& why, std::size_t bytes) {
      was_written(why, bytes);
    });
  }

  void shut_down() override
  {
    // Ends with the peer's own farewell, which the read that is under way sees as well.
    stream_.async_shutdown([self = shared_from_this()](const boost::system::error_code&) {});
  }

  void cut() noexcept override
  {
    done_ = nullptr;
    boost::system::error_code ignored;
    stream_.next_layer().close(ignored);
  }

  failure explain_handshake(const boost::system::error_code& why)
  {
    if (why.category() == asio::error::get_ssl_category()) {
      return explain_tls(*tls_, static_cast<unsigned long>(why.value()));
    }
    if (why == asio::error::eof || why == asio::ssl::error::stream_truncated) {
      return {make_error_code(errc::node_unreachable), "it closed the connection during the handshake"};
    }
    return {make_error_code(errc::node_unreachable), why.message()};
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

  asio::ssl::stream<asio::ip::tcp::socket> stream_;
  tls_ptr tls_;
  std::vector<std::byte> record_;
  std::function<void(const failure*)> done_;
};

}  // namespace

std::shared_ptr<byte_stream::transport> start_handshake(asio::ip::tcp::socket socket, bool server,
                                                        const credentials& self, peer_expectation expected,
                                                        std::string remote,
                                                        std::function<void(const failure* why)> done)
{
  auto made = std::make_shared<tls_transport>(std::move(socket), new_tls(server, self, std::move(expected)),
                                              std::move(remote));
  made->handshake(server, std::move(done));
  return made;
}

}  // namespace fastgpu::inline v0::detail
