#include "net/connect.hpp"

#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fastgpu/error.hpp>

#include "net/address.hpp"
#include "net/socket.hpp"
#include "net/transport.hpp"

namespace fastgpu::inline v0::detail {
namespace asio = boost::asio;
namespace {

using clock = std::chrono::steady_clock;

clock::duration duration_of(seconds s)
{
  return std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>{s.count});
}

}  // namespace

class connection_attempt::impl : public std::enable_shared_from_this<connection_attempt::impl> {
 public:
  impl(asio::io_context& io, address where, std::optional<credentials> self,
       std::function<void(result<byte_stream>)> done, connect_options options)
      : io_{io},
        where_{std::move(where)},
        self_{std::move(self)},
        done_{std::move(done)},
        options_{options},
        deadline_{clock::now() + duration_of(options.deadline)},
        limit_{io},
        turn_{io},
        resolver_{io},
        tcp_{io},
        local_{io}
  {
  }

  void start()
  {
    limit_.expires_at(deadline_);
    limit_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
      if (!cancelled) self->guarded([&] { self->fail("no answer in time" + self->last_reason()); });
    });
    if (where_.is_unix()) return connect_local();

    boost::system::error_code not_a_number;
    const auto number = asio::ip::make_address(where_.host, not_a_number);
    if (!not_a_number) {
      endpoints_.emplace_back(number, where_.port);
      return try_next();
    }
    resolver_.async_resolve(where_.host, std::to_string(where_.port), asio::ip::tcp::resolver::numeric_service,
                            [self = shared_from_this()](const boost::system::error_code& why, const auto& found) {
                              self->guarded([&] {
                                if (why) return self->fail("its address is not known: " + why.message());
                                for (const auto& one : found) self->endpoints_.push_back(one.endpoint());
                                self->try_next();
                              });
                            });
  }

  void cancel() noexcept
  {
    done_ = nullptr;
    stop();
  }

 private:
  template <class Step>
  void guarded(const Step& step) noexcept
  {
    try {
      if (done_) step();
    } catch (const std::exception& e) {
      finish(failure{std::make_error_code(std::errc::not_enough_memory), e.what()});
    }
  }

  void connect_local()
  {
    auto made = new_socket(AF_UNIX);
    if (!made) return fail_later(std::error_code{errno, std::generic_category()}.message());
    local_.assign(asio::local::stream_protocol{}, made.get());
    (void)made.release();
    local_.async_connect(asio::local::stream_protocol::endpoint{where_.path},
                         [self = shared_from_this()](const boost::system::error_code& why) {
                           self->guarded([&] {
                             if (why) return self->fail(why.message());
                             self->check_local();
                           });
                         });
  }

  void check_local()
  {
    std::string name;
    try {
      name = check_unix_peer(local_.native_handle());
    } catch (const error& e) {
      return finish(failure{e.code(), where_.text() + ": " + e.what()});
    }
    const auto all = role::node | role::submit | role::observe | role::operate;
    finish(byte_stream{make_plain_transport(std::move(local_), {name, all}, where_.text())});
  }

  /// An address that does not answer leaves time for those behind it.
  void try_next()
  {
    if (next_ == endpoints_.size()) return fail(reason_.empty() ? "it has no address" : reason_);
    const auto& endpoint = endpoints_[next_++];
    boost::system::error_code ignored;
    tcp_.close(ignored);
    auto made = new_socket(endpoint.protocol().family());
    if (!made) {
      reason_ = std::error_code{errno, std::generic_category()}.message();
      return later([this] { try_next(); });
    }
    set_tcp_options(made.get(), options_.dead_after);
    tcp_.assign(endpoint.protocol(), made.get());
    (void)made.release();

    const auto attempt = next_;
    const auto left = deadline_ - clock::now();
    turn_.expires_after(left / static_cast<int>(endpoints_.size() - attempt + 1));
    turn_.async_wait([self = shared_from_this(), attempt](const boost::system::error_code& cancelled) {
      if (cancelled || attempt != self->next_ || attempt == self->endpoints_.size()) return;
      self->guarded([&] {
        self->reason_ = "no answer";
        self->try_next();
      });
    });
    tcp_.async_connect(endpoint, [self = shared_from_this(), attempt](const boost::system::error_code& why) {
      if (attempt != self->next_) return;  // its time was up
      self->guarded([&] {
        self->turn_.cancel();
        if (!why) return self->handshake();
        self->reason_ = why.message();
        self->try_next();
      });
    });
  }

  void handshake()
  {
    next_ = endpoints_.size() + 1;
    reason_.clear();
    via_ = start_handshake(std::move(tcp_), false, *self_, {.any_of = options_.expects, .name = where_.name}, where_.text(),
                           [self = shared_from_this()](const failure* why) {
                             self->guarded([&] {
                               if (why) return self->finish(failure{why->code, self->where_.text() + ": " + why->detail});
                               self->finish(byte_stream{std::exchange(self->via_, nullptr)});
                             });
                           });
  }

  [[nodiscard]] std::string last_reason() const { return reason_.empty() ? "" : " (before: " + reason_ + ")"; }

  void fail(const std::string& why) { finish(failure{make_error_code(errc::node_unreachable), where_.text() + ": " + why}); }

  template <class Step>
  void later(Step step)
  {
    asio::post(io_, [self = shared_from_this(), step] { self->guarded(step); });
  }
  void fail_later(const std::string& why)
  {
    later([this, why] { fail(why); });
  }

  void finish(result<byte_stream> what) noexcept
  {
    const auto done = std::exchange(done_, nullptr);
    stop();
    if (done) done(std::move(what));
  }

  void stop() noexcept
  {
    limit_.cancel();
    turn_.cancel();
    resolver_.cancel();
    boost::system::error_code ignored;
    tcp_.close(ignored);
    local_.close(ignored);
    if (const auto via = std::exchange(via_, nullptr)) via->abort();
  }

  asio::io_context& io_;
  const address where_;
  const std::optional<credentials> self_;
  std::function<void(result<byte_stream>)> done_;  // null: it was called
  const connect_options options_;
  const clock::time_point deadline_;
  asio::steady_timer limit_;
  asio::steady_timer turn_;  // of one address
  asio::ip::tcp::resolver resolver_;
  asio::ip::tcp::socket tcp_;
  asio::local::stream_protocol::socket local_;
  std::shared_ptr<byte_stream::transport> via_;  // while it shakes hands
  std::vector<asio::ip::tcp::endpoint> endpoints_;
  std::size_t next_ = 0;
  std::string reason_;  // why the last address was no good
};

connection_attempt::connection_attempt() noexcept = default;
connection_attempt::connection_attempt(std::shared_ptr<impl> what) noexcept : impl_{std::move(what)} {}
connection_attempt::connection_attempt(connection_attempt&&) noexcept = default;
connection_attempt& connection_attempt::operator=(connection_attempt&& other) noexcept
{
  if (impl_) impl_->cancel();
  impl_ = std::move(other.impl_);
  return *this;
}
connection_attempt::~connection_attempt()
{
  if (impl_) impl_->cancel();
}

connection_attempt connect(asio::io_context& io, const std::string& where, std::optional<credentials> self,
                           std::function<void(result<byte_stream>)> done, connect_options options)
{
  auto parsed = parse_address(where);
  if (!parsed.is_unix() && !self) {
    throw error{errc::credentials_error, parsed.text() + ": TCP needs credentials"};
  }
  const auto attempt = std::make_shared<connection_attempt::impl>(io, std::move(parsed), std::move(self), std::move(done),
                                                                  options);
  attempt->start();
  return connection_attempt{attempt};
}

seconds reconnect_delay(std::uint32_t failures, std::uint64_t random) noexcept
{
  constexpr double first = 0.1;
  constexpr double most = 10;
  const double bound = std::min(most, first * static_cast<double>(std::uint64_t{1} << std::min(failures, 32u)) / 2);
  return seconds{std::max(bound, first) * (static_cast<double>(random >> 11) * 0x1p-53)};
}

}  // namespace fastgpu::inline v0::detail
