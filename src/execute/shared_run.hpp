#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/execute/execute.hpp>
#include <fastgpu/run.hpp>

#include "aggregate/partial.hpp"
#include "cluster/cluster_core.hpp"
#include "detail/memory.hpp"
#include "execute/checkpoint.hpp"
#include "execute/run_state.hpp"
#include "execute/shared_job.hpp"

/// @file
/// A run that this process shares with nodes: its coordinator in production.

namespace fastgpu::inline v0::detail {

class shared_machinery;

/// How a shared run begins.
struct shared_start {
  placement local;                 ///< Names this process's devices that take part, without ranges; may be empty.
  std::vector<interval> local_ranges;
  std::vector<std::pair<node_id, interval>> node_ranges;
  std::vector<node_id> kept_out;   ///< Nodes that were there, and the placement does not name. Others may come later.
  std::string numeric_class;       ///< The only one that may take part; empty: any.
  std::string policy;
  double measured_share = 0;       ///< Of the placement.
  double assign_s = 0;
  forecast expected;               ///< Where one was asked for.
  std::unique_ptr<checkpoint> saved;  ///< Null: the run has none.
  std::unique_ptr<partial> resumed;   ///< What was in it; null where nothing was.
};

/// What users see of it: everything behind lives on the network's thread, and is gone when the outcome is out.
class shared_run final : public run_core {
 public:
  shared_run(ref<cluster_core> core, ref<const job_storage> job, const run_options& options, fold_kind fold,
             shared_start how, steady_clock::time_point started);
  ~shared_run() override;

  void start();

  // run_core
  void wait() override;
  bool wait_for(seconds timeout) override;
  void cancel() noexcept override;
  progress current_progress() const override;
  bool finished() const noexcept override { return delivered_.load(std::memory_order_acquire); }
  void on_finished(void (*call)(void*), void* context) override;
  const run_summary& summary() const noexcept override { return summary_; }
  const void* value() const noexcept override { return result_.get(); }
  std::int64_t width() const noexcept override { return job_->data.width; }
  std::string trace_json() const override { return trace_; }

 private:
  friend class shared_machinery;

  ref<cluster_core> core_;
  ref<const job_storage> job_;
  run_options options_;
  fold_kind fold_;
  shared_start how_;
  std::uint64_t resumed_ = how_.resumed ? how_.resumed->fold_set().count() : 0;  // subtasks that are not run
  steady_clock::time_point started_;
  std::shared_ptr<shared_job> what_;
  std::optional<seconds> deadline_;           // on the network's clock

  std::shared_ptr<shared_machinery> machinery_;  // its insides are the network's; dropped there
  std::atomic<std::uint64_t> done_ = 0;
  std::atomic<bool> delivered_ = false;

  mutable std::mutex mutex_;
  std::condition_variable told_;                              // with mutex_, of delivered_
  std::vector<std::pair<void (*)(void*), void*>> callbacks_;  // guarded by mutex_

  aligned_bytes result_;      // these three are written before delivered_, and read after it
  run_summary summary_;
  std::string trace_;
};

}  // namespace fastgpu::inline v0::detail
