#pragma once

#include <mutex>

/// @file
/// Waiting a moment without sleeping: to be woken takes longer than most things that are waited for.

namespace fastgpu::inline v0::detail {

/// One step of a loop that waits for another thread.
inline void pause() noexcept
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

/// Locks a mutex that is never held for long.
[[nodiscard]] inline std::unique_lock<std::mutex> lock_soon(std::mutex& mutex)
{
  constexpr int tries = 200;  // some microseconds
  std::unique_lock lock{mutex, std::try_to_lock};
  for (int i = 0; i < tries && !lock.owns_lock(); ++i) {
    pause();
    (void)lock.try_lock();
  }
  if (!lock.owns_lock()) lock.lock();
  return lock;
}

}  // namespace fastgpu::inline v0::detail
