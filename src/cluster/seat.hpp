#pragma once

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cstdint>

/// @file
/// One worker's place in a cluster: who works there now, and how its thread sleeps.

namespace fastgpu::inline v0::detail {

enum class seat_holder : std::uint32_t {
  nobody,
  thread,  ///< The cluster's own.
  guest,   ///< A user's thread that waits for a run.
};

/// Whoever holds a seat is its worker: its sessions, deques and counters are the holder's. Taking and leaving order the
/// accesses of one holder before those of the next.
///
/// @par Threads  park(): the cluster's own. Everything else: any.
class alignas(64) seat {
 public:
  [[nodiscard]] bool take(seat_holder who) noexcept
  {
    auto nobody = seat_holder::nobody;
    return holder_.compare_exchange_strong(nobody, who);
  }
  void leave() noexcept { holder_.store(seat_holder::nobody); }
  [[nodiscard]] seat_holder holder() const noexcept { return holder_.load(); }

  [[nodiscard]] bool asleep() const noexcept { return asleep_.load(std::memory_order_relaxed); }

  /// Says that the calling thread is the one that parks here. Once, before anything else of it.
  void belongs_to_this_thread() noexcept { thread_ = pthread_self(); }

  /// Sleeps until wake(), unless `stay()` is false once this thread counts as asleep.
  template <class Stay>
  void park(const Stay& stay)
  {
    const auto wakes = wakes_.load(std::memory_order_relaxed);
    asleep_.store(true);
    if (!stay() && asleep_.exchange(false)) return;
    wakes_.wait(wakes, std::memory_order_acquire);  // also for a waker that has begun
    came_to();
  }

  /// Wakes the thread if it sleeps, or is about to. @return whether it did
  bool wake() noexcept;

  /// The same for a caller that goes on working. Some schedulers put the thread on the caller's core though others are
  /// idle, where it waits as long as a time slice; once one was seen to do so, the thread is kept off that core until
  /// it is awake. (A change of its cores from outside in that very moment is undone.)
  bool wake_elsewhere() noexcept;

 private:
  enum class cores : std::uint32_t { usual, changing, elsewhere };

  [[nodiscard]] bool take_sleeper() noexcept { return asleep_.load() && asleep_.exchange(false); }
  void call() noexcept;
  void keep_off(int core) noexcept;
  void came_to() noexcept;

  std::atomic<seat_holder> holder_ = seat_holder::nobody;
  std::atomic<bool> asleep_ = false;
  std::atomic<std::uint32_t> wakes_ = 0;
  std::atomic<int> caller_core_ = -1;      // of wake_elsewhere(); -1 after wake()
  std::atomic<cores> cores_ = cores::usual;
  pthread_t thread_{};
  cpu_set_t usual_cores_;  // written while cores_ is `changing`, read while it is `elsewhere`
};

}  // namespace fastgpu::inline v0::detail
