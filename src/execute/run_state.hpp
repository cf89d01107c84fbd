#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/execute/execute.hpp>
#include <fastgpu/run.hpp>

#include "aggregate/partial.hpp"
#include "cluster/cluster_core.hpp"
#include "detail/own_counter.hpp"
#include "device/device.hpp"
#include "execute/grants.hpp"
#include "execute/group_seal.hpp"
#include "execute/in_flight_board.hpp"
#include "execute/interval_deque.hpp"
#include "execute/ledger.hpp"
#include "model/forecast.hpp"
#include "observe/trace_buffer.hpp"
#include "observe/worker_times.hpp"

/// @file
/// One run: its deques, ledger, grants and partials, and how workers go through them.

namespace fastgpu::inline v0::detail {

using steady_clock = std::chrono::steady_clock;

/// Where a run stands. Anything but `running` asks workers to leave.
enum class run_phase : int { running = 0, done, failed, cancelled, deadline };

/// A failure with as much detail as there is memory for.
[[nodiscard]] failure failure_of(errc code, const char* detail) noexcept;
/// What a run fails with where there is no memory for what the library itself keeps.
[[nodiscard]] failure out_of_memory() noexcept;

/// What a worker found in a run.
enum class work_result : int {
  nothing,  ///< No work that it might have.
  some,     ///< It worked; there may be more.
  later,    ///< Only work that others should be sooner done with; that may change.
};

/// Who grants a run its subtasks, where it does not own them all: the coordinator of a job that nodes share.
class run_grantor {
 public:
  /// There may be something new to see: a partial to take, nothing left to run, or the end. Called on any worker's
  /// thread, under no lock; brief.
  virtual void look() noexcept = 0;

 protected:
  ~run_grantor() = default;
};

/// What was aggregated of a granted run since the last look.
struct sealed_part {
  std::unique_ptr<partial> values;  ///< Null where nothing was.
  interval_set dropped;  ///< Was run, and is in no value: revoked, or folded together with what was.
};

/// What a granted run's grantor goes by.
struct granted_state {
  std::uint64_t held = 0;     ///< Subtasks granted, and neither sealed nor given back.
  std::uint64_t unstarted = 0;
  std::uint64_t done = 0;     ///< Subtasks run, ever.
  bool hungry = false;        ///< None of them is left to start.
  std::uint64_t sealed = 0;   ///< Subtasks that take_sealed() would give.
  bool finished = false;
  double busy_s = 0;          ///< Of its workers, in batches.
  std::uint64_t batches = 0;
  std::uint64_t steals = 0;
  std::uint64_t retries = 0;
};

/// The work-stealing executor of one run.
///
/// Batches, the hot path, touch the worker's own deque and partial alone. Everything rarer (steals between devices,
/// seals, failures, the end) goes through the ledger and the grants, under one mutex.
///
/// The outcome is delivered by the last worker to leave after the phase has changed: no attempt can write the user's
/// memory any more.
class run_state final : public run_core {
 public:
  /// @param grantor  Null where the placement has all subtasks. Else more are granted later, the run ends only by
  ///                 finish(), cancel() or a failure, and has no value but what take_sealed() gives.
  run_state(ref<cluster_core> core, ref<const job_storage> job, const placement& table, const run_options& options,
            fold_kind fold, run_grantor* grantor = nullptr);
  /// Who has seen finished() may let go while deliver() still has the lock: it is waited for.
  ~run_state() override { const std::scoped_lock lock{mutex_}; }

  // run_core
  void wait() override;
  bool wait_for(seconds timeout) override;
  void cancel() noexcept override;
  progress current_progress() const override;
  bool finished() const noexcept override { return delivered_.load(std::memory_order_acquire) != 0; }
  void on_finished(void (*call)(void*), void* context) override;
  const run_summary& summary() const noexcept override { return summary_; }
  const void* value() const noexcept override { return result_.get(); }
  std::int64_t width() const noexcept override { return job_->data.width; }
  std::string trace_json() const override { return trace_json(summary_); }
  /// With the terms of `of`, which this run may be a part of. @pre finished()
  [[nodiscard]] std::string trace_json(const run_summary& of) const;
  /// Of all workers, where run_options::trace was set. @pre finished()
  [[nodiscard]] std::vector<std::vector<trace_event>> trace_events() const;
  /// Of the workers of devices that the placement names. @pre finished()
  [[nodiscard]] const worker_times& times() const noexcept { return times_; }
  [[nodiscard]] steady_clock::time_point started() const noexcept { return started_; }

  /// What the summary will say of how long the run should take. @pre  Not started.
  void expect(forecast before)
  {
    summary_.predicted = std::move(before.predicted);
    summary_.not_predicted = std::move(before.why_not);
  }

  /// Gives the placement's ranges to the devices, and ends at once where there is nothing to do.
  void start(const placement& table, double assign_s);

  // Of a granted run, for its grantor; from one thread at a time

  /// More subtasks to run. @pre  None of them is held.
  void accept_grant(std::span<const interval> ranges);
  /// Gives back about `subtasks` that nobody has started, from behind.
  [[nodiscard]] interval_set take_back(std::uint64_t subtasks);
  /// From now on the board says which batches are under way. @param job  Its name for this run; not 0
  void show_on(in_flight_board* board, std::uint32_t job) noexcept
  {
    board_ = board;
    board_job_ = job;
  }
  /// Workers close their partials as soon as they are between two batches.
  void seal_soon() noexcept { seal_tick_.fetch_add(1, std::memory_order_relaxed); }
  /// What is not folded of `part` never will be.
  void revoke(const interval_set& part);
  [[nodiscard]] sealed_part take_sealed();
  [[nodiscard]] granted_state state() const;
  void finish();

  /// Between enter() and leave() a worker may run batches. After leave() it must not touch the run, which may be gone.
  /// @return false once the run, or the worker's device in it, is over.
  bool enter(std::uint32_t worker);
  void leave(std::uint32_t worker);

  /// Runs what `worker` can get, until nothing is left for it or a run of higher priority has come since `generation`.
  /// @pre  enter()
  work_result work(std::uint32_t worker, std::uint32_t generation);

  /// Between hold() and let_go() the run stays, for who is no worker. @return false once the run is over.
  bool hold();
  void let_go();

  /// Ends the run if its deadline has passed; asks for seals that are due. @pre  hold()
  void tick(steady_clock::time_point now);
  [[nodiscard]] std::optional<steady_clock::time_point> next_tick() const noexcept;

  [[nodiscard]] std::int32_t priority() const noexcept { return options_.priority; }

  /// Whether enter() would let `worker` in.
  [[nodiscard]] bool admits(std::uint32_t worker) const;
  /// Whether `worker` has a range of its own.
  [[nodiscard]] bool has_share(std::uint32_t worker) const noexcept
  {
    return workers_[worker].deque.has_side() || !workers_[worker].deque.peek().empty();
  }
  /// Whether `worker` should be woken for the start: not for a run that is too small for all.
  [[nodiscard]] bool wants(std::uint32_t worker) const noexcept
  {
    return count_ / span_ >= workers_.size() || has_share(worker);
  }

  /// Subtasks that `device` holds and has not committed. For least_loaded.
  [[nodiscard]] std::uint64_t load(std::uint32_t device) const;

 private:
  struct alignas(64) worker_slot {
    interval_deque deque;
    alignas(64) own_counter done;                        // subtasks; the worker's, as all of these
    own_counter busy_ns;  // in batches that were timed,
    own_counter timed;    // and how many they were
    own_counter batches;
    own_counter steals;
    std::atomic<std::int64_t> first_ns = -1;             // since the start; when it took its first batch
    // The rest belongs to the worker.
    std::unique_ptr<device_session> session;
    batch_hints hints;  // the session's
    std::uint32_t incarnation = 0;
    std::vector<std::pair<interval, std::int64_t>> under_way;  // batches and when they were launched
    double ns_per_subtask = 0;  // of the last batches
    double measured_ns = 0;     // of all timed batches
    double measured = 0;        // subtasks in them
    std::uint32_t batch = 1;
    std::uint32_t failures_in_a_row = 0;
    std::uint32_t seal_seen = 0;
    std::uint64_t sealed_at_batch = 0;  // of a granted run: when its partial was closed before a long batch
    std::int64_t last_ns = 0;   // when its last batch ended
    std::optional<trace_buffer> trace;
    bool measuring = true;  // this batch is timed
    bool back_to_back = false;  // the next batch begins as the last one ended: at last_ns
    bool declined = false;  // the last steal would have been for a loss
  };

  struct device_slot {
    std::uint32_t first_worker = 0;
    std::uint32_t workers = 0;
    bool named = false;              // by the placement: it may take part
    std::atomic<bool> lost = false;
    std::uint32_t inside = 0;        // guarded by mutex_: workers between two batches of this device
    bool loss_reported = false;      // guarded by mutex_
    interval_set in_flight;          // guarded by mutex_: what was running when it was lost
    failure why_lost;                // guarded by mutex_
    std::uint64_t subtasks = 0;      // guarded by mutex_: committed
    std::uint64_t retries = 0;       // guarded by mutex_
  };

  [[nodiscard]] std::int64_t since_start() const noexcept
  {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(steady_clock::now() - started_).count();
  }
  [[nodiscard]] run_phase phase() const noexcept
  {
    return static_cast<run_phase>(std::atomic_ref{phase_}.load(std::memory_order_relaxed));
  }
  [[nodiscard]] bool admits_locked(std::uint32_t worker) const;
  [[nodiscard]] device_slot& device_of(std::uint32_t worker) { return devices_[core_->places()[worker].device]; }

  work_result run_batches(std::uint32_t worker, std::uint32_t generation);
  void wake_thief() noexcept;

  // The hot path
  [[nodiscard]] bool running(const device_slot& device) const noexcept
  {
    return phase() == run_phase::running && !device.lost.load(std::memory_order_relaxed);
  }
  void give_up(std::uint32_t worker, failure why);
  bool open_session(std::uint32_t worker);
  void launch(std::uint32_t worker, interval batch);
  void show_on_board(std::uint32_t worker, interval more) const noexcept;
  void poll(std::uint32_t worker);
  void count_done(worker_slot& me, interval batch, std::int64_t begin_ns);
  void report(std::uint32_t worker, batch_status status, interval batch, std::int64_t begin_ns);
  void measure(worker_slot& me, interval batch, std::int64_t begin_ns);
  [[nodiscard]] std::uint32_t batch_size(const worker_slot& me, std::uint32_t left) const noexcept;
  [[nodiscard]] interval next_batch(std::uint32_t worker);
  [[nodiscard]] interval first_of(worker_slot& me, interval range);
  [[nodiscard]] interval steal_from_sibling(std::uint32_t worker);
  [[nodiscard]] interval steal_from_device(std::uint32_t worker);
  [[nodiscard]] std::pair<interval, bool> try_steal_from_device(std::uint32_t worker);
  [[nodiscard]] double speed_of(const worker_slot& w) const noexcept;
  /// Whether only some of its batches are timed, and stand for those in between.
  [[nodiscard]] bool sampled(const worker_slot& w) const noexcept
  {
    return options_.batches.how == batching::kind::fixed && !w.trace;
  }
  /// Seconds that it spent in batches.
  [[nodiscard]] double busy_s(const worker_slot& w) const noexcept;

  /// Ends the run where an exception leaves it with its books (ledger, grants) half written: nobody may see them so.
  /// Declared right after the lock of mutex_.
  class books_scope {
   public:
    explicit books_scope(run_state& run) noexcept : run_{run} {}
    books_scope(const books_scope&) = delete;
    books_scope& operator=(const books_scope&) = delete;
    ~books_scope()
    {
      if (std::uncaught_exceptions() > uncaught_) run_.end_locked(run_phase::failed, out_of_memory());
    }

   private:
    run_state& run_;
    int uncaught_ = std::uncaught_exceptions();
  };

  // What is rare
  [[nodiscard]] bool hungry_locked() const;
  [[nodiscard]] bool drop_revoked_locked(device_id id, const interval_set& fold_set);
  [[nodiscard]] bool may_launch_granted(std::uint32_t worker, interval batch);
  void seal(std::uint32_t worker);
  [[nodiscard]] bool seal_in_group(std::uint32_t worker);
  [[nodiscard]] bool reduce_in_group(device_id id, const values_in_place& open);
  void leave_group(std::uint32_t worker, group_member& member);
  [[nodiscard]] bool may_gather_locked() const;
  [[nodiscard]] bool somebody_has_work() const;
  [[nodiscard]] bool arrive_in_group(std::uint32_t worker, const values_in_place& open);
  void advance_group_locked();
  [[nodiscard]] bool should_dissolve_locked() const;
  void commit_group_locked(const group_outcome& outcome);
  void absorb_locked(partial&& values);
  void report_failed(std::uint32_t worker, interval batch);
  void report_lost(std::uint32_t worker, interval in_flight, const failure& why);
  void settle_loss(std::uint32_t device);
  void hand_out(const std::vector<grant>& given);
  void end(run_phase how, failure why);
  void end_locked(run_phase how, failure why);
  [[nodiscard]] bool ready_to_deliver();  // under mutex_; true once
  void deliver();
  void take_value();
  void fill_summary();
  void add_times(const device_slot& device);

  ref<cluster_core> core_;
  ref<const job_storage> job_;
  run_options options_;
  fold_kind fold_;
  run_grantor* grantor_;
  in_flight_board* board_ = nullptr;  // set before anything is granted
  std::uint32_t board_job_ = 0;
  std::uint32_t span_;
  std::uint32_t count_;
  bool sole_worker_ = false;  // nobody could steal
  std::optional<reduction_plan> group_plan_;  // where GPUs may reduce among themselves
  steady_clock::time_point started_;
  steady_clock::time_point deadline_;

  std::vector<worker_slot> workers_;  // their number never changes, nor that of devices_
  std::vector<device_slot> devices_;

  mutable int phase_ = 0;                       // a run_phase; through std::atomic_ref, since kernels poll it
  std::atomic<std::uint32_t> seal_tick_ = 0;
  std::atomic<bool> all_may_steal_ = true;      // no device is out of the run
  std::atomic<std::uint32_t> delivered_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable finished_;            // with mutex_, of delivered_
  std::uint32_t inside_ = 0;                    // guarded by mutex_: workers between enter() and leave()
  ledger ledger_;                               // guarded by mutex_
  grants grants_;                               // guarded by mutex_
  std::unique_ptr<partial> total_;              // guarded by mutex_
  interval_set revoked_;                        // guarded by mutex_; of a granted run, as all up to here:
  std::atomic<bool> any_revoked_ = false;       // written under mutex_
  interval_set dropped_;                        // guarded by mutex_
  bool news_ = false;                           // guarded by mutex_: the grantor should look
  bool told_hungry_ = false;                    // guarded by mutex_
  failure why_;                                 // guarded by mutex_
  std::uint64_t seals_ = 0;                     // guarded by mutex_
  std::optional<group_seal> group_;             // guarded by mutex_
  std::uint64_t seals_in_groups_ = 0;           // guarded by mutex_
  std::int64_t group_began_ns_ = 0;             // guarded by mutex_
  std::uint32_t in_group_ = 0;                  // guarded by mutex_: workers that arrived and have not left it
  std::int64_t aggregate_ns_ = 0;               // guarded by mutex_
  steady_clock::time_point next_seal_;          // guarded by mutex_
  bool delivering_ = false;                     // guarded by mutex_
  std::vector<std::string> to_log_;             // guarded by mutex_: written when it is released
  std::vector<std::pair<void (*)(void*), void*>> callbacks_;  // guarded by mutex_

  aligned_bytes result_;
  run_summary summary_;                         // written by deliver(), read after delivered_
  worker_times times_;                          // as summary_
};

}  // namespace fastgpu::inline v0::detail
