#pragma once

#include <functional>
#include <memory>
#include <optional>

#include <fastgpu/seconds.hpp>

#include "execute/environment.hpp"

/// @file
/// The thread that sessions, coordinators and nodes live on, and its clock.

namespace boost::asio {
class io_context;
}

namespace fastgpu::inline v0::detail {

/// An io_context with a thread of its own, and the environment of the state machines that run there.
///
/// @par Threads  post() and on_thread(): any. The rest: the network's own.
class network final : public environment {
 public:
  network();
  /// Waits for who has entered, then for the thread. What was posted and not yet begun is dropped. Not from the network's own thread.
  ~network();
  network(const network&) = delete;
  network& operator=(const network&) = delete;

  /// Runs `work` soon, on the network's thread. It must not throw.
  void post(std::function<void()> work);
  /// The same, and waits until it has run. Not from the network's own thread. @throws what `work` throws
  void run(const std::function<void()>& work);
  [[nodiscard]] bool on_thread() const noexcept;

  /// Between these the network is there: for what posts from other threads.
  void enter() noexcept;
  void leave() noexcept;

  [[nodiscard]] boost::asio::io_context& io() noexcept;

  seconds now() override;
  std::uint64_t random() override;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// One call at a time to come. Destroying it takes it back.
///
/// @par Threads  The network's.
class alarm {
 public:
  alarm(network& on, std::function<void()> ring);
  ~alarm();
  alarm(const alarm&) = delete;
  alarm& operator=(const alarm&) = delete;

  /// Rings at `when`, in place of what was set before; never, where there is no time.
  void set(std::optional<seconds> when);

 private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace fastgpu::inline v0::detail
