#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <ostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

/// @file
/// A network that does what it should not, between a coordinator and a node.

namespace oracle {

enum class toxin { none, delay, stall, slice, truncate, reset, bandwidth, corrupt };

/// What befalls a connection, from a byte on that goes in one direction.
struct poison {
  toxin what = toxin::none;
  bool to_node = false;
  std::uint64_t at_byte = 0;
  double amount = 0;  ///< delay: seconds for each portion; stall: seconds; bandwidth: bytes a second; corrupt: the bit.

  friend std::ostream& operator<<(std::ostream& to, const poison& p)
  {
    static constexpr const char* words[] = {"nothing",  "delay", "stall",     "slice",
                                            "truncate", "reset", "bandwidth", "corrupt"};
    return to << words[static_cast<int>(p.what)] << (p.to_node ? " to" : " from") << " the node, byte " << p.at_byte
              << ", amount " << p.amount;
  }
};

/// Listens on a port of its own and passes everything on. Connections are poisoned in the order of their coming.
class fault_proxy {
 public:
  using clock = std::chrono::steady_clock;

  /// @param target  "127.0.0.1:PORT".
  /// @param choose  What befalls the n-th connection. Called on a thread of the proxy's.
  fault_proxy(const std::string& target, std::function<poison(std::size_t)> choose)
      : target_{address_of(target)}, choose_{std::move(choose)}, door_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}
  {
    auto any = address_of("127.0.0.1:0");
    ::socklen_t size = sizeof any;
    if (::bind(door_, reinterpret_cast<::sockaddr*>(&any), sizeof any) != 0 || ::listen(door_, 64) != 0 ||
        ::getsockname(door_, reinterpret_cast<::sockaddr*>(&any), &size) != 0) {
      throw std::runtime_error{"the proxy cannot listen"};
    }
    port_ = ntohs(any.sin_port);
    threads_.emplace_back([this] { accept(); });
  }
  fault_proxy(const fault_proxy&) = delete;
  fault_proxy& operator=(const fault_proxy&) = delete;
  ~fault_proxy()
  {
    over_ = true;
    for (;;) {  // the first of them adds others
      std::thread next;
      {
        const std::scoped_lock lock{mutex_};
        if (threads_.empty()) break;
        next = std::move(threads_.front());
        threads_.pop_front();
      }
      next.join();
    }
    ::close(door_);
  }

  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::size_t connections() const { return connections_; }
  /// Bytes that were altered and passed on.
  [[nodiscard]] std::size_t corrupted() const { return corrupted_; }
  /// Connections with such a byte that somebody has ended since.
  [[nodiscard]] std::size_t ended_corrupted() const { return ended_corrupted_; }
  /// The longest that one of them has lived on, in seconds.
  [[nodiscard]] double longest_corrupted_s() const { return longest_corrupted_s_; }

 private:
  static constexpr std::chrono::milliseconds look{5};

  struct pair {
    int client;
    int node;
    poison with;
    std::atomic<bool> dead = false;
    std::atomic<bool> reset = false;
    std::atomic<bool> corrupted = false;
    clock::time_point corrupted_at{};

    pair(int a, int b, poison p) : client{a}, node{b}, with{p} {}
    ~pair()
    {
      for (const int s : {client, node}) {
        const ::linger at_once{1, 0};
        if (reset) ::setsockopt(s, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        ::close(s);
      }
    }
  };

  static ::sockaddr_in address_of(const std::string& text)
  {
    const auto colon = text.rfind(':');
    ::sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr);
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1))));
    return address;
  }

  bool readable(int socket) const
  {
    ::pollfd one{socket, POLLIN, 0};
    return ::poll(&one, 1, static_cast<int>(look.count())) > 0;
  }

  void accept()
  {
    while (!over_) {
      if (!readable(door_)) continue;
      const int client = ::accept4(door_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) continue;
      const int node = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const auto both = std::make_shared<pair>(client, node, choose_(connections_++));
      if (::connect(node, reinterpret_cast<const ::sockaddr*>(&target_), sizeof target_) != 0) continue;
      const int at_once = 1;
      for (const int s : {client, node}) ::setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
      const std::scoped_lock lock{mutex_};
      threads_.emplace_back([this, both] { pass(*both, true); });
      threads_.emplace_back([this, both] { pass(*both, false); });
    }
  }

  void sleep(const pair& of, double s) const
  {
    const auto until = clock::now() + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>{s});
    while (!over_ && !of.dead && clock::now() < until) {
      std::this_thread::sleep_for(std::min<clock::duration>(look, until - clock::now()));
    }
  }

  /// False where it is over.
  bool give(pair& of, int to, const std::byte* bytes, std::size_t count) const
  {
    while (count > 0 && !over_ && !of.dead) {
      ::pollfd one{to, POLLOUT, 0};
      if (::poll(&one, 1, static_cast<int>(look.count())) <= 0) continue;
      const auto sent = ::send(to, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (sent <= 0) return false;
      bytes += sent;
      count -= static_cast<std::size_t>(sent);
    }
    return count == 0;
  }

  void pass(pair& of, bool to_node)
  {
    const int from = to_node ? of.client : of.node;
    const int to = to_node ? of.node : of.client;
    std::array<std::byte, 16384> bytes;
    std::uint64_t passed = 0;
    bool open = true;
    while (open && !over_ && !of.dead) {
      if (!readable(from)) continue;
      const auto got = ::recv(from, bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (got <= 0) break;
      const auto count = static_cast<std::size_t>(got);
      const auto& p = of.with;
      if (p.what == toxin::none || p.to_node != to_node || passed + count <= p.at_byte) {
        open = give(of, to, bytes.data(), count);
      } else {
        open = give_poisoned(of, to, bytes.data(), count, passed);
      }
      passed += count;
    }
    if (of.corrupted && !of.dead.exchange(true)) {
      const std::chrono::duration<double> lived = clock::now() - of.corrupted_at;
      longest_corrupted_s_ = std::max(longest_corrupted_s_.load(), lived.count());
      if (!over_) ++ended_corrupted_;
    }
    of.dead = true;
  }

  bool give_poisoned(pair& of, int to, std::byte* bytes, std::size_t count, std::uint64_t passed)
  {
    const auto& p = of.with;
    const auto clean = p.at_byte > passed ? static_cast<std::size_t>(p.at_byte - passed) : 0;
    switch (p.what) {
      case toxin::none: break;
      case toxin::delay: sleep(of, p.amount); break;
      case toxin::stall:
        if (passed <= p.at_byte) sleep(of, p.amount);
        break;
      case toxin::slice: {
        constexpr std::uint64_t sliced = 1 << 16;  // bytes; it takes a while
        const auto slices = passed < p.at_byte + sliced ? count : 0;
        for (std::size_t i = 0; i < slices; ++i) {
          if (!give(of, to, bytes + i, 1)) return false;
        }
        return give(of, to, bytes + slices, count - slices);
      }
      case toxin::truncate:
        give(of, to, bytes, clean);
        return false;
      case toxin::reset:
        give(of, to, bytes, clean);
        of.reset = true;
        return false;
      case toxin::bandwidth: sleep(of, static_cast<double>(count) / p.amount); break;
      case toxin::corrupt:
        if (passed <= p.at_byte) {
          bytes[clean] ^= std::byte{1} << static_cast<int>(p.amount);
          of.corrupted_at = clock::now();
          of.corrupted = true;
          ++corrupted_;
        }
        break;
    }
    return give(of, to, bytes, count);
  }

  const ::sockaddr_in target_;
  const std::function<poison(std::size_t)> choose_;
  const int door_;
  std::uint16_t port_ = 0;
  std::atomic<bool> over_ = false;
  std::atomic<std::size_t> connections_ = 0;
  std::atomic<std::size_t> corrupted_ = 0;
  std::atomic<std::size_t> ended_corrupted_ = 0;
  std::atomic<double> longest_corrupted_s_ = 0;
  std::mutex mutex_;
  std::list<std::thread> threads_;  // guarded by mutex_
};

}  // namespace oracle
