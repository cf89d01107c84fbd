#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <fastgpu/error.hpp>
#include <fastgpu/seconds.hpp>

#include "detail/interval_set.hpp"
#include "execute/environment.hpp"
#include "execute/ledger.hpp"
#include "nccl/group_reduction.hpp"
#include "nccl/group_registry.hpp"

/// @file
/// The last seals of a run's GPUs as one: what they hold is reduced where it lies, and committed together.

namespace fastgpu::inline v0::detail {

/// GPUs that are out of work arrive, and wait for the others within a bound. When their values and what is committed are
/// the whole job, they reduce among themselves; where that does not come about, each seals to the host as ever.
///
/// Owns the group until it is over, however that comes.
///
/// @par Threads  Guarded by its run's mutex, but for plan() and number(), which are constant; the members' own calls are
///               made outside of it, by their workers.
class group_seal {
 public:
  enum class stage {
    gathering,
    reducing,
    committed,
    dissolved,  ///< Whoever still has values seals them itself.
  };

  /// A GPU that waits, and what it has folded.
  struct arrival {
    seal what;
    interval_set fold_set;
  };

  /// @param number  From `groups`, which outlives this.
  group_seal(environment& clock, group_registry& groups, std::uint64_t number, const reduction_plan& plan,
             seconds wait_most, const group_limits& limits = in_process);
  group_seal(const group_seal&) = delete;
  group_seal& operator=(const group_seal&) = delete;
  ~group_seal() { dissolve(); }

  /// In one process, where NCCL ends a communicator only when its last rank has left, and that one waits for all GPUs.
  static constexpr group_limits in_process{.connect = seconds{50.0}, .abort = seconds{30.0}};

  [[nodiscard]] stage now_at() const noexcept { return stage_; }
  [[nodiscard]] bool over() const noexcept { return stage_ == stage::committed || stage_ == stage::dissolved; }
  /// Whether it is over without anybody's having begun to reduce.
  [[nodiscard]] bool never_began() const noexcept { return stage_ == stage::dissolved && !reduction_; }
  [[nodiscard]] const reduction_plan& plan() const noexcept { return plan_; }
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  [[nodiscard]] const std::vector<arrival>& arrivals() const noexcept { return arrivals_; }

  /// @pre  now_at() gathering.
  void arrive(arrival who);
  /// Subtasks whose values are here.
  [[nodiscard]] std::uint64_t held() const noexcept { return held_; }
  /// Whether the bound on waiting has passed.
  [[nodiscard]] bool waited_long() const;

  /// All are here. @pre  now_at() gathering, two at least have arrived.
  void start();
  /// Nobody waits any more. Members leave by themselves.
  void dissolve() noexcept;

  /// Where no collective has come about, it is dissolved: to the host each has its own way.
  void receive(device_id from, std::vector<group_report> reports);
  void tick();
  /// What `to` is told next, in order.
  [[nodiscard]] std::vector<group_command> take_commands(device_id to);

  /// A value that may be committed, else null.
  [[nodiscard]] const group_outcome* decided() const;
  /// The seals of those whose values are in it.
  [[nodiscard]] std::vector<merged_seal> seals() const;
  /// The ledger has taken it. @pre  decided()
  void commit();
  /// The ledger's word: what `who` has folded counts for nothing.
  void lost(device_id who);

  /// Of a reduction that is over.
  [[nodiscard]] const std::vector<failure>& failures() const noexcept { return failures_; }

 private:
  void post();

  environment& clock_;
  group_registry& groups_;
  std::uint64_t number_;
  reduction_plan plan_;
  double wait_until_s_;
  group_limits limits_;
  stage stage_ = stage::gathering;
  std::vector<arrival> arrivals_;
  std::uint64_t held_ = 0;
  std::optional<group_reduction> reduction_;
  std::vector<std::pair<member_id, group_command>> mail_;
  std::vector<failure> failures_;
};

}  // namespace fastgpu::inline v0::detail
