#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "execute/environment.hpp"
#include "support/splitmix.hpp"

/// @file
/// Virtual time: events one after the other, chance by seed, and what of it can be told afterwards.

namespace simulation {

using fastgpu::seconds;

/// Whose time it is. A frozen process's events wait; nothing of a dead one happens.
using process = std::uint32_t;

/// Processes that are never frozen: the program that owns the run, and the network.
constexpr process always = 0;

/// Who waits for an event. An event whose owner is gone does not happen.
using owner_id = std::uint32_t;

/// Chance by seed. One stream a purpose, so that a change to one does not change the others.
class dice {
 public:
  explicit dice(std::uint64_t seed) : state_{seed} {}

  std::uint64_t roll() { return support::mix(state_ += 0x9e3779b97f4a7c15); }
  /// In [0, n). @pre  n > 0
  std::uint64_t below(std::uint64_t n) { return roll() % n; }
  /// In [least, most].
  std::uint64_t among(std::uint64_t least, std::uint64_t most) { return least + below(most - least + 1); }
  /// In [0, 1).
  double share() { return static_cast<double>(roll() >> 11) * 0x1p-53; }
  double between(double least, double most) { return least + (most - least) * share(); }
  /// Evenly over orders of magnitude.
  double magnitude(double least, double most);
  bool one_in(std::uint64_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

/// The event heap and the environment that the state machines see.
///
/// @par Threads  One.
class world final : public fastgpu::detail::environment {
 public:
  explicit world(std::uint64_t seed, bool trace) : dice_{seed}, trace_{trace} { owners_.push_back({always, true}); }

  seconds now() override { return seconds{now_}; }
  std::uint64_t random() override { return dice_.roll(); }

  [[nodiscard]] double time() const noexcept { return now_; }
  [[nodiscard]] dice& chance() noexcept { return dice_; }

  // Who owns events ------------------------------------------------------------------------------------------------
  [[nodiscard]] process new_process();
  [[nodiscard]] owner_id own(process whose);
  void disown(owner_id owner) { owners_[owner].alive = false; }
  void freeze(process which) { processes_[which].frozen = true; }
  /// What should have happened meanwhile happens now, in the same order.
  void thaw(process which);
  [[nodiscard]] bool frozen(process which) const { return processes_[which].frozen; }

  // Events ---------------------------------------------------------------------------------------------------------
  using action = std::function<void()>;
  void at(double when, owner_id owner, action what);
  void after(double delay, owner_id owner, action what) { at(now_ + delay, owner, std::move(what)); }
  /// The next event happens. @return  false if there is none, or something is wrong.
  bool step();
  [[nodiscard]] std::uint64_t events() const noexcept { return events_; }

  // What is told ---------------------------------------------------------------------------------------------------
  /// Part of the trace, whose hash two runs of a seed share.
  void note(std::string_view what, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0);
  [[nodiscard]] std::uint64_t trace_hash() const noexcept { return hash_; }
  /// Something is wrong: the first such thing is kept, and nothing happens any more.
  void wrong(std::string what);
  [[nodiscard]] const std::optional<std::string>& verdict() const noexcept { return wrong_; }

 private:
  struct event {
    double when = 0;
    std::uint64_t number = 0;
    std::uint32_t slot = 0;
  };
  struct later {
    bool operator()(const event& a, const event& b) const
    {
      return a.when != b.when ? a.when > b.when : a.number > b.number;
    }
  };
  struct pending {
    owner_id owner = 0;
    action what;
  };
  struct owner_state {
    process whose = always;
    bool alive = true;
  };
  struct process_state {
    bool frozen = false;
    std::deque<pending> deferred{};
  };

  double now_ = 0;
  dice dice_;
  std::vector<event> heap_;
  std::vector<pending> slots_;
  std::vector<std::uint32_t> unused_;
  std::vector<owner_state> owners_;
  std::vector<process_state> processes_{1};
  std::uint64_t numbers_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t hash_ = 0;
  bool trace_;
  std::optional<std::string> wrong_;
};

/// Owns events for as long as it lives.
class owned {
 public:
  owned(world& where, process whose) : world_{where}, id_{where.own(whose)} {}
  owned(const owned&) = delete;
  owned& operator=(const owned&) = delete;
  ~owned() { world_.disown(id_); }

  [[nodiscard]] owner_id id() const noexcept { return id_; }

 private:
  world& world_;
  owner_id id_;
};

/// Wakes a state machine when its next_tick() says.
class alarm_clock {
 public:
  alarm_clock(world& where, process whose) : world_{where}, owned_{where, whose} {}

  /// @param next  next_tick(); @param ring  What to do then; it sets the clock again.
  void set(std::optional<seconds> next, const std::function<void()>& ring);

 private:
  world& world_;
  owned owned_;
  std::optional<double> wanted_;
  std::optional<double> ringing_;  // the earliest event under way
};

}  // namespace simulation
