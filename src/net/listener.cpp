#include "net/listener.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <unordered_map>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fastgpu/error.hpp>
#include <fastgpu/observe/log.hpp>

#include "net/address.hpp"
#include "net/log_limiter.hpp"
#include "net/socket.hpp"
#include "net/transport.hpp"

namespace fastgpu::inline v0::detail {
namespace asio = boost::asio;
namespace {

constexpr int accepted_in_a_row = 64;  // then others have their turn on the thread
constexpr std::chrono::milliseconds pause_without_descriptors{100};

seconds now_of_clock() { return std::chrono::steady_clock::now().time_since_epoch(); }

}  // namespace

class listener::impl : public std::enable_shared_from_this<listener::impl> {
 public:
  impl(asio::io_context& io, const std::string& where, std::optional<credentials> self, listener_handlers handlers,
       listener_options options)
      : io_{io},
        where_{parse_address(where)},
        self_{std::move(self)},
        handlers_{std::move(handlers)},
        options_{options},
        admission_{options.strangers},
        door_{io},
        retry_{io},
        alarm_{io}
  {
    if (!where_.name.empty()) throw error{errc::invalid_argument, "address '" + where + "': expected no name to listen on"};
    if (!where_.is_unix() && !self_) {
      throw error{errc::credentials_error,
                  "cannot listen on " + where_.text() + ": TCP needs credentials; without them there is unix:/PATH"};
    }
    auto socket = listen_on(where_);
    if (where_.is_unix()) {
      ::lstat(where_.path.c_str(), &made_);
    } else {
      where_.port = port_of(socket.get());
      if (serves_all_interfaces(socket.get())) {
        log_line(log_level::warning, "listening on all interfaces (" + where_.text() + "): better name the one to serve");
      }
    }
    door_.assign(socket.get());
    (void)socket.release();
  }

  void start() { wait_for_callers(); }

  void stop() noexcept
  {
    if (stopped_) return;
    stopped_ = true;
    handlers_ = {};
    if (where_.is_unix()) {
      struct stat info{};  // of another process's by now?
      if (::lstat(where_.path.c_str(), &info) == 0 && info.st_dev == made_.st_dev && info.st_ino == made_.st_ino) {
        ::unlink(where_.path.c_str());
      }
    }
    boost::system::error_code ignored;
    door_.close(ignored);
    retry_.cancel();
    alarm_.cancel();
    silent_.clear();
    // Those that were handed out have owners, who are to hear of it.
    for (const auto& [who, via] : std::exchange(handshakes_, {})) {
      try {
        via->fail({make_error_code(errc::refused), via->remote + ": it was not welcomed before the listener closed"});
      } catch (const std::exception&) {  // no memory for the reason
        via->abort();
      }
    }
  }

  [[nodiscard]] std::string address() const { return where_.text(); }
  [[nodiscard]] counters count() const noexcept
  {
    auto now = count_;
    now.strangers = static_cast<std::uint32_t>(admission_.strangers());
    return now;
  }

 private:
  using ticket = admission::ticket;
  using socket_ptr = std::shared_ptr<asio::ip::tcp::socket>;

  /// Runs `step`; a step for which there is no memory is not done, the listener goes on.
  template <class Step>
  void guarded(const Step& step) noexcept
  {
    try {
      if (!stopped_) step();
    } catch (const std::exception& e) {
      log_line(log_level::error, std::string_view{e.what()});
    }
  }

  void wait_for_callers()
  {
    door_.async_wait(asio::posix::stream_descriptor::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& why) {
                       if (why) return;
                       self->guarded([&] { self->take_callers(); });
                     });
  }

  void take_callers()
  {
    for (int i = 0; i < accepted_in_a_row && !stopped_; ++i) {
      owned_descriptor caller{::accept4(door_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
      if (caller) {
        ++count_.connections;
        guarded([&] { greet(std::move(caller)); });
        continue;
      }
      const int problem = errno;
      if (problem == EAGAIN || problem == EWOULDBLOCK) break;
      if (problem == EINTR || problem == ECONNABORTED || problem == EPROTO) continue;
      // No descriptors or memory: the callers stay in the queue, and the door would be ready again at once.
      report(where_.text() + ": cannot accept: " + std::strerror(problem));
      retry_.expires_after(pause_without_descriptors);
      retry_.async_wait([self = shared_from_this()](const boost::system::error_code& why) {
        if (!why) self->guarded([&] { self->wait_for_callers(); });
      });
      return;
    }
    if (!stopped_) wait_for_callers();
  }

  void greet(owned_descriptor caller)
  {
    const auto who = next_ticket_++;
    if (where_.is_unix()) return greet_local(who, std::move(caller));

    set_tcp_options(caller.get(), options_.dead_after);
    const auto host = tcp_peer(caller.get()).first;
    const auto socket = std::make_shared<asio::ip::tcp::socket>(io_);
    const auto protocol = host.find(':') != host.npos ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
    socket->assign(protocol, caller.get());
    (void)caller.release();
    silent_.emplace(who, socket);
    // TLS takes memory and time: none of both before there is something to read.
    socket->async_wait(asio::ip::tcp::socket::wait_read,
                       [self = shared_from_this(), socket, who](const boost::system::error_code& why) {
                         if (why) return;
                         self->guarded([&] { self->carry_out(self->admission_.spoke(who, now_of_clock())); });
                       });
    carry_out(admission_.arrived(who, host, now_of_clock()));
  }

  void greet_local(ticket who, owned_descriptor caller)
  {
    std::string name;
    try {
      name = check_unix_peer(caller.get());
    } catch (const error& e) {
      ++count_.refused;
      return report(where_.text() + ": " + e.what());
    }
    asio::local::stream_protocol::socket socket{io_};
    socket.assign(asio::local::stream_protocol{}, caller.get());
    (void)caller.release();
    // Its own user has all rights over a process: to run it, to stop it, and those of fastgpu.
    auto via = make_plain_transport(
        std::move(socket), {name, role::node | role::submit | role::observe | role::operate}, where_.text());
    handshakes_.emplace(who, std::move(via));
    carry_out(admission_.arrived(who, name, now_of_clock()));
    carry_out(admission_.spoke(who, now_of_clock()));
  }

  void carry_out(const admission::decisions& what)
  {
    for (const auto& [who, why] : what.drop) drop(who, why);
    for (const auto who : what.begin) begin(who);
    set_alarm();
  }

  void drop(ticket who, admission::cause why)
  {
    const bool late = why == admission::cause::deadline;
    ++(late ? count_.late : count_.crowded);
    const std::string reason = late ? "it was not welcomed in time" : "others waited for its place";
    if (const auto at = silent_.find(who); at != silent_.end()) {
      boost::system::error_code ignored;
      report(tcp_peer(at->second->native_handle()).second + ": " + reason);
      at->second->close(ignored);
      silent_.erase(at);
      return;
    }
    const auto at = handshakes_.find(who);
    if (at == handshakes_.end()) return;
    const auto via = at->second;
    handshakes_.erase(at);
    report(via->remote + ": " + reason);
    via->fail({make_error_code(errc::refused), via->remote + ": " + reason});
  }

  void begin(ticket who)
  {
    if (where_.is_unix()) {
      const auto at = handshakes_.find(who);
      if (at != handshakes_.end()) hand_out(who, at->second);
      return;
    }
    const auto at = silent_.find(who);
    if (at == silent_.end()) return;
    const auto socket = at->second;
    silent_.erase(at);
    auto via = start_handshake(
        std::move(*socket), true, *self_, {.any_of = options_.accepts}, tcp_peer(socket->native_handle()).second,
        [self = shared_from_this(), who](const failure* why) {
          self->guarded([&] { self->shake_hands(who, why); });
        });
    handshakes_.emplace(who, std::move(via));
  }

  void shake_hands(ticket who, const failure* why)
  {
    const auto at = handshakes_.find(who);
    if (at == handshakes_.end()) return;
    const auto via = at->second;
    if (why == nullptr) return hand_out(who, via);
    ++count_.refused;
    report(via->remote + ": " + why->detail);
    turn_away(who, *via);
  }

  void hand_out(ticket who, const std::shared_ptr<byte_stream::transport>& via)
  {
    const auto& name = via->peer.name;
    auto& streams = streams_of_[name];
    if (streams >= options_.per_principal || count_.authenticated >= options_.authenticated) {
      ++count_.refused;
      report(via->remote + ": " + name + (streams >= options_.per_principal ? ": too many connections" : ": no room"));
      if (streams == 0) streams_of_.erase(name);
      return turn_away(who, *via);
    }
    ++streams;
    ++count_.accepted;
    const auto welcomed = std::make_shared<bool>(false);
    const std::weak_ptr<impl> weak = shared_from_this();
    via->on_authenticated = [weak, who, welcomed] {
      const auto self = weak.lock();
      if (!self) return;
      *welcomed = true;
      ++self->count_.authenticated;
      self->handshakes_.erase(who);
      self->guarded([&] { self->carry_out(self->admission_.left(who, now_of_clock())); });
    };
    via->on_gone = [weak, who, welcomed, name] {
      const auto self = weak.lock();
      if (!self) return;
      const auto of_name = self->streams_of_.find(name);
      if (of_name != self->streams_of_.end() && --of_name->second == 0) self->streams_of_.erase(of_name);
      if (*welcomed) --self->count_.authenticated;
      self->handshakes_.erase(who);
      self->guarded([&] { self->carry_out(self->admission_.left(who, now_of_clock())); });
    };
    carry_out(admission_.proved(who, now_of_clock()));
    if (handlers_.accepted && handshakes_.contains(who)) handlers_.accepted(byte_stream{via});
  }

  void turn_away(ticket who, byte_stream::transport& via)
  {
    via.abort();
    handshakes_.erase(who);
    carry_out(admission_.left(who, now_of_clock()));
  }

  void set_alarm()
  {
    const auto next = admission_.next(now_of_clock());
    if (!next) {
      alarm_.cancel();
      alarm_at_ = {};
      return;
    }
    if (alarm_at_ && alarm_at_->count == next->count) return;
    alarm_at_ = next;
    const std::chrono::duration<double> at{next->count};
    alarm_.expires_at(std::chrono::steady_clock::time_point{
        std::chrono::ceil<std::chrono::steady_clock::duration>(at) + std::chrono::microseconds{1}});
    alarm_.async_wait([self = shared_from_this()](const boost::system::error_code& why) {
      if (why) return;
      self->alarm_at_.reset();
      self->guarded([&] { self->carry_out(self->admission_.tick(now_of_clock())); });
    });
  }

  void report(std::string line)
  {
    if (!log_.admit(line, now_of_clock())) return;
    if (handlers_.refused) {
      handlers_.refused(line);
    } else {
      log_line(log_level::warning, "refused " + line);
    }
  }

  asio::io_context& io_;
  struct address where_;
  const std::optional<credentials> self_;
  listener_handlers handlers_;
  const listener_options options_;
  admission admission_;
  log_limiter log_;
  counters count_{};
  struct stat made_{};
  bool stopped_ = false;
  ticket next_ticket_ = 1;
  std::unordered_map<ticket, socket_ptr> silent_;
  std::unordered_map<ticket, std::shared_ptr<byte_stream::transport>> handshakes_;  // until they are welcomed
  std::unordered_map<std::string, std::uint32_t> streams_of_;                       // by principal; no zeros
  asio::posix::stream_descriptor door_;
  asio::steady_timer retry_;
  asio::steady_timer alarm_;
  std::optional<seconds> alarm_at_;
};

listener::listener(asio::io_context& io, const std::string& where, std::optional<credentials> self,
                   listener_handlers handlers, listener_options options)
    : impl_{std::make_shared<impl>(io, where, std::move(self), std::move(handlers), options)}
{
  impl_->start();
}
listener::~listener() { impl_->stop(); }
std::string listener::address() const { return impl_->address(); }
listener::counters listener::count() const noexcept { return impl_->count(); }

}  // namespace fastgpu::inline v0::detail
