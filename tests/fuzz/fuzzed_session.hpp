#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "fuzz/target.hpp"
#include "net/codec.hpp"
#include "net/session.hpp"
#include "support/virtual_clock.hpp"

/// @file
/// A session whose peer is the fuzzer, and what must hold of it whatever the peer does.

namespace fuzz {

namespace net = fastgpu::detail;

class fuzzed_session final : public net::session_events {
 public:
  fuzzed_session(bool server, net::role wanted, net::role peers_roles)
      : talk{clock, *this, {"here", "0.1.0", "build", server, wanted}, {"peer", peers_roles}, limits()}
  {
    talk.start();
  }
  ~fuzzed_session() { require(talk.count().bytes_sent == written_); }
  fuzzed_session(const fuzzed_session&) = delete;
  fuzzed_session& operator=(const fuzzed_session&) = delete;

  void pass(double seconds)
  {
    clock.advance_to(clock.now().count + seconds);
    talk.tick();
    const auto next = talk.next_tick();
    require(closed_ ? !next : next.has_value());
    require(closed_ || next->count > clock.now().count);  // what was due has been done
  }
  void take() { talk.written(std::exchange(in_flight_, 0)); }

  [[nodiscard]] bool over() const { return closed_; }

  support::virtual_clock clock;
  net::session talk;

 private:
  static net::session_limits limits()
  {
    net::session_limits made;
    made.frame_bytes = 4096;
    made.piece_bytes = 512;
    made.window_bytes = 2048;
    made.payload_bytes = 5000;
    made.outbound_bytes = 65536;
    made.budget = std::make_shared<net::payload_budget>(4500);
    return made;
  }

  void write(std::vector<std::byte> bytes) override
  {
    require(!closed_ && !bytes.empty());
    written_ += bytes.size();
    in_flight_ += bytes.size();
  }
  void opened() override
  {
    require(!closed_ && !std::exchange(opened_, true));
  }
  void received(net::message&& what, net::payload&& bytes) override
  {
    require(opened_ && !closed_ && talk.open());
    require(net::out_of_bounds(what).empty());
    require(bytes.size() <= 4500);
  }
  void suspected(bool now) override
  {
    require(opened_ && !closed_ && std::exchange(suspected_, now) != now);
  }
  void closed(const fastgpu::failure&) override { require(!std::exchange(closed_, true)); }

  std::uint64_t written_ = 0;
  std::size_t in_flight_ = 0;
  bool opened_ = false;
  bool suspected_ = false;
  bool closed_ = false;
};

}  // namespace fuzz
