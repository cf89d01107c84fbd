#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include <fastgpu/error.hpp>

#include "detail/interval_set.hpp"
#include "net/messages.hpp"

/// @file
/// What runs the subtasks that a node was granted.

namespace fastgpu::inline v0::detail {

/// What a node's executor aggregated since the last look.
struct sealed_payload {
  interval_set fold_set;
  interval_set dropped;       ///< Run, and in no value: revoked, or folded together with what was.
  std::uint64_t counter = 0;  ///< Subtasks counted while folding.
  std::shared_ptr<const payload> values;
};

struct executor_state {
  std::uint64_t held = 0;       ///< Granted, and neither sealed nor given back.
  std::uint64_t unstarted = 0;
  std::uint64_t done = 0;       ///< Run, ever.
  bool sealed = false;          ///< take_sealed() has something.
  bool finished = false;        ///< It will run nothing more: why() tells.
  work_report work;
};

/// Who has opened an executor.
class executor_owner {
 public:
  /// There is news of `job`: its state has changed.
  virtual void look(job_number job) = 0;
  virtual void backup_done(job_number job, interval range, std::shared_ptr<const payload> values) = 0;
  virtual void backup_failed(job_number job, interval range, const failure& why) = 0;

 protected:
  ~executor_owner() = default;
};

/// Runs granted subtasks of one job: a node's devices, or a model of them. Its owner is told of news later, never from
/// within these calls. Destroying it ends what is under way.
///
/// @par Threads  That of its owner.
class job_executor {
 public:
  virtual ~job_executor() = default;

  /// A box of an argument's data.
  [[nodiscard]] virtual std::optional<failure> store(const job_data_piece& piece, payload&& bytes) = 0;

  /// Whether `range` is one that this job can be asked to run, and its data have come.
  [[nodiscard]] virtual bool may_run(interval range) const = 0;
  virtual void grant(std::span<const interval> ranges) = 0;
  /// A backup: its value stays apart. Nothing of it is granted until its end has been told.
  virtual void stage(interval range) = 0;
  /// About `subtasks` that nobody has started.
  [[nodiscard]] virtual interval_set take_back(std::uint64_t subtasks) = 0;
  /// What is not folded of `part` never will be.
  virtual void revoke(const interval_set& part) = 0;
  [[nodiscard]] virtual sealed_payload take_sealed() = 0;
  [[nodiscard]] virtual executor_state state() const = 0;
  /// @pre  It has finished.
  [[nodiscard]] virtual failure why() const = 0;
};

}  // namespace fastgpu::inline v0::detail
