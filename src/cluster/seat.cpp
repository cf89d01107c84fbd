#include "cluster/seat.hpp"

#include <cstddef>

namespace fastgpu::inline v0::detail {
namespace {

std::atomic<bool> kernel_packs_threads = false;  // seen to put a thread on the core of who woke it

}  // namespace

bool seat::wake() noexcept
{
  if (!take_sleeper()) return false;
  caller_core_.store(-1, std::memory_order_relaxed);
  call();
  return true;
}

bool seat::wake_elsewhere() noexcept
{
  if (!take_sleeper()) return false;
  const auto here = sched_getcpu();
  caller_core_.store(here, std::memory_order_relaxed);
  if (kernel_packs_threads.load(std::memory_order_relaxed) && here >= 0 && here < CPU_SETSIZE) keep_off(here);
  call();
  return true;
}

void seat::call() noexcept
{
  wakes_.fetch_add(1, std::memory_order_release);
  wakes_.notify_one();
}

void seat::keep_off(int core) noexcept
{
  auto usual = cores::usual;
  if (!cores_.compare_exchange_strong(usual, cores::changing)) return;
  auto after = cores::usual;
  if (pthread_getaffinity_np(thread_, sizeof usual_cores_, &usual_cores_) == 0) {
    auto others = usual_cores_;
    CPU_CLR(static_cast<std::size_t>(core), &others);
    if (CPU_COUNT(&others) > 0 && pthread_setaffinity_np(thread_, sizeof others, &others) == 0) {
      after = cores::elsewhere;
    }
  }
  cores_.store(after, std::memory_order_release);
}

void seat::came_to() noexcept
{
  if (caller_core_.exchange(-1, std::memory_order_relaxed) == sched_getcpu()) {
    kernel_packs_threads.store(true, std::memory_order_relaxed);
  }
  if (cores_.load(std::memory_order_acquire) != cores::elsewhere) return;
  (void)pthread_setaffinity_np(thread_, sizeof usual_cores_, &usual_cores_);
  cores_.store(cores::usual, std::memory_order_release);
}

}  // namespace fastgpu::inline v0::detail
