#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "execute/coordinator.hpp"
#include "simulation/value.hpp"
#include "simulation/world.hpp"

/// @file
/// Looks at what is said and done, and believes nobody. It shares no code with what it checks, but for sets of
/// intervals.

namespace simulation {

class checker {
 public:
  checker(world& where, const reference& values, std::uint32_t subtasks, std::uint32_t span, std::size_t participants);

  // Who is there
  void session_opened(std::uint32_t device, std::uint32_t session);
  void session_closed(std::uint32_t device);
  void job_opened(std::uint32_t device, std::uint32_t job);
  /// The node said that what it had is lost.
  void job_lost(std::uint32_t device, const std::vector<interval>& in_flight);
  /// A participant could not carry out a part of what it has.
  void tried(std::uint32_t device, interval part);
  [[nodiscard]] std::uint32_t job_of(std::uint32_t device) const { return participants_[device].now.job; }

  // What is said
  void granted(std::uint32_t device, interval range);
  void returned(std::uint32_t device, interval range);
  void sealed(std::uint32_t device, std::uint64_t seal, const interval_set& fold_set);
  void acknowledged(std::uint32_t device, std::uint64_t seal);

  // What counts
  void committed(const stamped_value& values, const interval_set& fold_set);
  void over() { over_ = true; }
  [[nodiscard]] std::uint32_t tries(std::int64_t subtask) const;
  [[nodiscard]] std::uint64_t failed_attempts() const noexcept { return failed_attempts_; }

  /// The ledger against itself, and against what was seen.
  void look_at(const fastgpu::detail::coordinator& boss);
  /// The run says that it is done.
  void expect_complete();

 private:
  struct seen {
    origin now;
    bool there = false;
    std::map<std::uint64_t, interval_set> seals;  // of this job
  };
  void drop_grants(std::uint32_t device);

  world& world_;
  const reference& values_;
  std::uint32_t span_;
  std::vector<seen> participants_;
  std::vector<std::uint32_t> holder_;  // [subtasks], 1 + device
  std::vector<bool> counted_;          // [subtasks]
  std::vector<std::uint32_t> tries_;   // [subtasks], that failed
  std::uint64_t failed_attempts_ = 0;
  value total_;
  bool over_ = false;
};

}  // namespace simulation
