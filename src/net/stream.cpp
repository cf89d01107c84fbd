#include "net/stream.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <new>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gsl/assert>

#include "net/socket.hpp"
#include "net/transport.hpp"

namespace fastgpu::inline v0::detail {
namespace asio = boost::asio;
namespace {

constexpr std::size_t input_bytes = 256 << 10;
constexpr std::size_t buffers_max = 64;          // of one write
constexpr std::size_t write_bytes_max = 1 << 20;
constexpr std::chrono::milliseconds linger_limit{2000};
constexpr std::chrono::milliseconds read_limit{200};

}  // namespace

byte_stream::transport::transport(asio::any_io_executor executor, std::string where)
    : remote{std::move(where)}, executor_{std::move(executor)}, linger_{executor_}
{
}

void byte_stream::transport::fail_without_memory(const char* what) noexcept
{
  try {
    fail({std::make_error_code(std::errc::not_enough_memory), remote + ": " + what});
  } catch (...) {
    abort();
  }
}

void byte_stream::transport::start(stream_handlers handlers)
{
  Expects(input_ == nullptr);
  handlers_ = std::move(handlers);
  input_ = std::make_unique_for_overwrite<std::byte[]>(input_bytes);
  if (!over_) read();
}

void byte_stream::transport::read() { read_some(asio::buffer(input_.get(), input_bytes)); }

void byte_stream::transport::was_read(const boost::system::error_code& why, std::size_t bytes)
{
  guarded([&] {
    if (over_) return;
    if (why) {
      if (closing_) return finish({});
      return finish(explain(why));
    }
    if (!closing_ && bytes > 0 && handlers_.bytes) {
      ++calls_;
      handlers_.bytes({input_.get(), bytes});
      --calls_;
      let_go();
    }
    if (!over_) read();
  });
}

void byte_stream::transport::write(std::vector<std::byte> bytes)
{
  if (bytes.empty() || closing_ || over_) return;
  unwritten_ += bytes.size();
  queue_.push_back(std::move(bytes));
  if (writing_) return;
  writing_ = true;  // once the caller is done, so that what else it writes goes along
  asio::post(executor_, [self = shared_from_this()] { self->guarded([&] { self->flush(); }); });
}

void byte_stream::transport::flush()
{
  if (over_) return;
  if (queue_.empty()) {
    writing_ = false;
    if (closing_) shut_down();
    return;
  }
  std::array<asio::const_buffer, buffers_max> buffers;
  std::size_t count = 0;
  std::size_t bytes = 0;
  auto skip = front_written_;
  for (auto at = queue_.begin(); at != queue_.end() && count < buffers_max && bytes < write_bytes_max; ++at) {
    buffers[count] = asio::buffer(*at) + skip;
    bytes += buffers[count++].size();
    skip = 0;
  }
  write_some({buffers.data(), count});
}

void byte_stream::transport::was_written(const boost::system::error_code& why, std::size_t bytes)
{
  guarded([&] {
    if (over_) return;
    // The peer may have said why: its alert lies in front of the end of the stream, where the read finds it.
    if (why) return closing_ ? finish({}) : end_after(read_limit, explain(why));
    unwritten_ -= bytes;
    front_written_ += bytes;
    while (!queue_.empty() && front_written_ >= queue_.front().size()) {
      front_written_ -= queue_.front().size();
      queue_.pop_front();
    }
    if (handlers_.written) {
      ++calls_;
      handlers_.written(bytes);
      --calls_;
      let_go();
    }
    flush();
  });
}

std::size_t byte_stream::transport::in_socket() noexcept
{
  if (over_) return 0;
  int bytes = 0;  // Unix sockets do not know the first question
  const auto socket = descriptor();
  if (::ioctl(socket, SIOCOUTQNSD, &bytes) != 0 && ::ioctl(socket, SIOCOUTQ, &bytes) != 0) return 0;
  return static_cast<std::size_t>(std::max(bytes, 0));
}

void byte_stream::transport::close()
{
  if (closing_ || over_) return;
  closing_ = true;
  end_after(linger_limit, {});
  if (writing_) return;
  writing_ = true;
  asio::post(executor_, [self = shared_from_this()] { self->guarded([&] { self->flush(); }); });
}

void byte_stream::transport::end_after(std::chrono::milliseconds limit, failure why)
{
  last_words_ = std::move(why);
  linger_.expires_after(limit);
  linger_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
    if (!cancelled) self->guarded([&] { self->finish(self->last_words_); });
  });
}

void byte_stream::transport::abort() noexcept
{
  if (over_) return;
  over_ = true;
  queue_.clear();
  unwritten_ = 0;
  linger_.cancel();
  cut();
  if (const auto tell = std::exchange(on_gone, nullptr)) tell();
  on_authenticated = nullptr;
  let_go();
}

void byte_stream::transport::fail(failure why)
{
  if (!over_) finish(why);
}

void byte_stream::transport::finish(const failure& why)
{
  const auto self = shared_from_this();
  abort();
  if (orphan_ || !handlers_.ended) return;
  ++calls_;
  handlers_.ended(why);
  --calls_;
  orphan_ = true;
  let_go();
}

void byte_stream::transport::orphan() noexcept
{
  orphan_ = true;
  if (!closing_) abort();
  let_go();
}

/// Drops the handlers, and what they keep alive, once none of them is running.
void byte_stream::transport::let_go() noexcept
{
  if (orphan_ && calls_ == 0) handlers_ = {};
}

failure byte_stream::transport::explain(const boost::system::error_code& why) const
{
  const auto who = peer.name.empty() ? remote : peer.name + " (" + remote + ")";
  if (why == asio::error::eof) return {make_error_code(errc::node_lost), who + " closed the connection"};
  return {make_error_code(errc::node_lost), "the connection to " + who + " was lost: " + why.message()};
}

byte_stream::byte_stream(std::shared_ptr<transport> via) noexcept : via_{std::move(via)} {}
byte_stream::byte_stream(byte_stream&&) noexcept = default;
byte_stream& byte_stream::operator=(byte_stream&& other) noexcept
{
  if (via_) via_->orphan();
  via_ = std::move(other.via_);
  return *this;
}
byte_stream::~byte_stream()
{
  if (via_) via_->orphan();
}

void byte_stream::start(stream_handlers handlers) { via_->start(std::move(handlers)); }
void byte_stream::write(std::vector<std::byte> bytes) { via_->write(std::move(bytes)); }
std::size_t byte_stream::unwritten() const noexcept { return via_->unwritten(); }
std::size_t byte_stream::in_socket() const noexcept { return via_->in_socket(); }
bool byte_stream::over() const noexcept { return via_->over(); }
void byte_stream::close() { via_->close(); }
void byte_stream::abort() noexcept { via_->abort(); }
void byte_stream::authenticated()
{
  if (const auto tell = std::exchange(via_->on_authenticated, nullptr)) tell();
}
const peer_identity& byte_stream::peer() const noexcept { return via_->peer; }
const std::string& byte_stream::remote() const noexcept { return via_->remote; }

namespace {

class plain_transport final : public byte_stream::transport {
 public:
  plain_transport(asio::local::stream_protocol::socket socket, peer_identity who, std::string where)
      : transport{socket.get_executor(), std::move(where)}, socket_{std::move(socket)}
  {
    peer = std::move(who);
  }

 private:
  void read_some(asio::mutable_buffer into) override
  {
    socket_.async_read_some(into, [this, self = shared_from_this()](const auto& why, std::size_t bytes) {
      was_read(why, bytes);
    });
  }
  void write_some(std::span<const asio::const_buffer> of) override
  {
    // The buffers' list is copied into the operation; what they point to stays in the queue.
    const std::vector<asio::const_buffer> buffers{of.begin(), of.end()};
    socket_.async_write_some(buffers, [this, self = shared_from_this()](const auto& why, std::size_t bytes) {
      was_written(why, bytes);
    });
  }
  void shut_down() override
  {
    boost::system::error_code ignored;
    socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  }
  int descriptor() noexcept override { return socket_.native_handle(); }
  void cut() noexcept override
  {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

  asio::local::stream_protocol::socket socket_;
};

}  // namespace

std::shared_ptr<byte_stream::transport> make_plain_transport(asio::local::stream_protocol::socket socket,
                                                             peer_identity peer, std::string remote)
{
  return std::make_shared<plain_transport>(std::move(socket), std::move(peer), std::move(remote));
}

byte_stream adopt_socket(asio::io_context& io, int descriptor, peer_identity peer)
{
  owned_descriptor owned{descriptor};
  make_ready_for_io(owned.get());
  asio::local::stream_protocol::socket socket{io};
  boost::system::error_code why;
  socket.assign(asio::local::stream_protocol{}, owned.get(), why);
  if (why) throw error{errc::node_unreachable, "an inherited socket cannot be used: " + why.message()};
  (void)owned.release();
  auto name = peer.name;
  return byte_stream{make_plain_transport(std::move(socket), std::move(peer), std::move(name))};
}

}  // namespace fastgpu::inline v0::detail
