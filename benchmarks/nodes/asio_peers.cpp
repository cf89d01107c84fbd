#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include "nodes/peer.hpp"

/// @file
/// What one writes by hand with Asio: a socket, or a TLS stream as Asio makes it, and as many bytes a subtask as
/// fastgpu's. A thread waits at each end; all whole messages that a read has brought are answered by one write.

namespace bench {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using word = std::array<std::byte, 8>;

constexpr std::size_t input_bytes = 64 << 10;

/// A socket, or TLS over it.
struct plain {
  plain(tcp::socket socket, bool, const std::string&) : stream{std::move(socket)} {}
  [[nodiscard]] tcp::socket& socket() { return stream; }
  tcp::socket stream;
};
struct tls {
  tls(tcp::socket socket, bool server, const std::string& folder) : stream{std::move(socket), with(folder)}
  {
    stream.handshake(server ? asio::ssl::stream_base::server : asio::ssl::stream_base::client);
  }
  [[nodiscard]] tcp::socket& socket() { return stream.next_layer(); }

  asio::ssl::context context{asio::ssl::context::tlsv13};
  asio::ssl::stream<tcp::socket> stream;

 private:
  asio::ssl::context& with(const std::string& folder)
  {
    context.use_certificate_file(folder + "/certificate.pem", asio::ssl::context::pem);
    context.use_private_key_file(folder + "/key.pem", asio::ssl::context::pem);
    return context;
  }
};

/// Takes whole messages of `from` bytes out of `in`, and puts as many of `to` bytes, each with the first word of its
/// own, into `out`.
/// @return  How many.
std::size_t answer_whole(std::vector<std::byte>& in, std::size_t& filled, std::size_t from, std::size_t to,
                         std::vector<std::byte>& out)
{
  const auto whole = filled / from;
  out.resize(whole * to);
  for (std::size_t i = 0; i < whole; ++i) std::memcpy(out.data() + i * to, in.data() + i * from, sizeof(word));
  filled -= whole * from;
  std::memmove(in.data(), in.data() + whole * from, filled);
  return whole;
}

template <class Stream>
void answer_subtasks(Stream& stream)
{
  const auto bytes = wire_bytes_of_a_subtask();
  std::vector<std::byte> in(input_bytes);
  std::vector<std::byte> out;
  for (std::size_t filled = 0;;) {
    filled += stream.read_some(asio::buffer(in) + filled);
    if (answer_whole(in, filled, bytes.grant, bytes.completion, out) > 0) asio::write(stream, asio::buffer(out));
  }
}

/// Both whole: asynchronously, as in a program that does something besides, or with the thread that waits.
template <bool Async, class Stream, class Buffer>
void read_all(asio::io_context& io, Stream& stream, Buffer into)
{
  if constexpr (Async) {
    boost::system::error_code why;
    asio::async_read(stream, into, [&](const auto& w, std::size_t) { why = w; });
    io.restart();
    io.run();
    if (why) throw boost::system::system_error{why};
  } else {
    asio::read(stream, into);
  }
}
template <bool Async, class Stream, class Buffer>
void write_all(asio::io_context& io, Stream& stream, Buffer of)
{
  if constexpr (Async) {
    boost::system::error_code why;
    asio::async_write(stream, of, [&](const auto& w, std::size_t) { why = w; });
    io.restart();
    io.run();
    if (why) throw boost::system::system_error{why};
  } else {
    asio::write(stream, of);
  }
}

template <bool Async, class Stream>
void take_payloads(asio::io_context& io, Stream& stream)
{
  std::vector<std::byte> in(bulk_bytes);
  const word told{};
  for (;;) {
    read_all<Async>(io, stream, asio::buffer(in));
    write_all<Async>(io, stream, asio::buffer(told));
  }
}

enum class use { subtasks, payloads, payloads_async };

template <class Layer, use Use>
class asio_server final : public server {
 public:
  explicit asio_server(const std::string& folder) : thread_{[this, folder] { serve(folder); }} {}
  ~asio_server() override
  {
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    if (const int socket = socket_; socket >= 0) ::shutdown(socket, SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] std::string address() const override { return std::to_string(acceptor_.local_endpoint().port()); }

 private:
  void serve(const std::string& folder)
  {
    try {
      auto socket = acceptor_.accept();
      socket.set_option(tcp::no_delay{true});
      socket_ = socket.native_handle();
      Layer layer{std::move(socket), true, folder};
      if constexpr (Use != use::subtasks) {
        take_payloads<Use == use::payloads_async>(io_, layer.stream);
      } else {
        answer_subtasks(layer.stream);
      }
    } catch (const boost::system::system_error&) {  // the end
    }
  }

  asio::io_context io_;
  tcp::acceptor acceptor_{io_, tcp::endpoint{asio::ip::address_v4::loopback(), 0}};
  std::atomic<int> socket_ = -1;
  std::thread thread_;
};

template <class Layer, use Use>
class asio_client final : public client {
 public:
  asio_client(const std::string& folder, const std::string& port)
      : layer_{connected(io_, static_cast<std::uint16_t>(std::stoul(port))), false, folder}
  {
  }
  void run(std::uint64_t count, std::uint32_t in_flight) override
  {
    if constexpr (Use != use::subtasks) {
      send_payloads(count);
    } else {
      grant(count, in_flight);
    }
  }

 private:
  static tcp::socket connected(asio::io_context& io, std::uint16_t port)
  {
    tcp::socket socket{io};
    socket.connect({asio::ip::address_v4::loopback(), port});
    socket.set_option(tcp::no_delay{true});
    return socket;
  }

  void grant(std::uint64_t count, std::uint32_t in_flight)
  {
    const auto bytes = wire_bytes_of_a_subtask();
    std::vector<std::byte> in(input_bytes);
    std::vector<std::byte> out(std::min<std::uint64_t>(count, in_flight) * bytes.grant);
    std::uint64_t unsent = count - out.size() / bytes.grant;
    std::size_t filled = 0;
    for (std::uint64_t left = count; left > 0;) {
      if (!out.empty()) asio::write(layer_.stream, asio::buffer(out));
      filled += layer_.stream.read_some(asio::buffer(in) + filled);
      left -= answer_whole(in, filled, bytes.completion, bytes.grant, out);
      out.resize(std::min<std::uint64_t>(out.size() / bytes.grant, unsent) * bytes.grant);
      unsent -= out.size() / bytes.grant;
    }
  }

  void send_payloads(std::uint64_t count)
  {
    word told{};
    for (; count > 0; --count) {
      write_all<Use == use::payloads_async>(io_, layer_.stream, asio::buffer(payload_));
      read_all<Use == use::payloads_async>(io_, layer_.stream, asio::buffer(told));
    }
  }

  asio::io_context io_;
  Layer layer_;
  std::vector<std::byte> payload_ = std::vector<std::byte>(Use != use::subtasks ? bulk_bytes : 0, std::byte{0x5a});
};

template <class Layer, use Use>
peer_kind kind_of(const char* name)
{
  return {name,
          [](const std::string& folder) -> std::unique_ptr<server> {
            return std::make_unique<asio_server<Layer, Use>>(folder);
          },
          [](const std::string& folder, const std::string& address) -> std::unique_ptr<client> {
            return std::make_unique<asio_client<Layer, Use>>(folder, address);
          }};
}

}  // namespace

void add_asio_peers(std::vector<peer_kind>& to)
{
  to.push_back(kind_of<plain, use::subtasks>("asio_tcp"));
  to.push_back(kind_of<tls, use::subtasks>("asio_tls"));
  to.push_back(kind_of<plain, use::payloads>("asio_tcp_bulk"));
  to.push_back(kind_of<tls, use::payloads>("asio_tls_waiting_bulk"));
  to.push_back(kind_of<tls, use::payloads_async>("asio_tls_bulk"));
}

}  // namespace bench
