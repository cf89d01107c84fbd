#pragma once

#include <pthread.h>

#include <csignal>
#include <ctime>

/// @file
/// The signal of files that grow too large.

namespace fastgpu::inline v0::detail {

/// Where a file may not grow beyond RLIMIT_FSIZE, the kernel sends a signal that ends the process. In here a write just
/// fails: which signals end it is the user's business.
class without_size_signal {
 public:
  without_size_signal() noexcept
  {
    sigemptyset(&only_);
    sigaddset(&only_, SIGXFSZ);
    ::pthread_sigmask(SIG_BLOCK, &only_, &before_);
  }
  ~without_size_signal()
  {
    const timespec now{};
    if (sigismember(&before_, SIGXFSZ) == 0) ::sigtimedwait(&only_, nullptr, &now);  // ours, if there is one
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  without_size_signal(const without_size_signal&) = delete;
  without_size_signal& operator=(const without_size_signal&) = delete;

 private:
  sigset_t only_{};
  sigset_t before_{};
};

}  // namespace fastgpu::inline v0::detail
