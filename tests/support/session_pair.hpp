#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "net/session.hpp"
#include "support/virtual_clock.hpp"

/// @file
/// Two sessions back to back, with a link in virtual time between them that can be slow, cut, or deaf.

namespace support {

namespace net = fastgpu::detail;

/// One end: a session and what it has said and heard.
class session_end final : public net::session_events {
 public:
  struct item {
    net::message what;
    net::payload bytes;
    double at_s;
  };

  session_end(virtual_clock& clock, net::session_self self, net::peer_identity peer, net::session_limits limits)
      : clock_{clock}, talk{clock, *this, std::move(self), std::move(peer), std::move(limits)}
  {
  }

 private:
  virtual_clock& clock_;

 public:
  net::session talk;
  std::vector<std::byte> stream;  ///< Given to write() and not on its way yet.
  std::size_t writes = 0;
  std::uint64_t bytes_written = 0;
  std::size_t opened_count = 0;
  std::vector<item> heard;
  std::vector<std::pair<double, bool>> suspicions;
  std::vector<std::pair<double, fastgpu::failure>> ends;  ///< One at most.
  bool frozen = false;                                    ///< Hears nothing and does nothing.

  /// Called for each message instead of being kept, where it is set.
  void (*answer)(session_end& here, net::message& what) = nullptr;

  [[nodiscard]] bool over() const { return !ends.empty(); }
  [[nodiscard]] std::string reason() const { return ends.empty() ? "open" : ends[0].second.detail; }
  [[nodiscard]] std::error_code code() const { return ends.empty() ? std::error_code{} : ends[0].second.code; }

  void write(std::vector<std::byte> bytes) override
  {
    ++writes;
    bytes_written += bytes.size();
    stream.insert(stream.end(), bytes.begin(), bytes.end());
  }
  void opened() override { ++opened_count; }
  void received(net::message&& what, net::payload&& bytes) override
  {
    if (answer != nullptr) return answer(*this, what);
    heard.push_back({std::move(what), std::move(bytes), clock_.now().count});
  }
  void suspected(bool now) override { suspicions.emplace_back(clock_.now().count, now); }
  void closed(const fastgpu::failure& why) override { ends.emplace_back(clock_.now().count, why); }
};

/// Who the two ends are, unless a test says otherwise: a coordinator dials a node.
struct pair_options {
  net::session_self client{"desk", "0.1.0", "g++ 12 -O3", false, net::role::submit};
  net::session_self server{"gpu7", "0.1.0", "g++ 12 -O3", true, net::role::none};
  net::peer_identity client_identity{"desk",
                                     net::role::submit | net::role::observe | net::role::operate};  ///< To the server.
  net::peer_identity server_identity{"gpu7", net::role::node};                                      ///< To the client.
  net::session_limits client_limits{};
  net::session_limits server_limits{};
};

class session_pair {
 public:
  explicit session_pair(const pair_options& options = {})
      : client{clock, options.client, options.server_identity, options.client_limits},
        server{clock, options.server, options.client_identity, options.server_limits}
  {
  }

  void start()
  {
    server.talk.start();
    client.talk.start();
  }
  /// start() and the handshake.
  void open()
  {
    start();
    flow();
  }

  /// Lets all bytes through at once, in portions of `slice`, until nobody says more.
  void flow()
  {
    while (pass(client, server) || pass(server, client)) {
    }
  }

  /// Lets time pass: ticks when the sessions ask for them, bytes at the link's pace.
  void run_until(double until_s)
  {
    for (;;) {
      if (bytes_a_second == 0) flow();
      const auto [at_s, what] = next_event(until_s);
      clock.advance_to(std::max(at_s, clock.now().count));
      if (what == event::none) return;
      if (what == event::client_tick) client.talk.tick();
      if (what == event::server_tick) server.talk.tick();
      if (what == event::to_server) arrive(client, server, to_server_);
      if (what == event::to_client) arrive(server, client, to_client_);
    }
  }

  virtual_clock clock;
  session_end client;
  session_end server;
  bool cut = false;                ///< Bytes are written and never arrive.
  bool stuck = false;              ///< Bytes are not even written.
  std::size_t slice = SIZE_MAX;    ///< Bytes that arrive together.
  double bytes_a_second = 0;       ///< In each direction; 0: no bound.

 private:
  enum class event { none, client_tick, server_tick, to_server, to_client };
  struct portion {
    std::vector<std::byte> bytes;
    double arrives_s = 0;
  };

  bool pass(session_end& from, session_end& to)
  {
    if (from.stream.empty() || stuck) return false;
    auto bytes = std::exchange(from.stream, {});
    from.talk.written(bytes.size());
    if (!cut && !to.frozen) deliver(to, bytes);
    return true;
  }
  void deliver(session_end& to, std::span<const std::byte> bytes) const
  {
    for (std::size_t at = 0; at < bytes.size(); at += std::min(slice, bytes.size() - at)) {
      to.talk.received(bytes.subspan(at, std::min(slice, bytes.size() - at)));
    }
  }

  /// Puts the next portion on the wire, where there is none.
  void depart(session_end& from, std::optional<portion>& wire) const
  {
    if (bytes_a_second == 0 || wire || from.stream.empty() || stuck) return;
    const auto bytes = std::min<std::size_t>(from.stream.size(), 16 << 10);
    const auto end = from.stream.begin() + static_cast<std::ptrdiff_t>(bytes);
    wire = portion{{from.stream.begin(), end},
                   const_cast<virtual_clock&>(clock).now().count + static_cast<double>(bytes) / bytes_a_second};
    from.stream.erase(from.stream.begin(), end);
  }
  void arrive(session_end& from, session_end& to, std::optional<portion>& wire) const
  {
    const auto bytes = std::exchange(wire, std::nullopt)->bytes;
    from.talk.written(bytes.size());
    if (!cut && !to.frozen) deliver(to, bytes);
  }

  std::pair<double, event> next_event(double until_s)
  {
    depart(client, to_server_);
    depart(server, to_client_);
    std::pair<double, event> first{until_s, event::none};
    const auto consider = [&](std::optional<double> at_s, event what) {
      if (at_s && *at_s < first.first) first = {*at_s, what};
    };
    const auto tick_of = [](const session_end& one) {
      const auto at = one.frozen ? std::nullopt : one.talk.next_tick();
      return at ? std::optional{at->count} : std::nullopt;
    };
    if (to_server_) consider(to_server_->arrives_s, event::to_server);
    if (to_client_) consider(to_client_->arrives_s, event::to_client);
    consider(tick_of(client), event::client_tick);
    consider(tick_of(server), event::server_tick);
    return first;
  }

  std::optional<portion> to_server_;
  std::optional<portion> to_client_;
};

inline std::shared_ptr<const net::payload> payload_of(std::size_t bytes, std::uint8_t first = 0)
{
  net::payload made(bytes);
  for (std::size_t i = 0; i < bytes; ++i) made[i] = static_cast<std::byte>(first + i % 251);
  return std::make_shared<const net::payload>(std::move(made));
}

}  // namespace support
