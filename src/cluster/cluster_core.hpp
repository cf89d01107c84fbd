#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fastgpu/cluster/cluster.hpp>
#include <fastgpu/detail/ref.hpp>

#include "cluster/node_directory.hpp"
#include "cluster/seat.hpp"
#include "detail/memory.hpp"
#include "device/device.hpp"
#include "execute/environment.hpp"
#include "model/history.hpp"
#include "nccl/group_registry.hpp"
#include "nccl/reduction_plan.hpp"

/// @file
/// What a cluster and its runs share: devices, their threads, the list of runs, and one timer thread.

namespace fastgpu::inline v0::detail {

class run_state;
enum class work_result : int;

/// A worker's place: which device, and which of its threads.
struct worker_place {
  std::uint32_t device = 0;
  std::uint32_t worker = 0;
};

/// Owns the threads, one a seat. A worker takes the first run in order of priority that has work for it; without any it
/// spins a moment, then parks. To be woken it must not have missed anything: it notes the epoch, looks everywhere, and
/// sleeps only while the epoch is still the same, or while a guest has its seat, who wakes it when there is something
/// to look for. Whoever makes work available raises the epoch afterwards, and then looks for sleepers.
///
/// A thread that waits for a run may take a seat meanwhile, as a guest, where no other run is offered: so the run
/// begins without a thread having to wake, and nobody who came earlier waits for it.
///
/// @par Threads  Any, but for the workers' own work().
class cluster_core final : public ref_counted, public environment {
 public:
  cluster_core(std::vector<std::unique_ptr<device>> devices, const cluster_options& options);
  ~cluster_core() override;

  [[nodiscard]] const std::vector<std::unique_ptr<device>>& devices() const noexcept { return devices_; }
  /// Nodes, and the thread that speaks with them. Made when they are first asked for.
  [[nodiscard]] node_directory& directory();
  [[nodiscard]] bool has_nodes() const noexcept { return has_nodes_.load(std::memory_order_acquire); }

  /// This process's devices, with the speeds at which they ran the job's kernel before, or whatever they ran last where
  /// `job` is null.
  [[nodiscard]] std::vector<device_info> describe(const job_data* job = nullptr) const;
  /// The same, and behind them those of nodes.
  [[nodiscard]] std::vector<device_info> describe_all(const job_data* job = nullptr) const;
  [[nodiscard]] memory_source& memory() const noexcept
  {
    return options_.memory != nullptr ? *options_.memory : heap();
  }
  /// Of sessions with nodes.
  [[nodiscard]] const session_limits& node_limits() const noexcept { return node_limits_; }
  /// When GPUs reduce among themselves, and as whom.
  [[nodiscard]] reduction_policy reduction() const noexcept
  {
    if (options_.gpu.reduce_bytes_min == 0) return {};
    return {static_cast<std::size_t>(options_.gpu.reduce_bytes_min)};
  }
  [[nodiscard]] group_registry& groups() noexcept { return groups_; }
  /// Whether the user named the devices, and so means each of them.
  [[nodiscard]] bool devices_by_name() const noexcept { return !options_.devices.empty(); }
  [[nodiscard]] std::size_t worker_count() const noexcept { return places_.size(); }
  [[nodiscard]] const std::vector<worker_place>& places() const noexcept { return places_; }

  /// Wakes who will be wanted for a run of so many spans that this thread is about to offer and to work on: they come
  /// to while it is made ready. One seat stays for the guest.
  void rouse(std::uint64_t spans) noexcept;

  /// Offers a run to the workers, until retire().
  void submit(const ref<run_state>& run);
  /// The same, and works on it with the calling thread if that gets a seat.
  void submit_and_work(const ref<run_state>& run);
  /// Works on a run that is offered with the calling thread, if that gets a seat, until nothing is left to take.
  void work_on(run_state& run);
  void retire(run_state& run);

  /// Says that there may be work that was not there before, for one worker or for all.
  void notify_one() noexcept;
  void notify_all() noexcept;

  /// Rises whenever the list of runs changes.
  [[nodiscard]] std::uint32_t generation() const noexcept { return generation_.load(std::memory_order_acquire); }
  /// Whether a run of higher priority than `priority` is offered.
  [[nodiscard]] bool outranked(std::int32_t priority) const noexcept
  {
    return top_priority_.load(std::memory_order_relaxed) > priority;
  }

  /// Whether more than one run is offered.
  [[nodiscard]] bool runs_beside() const noexcept
  {
    return run_count_.load(std::memory_order_relaxed) > 1;
  }

  /// Says that subtasks came back to a run: workers in runs of lower priority look as well.
  void work_came_back() noexcept;

  /// Whether the calling thread is one of this cluster's workers.
  [[nodiscard]] bool is_worker_thread() const noexcept;

  /// Measured speed of a device at a job, iteration indices a second; kept for later placements.
  void note_speed(device_id device, const job_data& job, double indices_per_second);
  /// The same of a node's devices together. @param name  Their history_name().
  void note_speed(const std::string& name, const job_data& job, double indices_per_second);
  /// Writes cluster_options::history, where there is one and something new for it; what goes wrong is logged.
  void save_history() noexcept;

  // environment
  seconds now() override;
  std::uint64_t random() override;

 private:
  void work(std::uint32_t worker);
  /// Offers the worker to the runs, in their order. @return what it found in any of them
  [[nodiscard]] work_result work_on_all(std::uint32_t worker, std::uint32_t seen);
  void watch();       // the timer thread
  void update_top();  // under mutex_
  /// Offers `run`; takes a seat for a guest where one is wanted and may be had.
  std::optional<std::uint32_t> offer(const ref<run_state>& run, bool guest);
  [[nodiscard]] std::optional<std::uint32_t> seat_for_guest(const run_state& run);  // under mutex_
  void work_as_guest(std::uint32_t worker, run_state& run);
  enum class waker { goes_on, goes_to_sleep };
  void wake_one(waker who) noexcept;
  /// Spins a moment while `stay()` and the epoch is `epoch`. @return whether it is another now
  template <class Stay>
  bool spin(std::uint32_t epoch, const Stay& stay) const;
  void close();
  void load_history();

  std::vector<std::unique_ptr<device>> devices_;
  std::vector<std::string> history_names_;  // of each device
  std::vector<worker_place> places_;
  cluster_options options_;
  session_limits node_limits_;

  group_registry groups_;

  std::once_flag directory_made_;
  std::unique_ptr<node_directory> directory_;
  std::atomic<bool> has_nodes_ = false;

  mutable std::mutex mutex_;               // order: cluster_core::mutex_ before run_state's
  std::vector<ref<run_state>> runs_;       // guarded by mutex_; highest priority first, then oldest
  history history_;                        // guarded by mutex_
  std::vector<double> last_speeds_;        // guarded by mutex_; of each device at what it ran last
  std::condition_variable timer_;          // with mutex_
  bool closing_ = false;                   // guarded by mutex_
  std::optional<std::chrono::steady_clock::time_point> watching_until_;  // guarded by mutex_; the timer's sleep

  std::vector<seat> seats_;                // of each worker
  bool oversubscribed_ = false;            // more workers than cores: nobody spins
  alignas(64) std::atomic<std::uint32_t> epoch_ = 0;
  std::atomic<std::uint32_t> generation_ = 0;
  std::atomic<std::int32_t> top_priority_ = 0;
  std::atomic<std::size_t> run_count_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> random_state_ = 0;

  std::vector<std::thread> threads_;
  std::thread watcher_;
};

}  // namespace fastgpu::inline v0::detail
