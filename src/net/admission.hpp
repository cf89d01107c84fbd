#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <fastgpu/seconds.hpp>

/// @file
/// Who of the strangers at the door may begin a handshake, and who has to leave.

namespace fastgpu::inline v0::detail {

struct admission_limits {
  std::uint32_t unauthenticated = 64;  ///< In a handshake, or past it and not welcomed.
  std::uint32_t per_address = 8;       ///< The same of one address.
  std::uint32_t waiting = 1024;        ///< Connected, and not in a handshake yet.
  seconds deadline{5.0};               ///< From the connection to the welcome.
  seconds patience{0.25};              ///< With who holds a place and does not get on, while others wait for one.
};

/// State machine without I/O. A connection takes none of the few places before it has said something. Where none is
/// free, those give theirs up that have not got on for `patience`; the place goes to who came last, who is the
/// likeliest to be still there. So a thousand connections that stall delay an honest one by `patience` at most.
///
/// @par Threads  Single-threaded.
class admission {
 public:
  using ticket = std::uint64_t;

  enum class cause { deadline, crowded };
  struct dropped {
    ticket who;
    cause why;
  };
  /// What is to be done now, in this order.
  struct decisions {
    std::vector<dropped> drop;  ///< They are forgotten here already.
    std::vector<ticket> begin;  ///< With their handshakes.
  };

  explicit admission(admission_limits limits) : limits_{limits} {}

  /// A connection was accepted. Tickets only grow.
  [[nodiscard]] decisions arrived(ticket who, const std::string& address, seconds now);
  /// Its first bytes are here.
  [[nodiscard]] decisions spoke(ticket who, seconds now);
  /// It has proved who it is, and is to be welcomed yet.
  [[nodiscard]] decisions proved(ticket who, seconds now);
  /// It was welcomed, or is gone. Unknown tickets are those of dropped ones.
  [[nodiscard]] decisions left(ticket who, seconds now);

  /// When tick() wants to be called; `now` is when something was last told.
  [[nodiscard]] std::optional<seconds> next(seconds now) const;
  [[nodiscard]] decisions tick(seconds now);

  [[nodiscard]] std::size_t placed() const noexcept { return placed_; }
  [[nodiscard]] std::size_t strangers() const noexcept { return entries_.size(); }

 private:
  enum class stage { silent, waiting, placed };
  struct entry {
    std::string address;
    seconds since_arrival;
    seconds since_progress;
    stage at = stage::silent;
  };
  using entries = std::map<ticket, entry>;

  void settle(decisions& what, seconds now);
  [[nodiscard]] entries::iterator slowest(const std::string* address, seconds now);
  void erase(entries::iterator who);

  admission_limits limits_;
  entries entries_;  // by arrival
  std::unordered_map<std::string, std::uint32_t> placed_of_;  // by address; no zeros
  std::uint32_t placed_ = 0;
  std::uint32_t waiting_ = 0;
};

}  // namespace fastgpu::inline v0::detail
