#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>

#include "net/messages.hpp"
#include "simulation/scenario.hpp"
#include "simulation/world.hpp"

/// @file
/// Sessions and the wires below them.

namespace simulation {

using fastgpu::detail::message;
using fastgpu::detail::payload;

/// The two ends, and what flows towards each.
enum class end : std::uint8_t { coordinator = 0, node = 1 };
[[nodiscard]] constexpr end other(end e) { return e == end::node ? end::coordinator : end::node; }
[[nodiscard]] constexpr std::size_t index(end e) { return static_cast<std::size_t>(e); }

/// Who hears a session's end.
class session_end {
 public:
  virtual void heard(message&& what, payload&& bytes) = 0;
  /// It came on a session that is over for this end.
  virtual void heard_late(message&& what, payload&& bytes) = 0;
  virtual void closed() = 0;
  /// Nothing has come for a while (`now`), or something has again.
  virtual void suspected(bool now) = 0;

 protected:
  ~session_end() = default;
};

/// The way between the program and one node: what may be cut.
struct wire {
  participant_plan plan;
  std::array<std::uint32_t, 2> cuts{};  ///< Towards each end, how many are in force.
  std::array<std::uint64_t, 2> cut_number{};
  double extra_latency = 0;
  std::uint64_t letters = 0;  ///< Sent, both ways.

  [[nodiscard]] bool open() const { return cuts[0] == 0 && cuts[1] == 0; }
};

/// One connection. In each direction small messages keep their order and so do those with a payload; small ones may
/// overtake the latter. Nothing is lost or doubled inside: what is cut waits, and is dropped with the session.
class session {
 public:
  session(world& where, wire& over, std::uint32_t number, process node_process);

  void attach(end which, session_end* listener) { at(which).listener = listener; }
  [[nodiscard]] bool open(end which) const { return sides_[index(which)].open; }
  [[nodiscard]] std::uint32_t number() const noexcept { return number_; }

  void send(end from, message what, std::shared_ptr<const payload> bytes);
  /// Payloads sent towards `to` that are not on their way.
  [[nodiscard]] std::uint64_t queued_bytes(end to) const;

  /// This end hears no more. The other end is told as soon as something gets through.
  void close(end by);
  /// The connection breaks for both.
  void reset();
  /// The process at this end is gone: its kernel resets the connection.
  void died(end which);

  /// A cut has healed, or begun.
  void path_changed(end towards);
  /// Nothing more comes from the node, since it is frozen.
  void watch_silence(end deaf);

 private:
  struct letter {
    message what;
    std::shared_ptr<const payload> bytes;
    double arrives = 0;
    std::uint64_t after = 0;  // of the small ones sent before
  };
  struct side {
    session_end* listener = nullptr;
    bool open = true;
    std::deque<letter> small;
    std::deque<letter> bulk;
    std::uint64_t small_sent = 0;
    std::uint64_t small_heard = 0;
    double small_last = 0;
    double bulk_last = 0;
    double wire_free = 0;
    double pumped_at = -1;
    bool end_comes = false;  // the other end has closed
    bool suspect = false;    // it
  };

  [[nodiscard]] side& at(end e) { return sides_[index(e)]; }
  void pump(end to);
  void schedule(end to);
  void deliver_one(end to);
  void hear_closing(end which);
  void end_side(end which);
  [[nodiscard]] bool silent(end deaf, std::uint64_t cut) const;
  void suspect(end deaf, std::uint64_t cut);
  void hear_life(end deaf);

  world& world_;
  wire& wire_;
  std::uint32_t number_;
  process node_process_;
  owned to_coordinator_;  // events at this end
  owned to_node_;
  std::array<side, 2> sides_;
};

}  // namespace simulation
