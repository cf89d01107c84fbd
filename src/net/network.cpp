#include "net/network.hpp"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <future>
#include <mutex>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fastgpu/error.hpp>
#include <fastgpu/observe/log.hpp>

#include "detail/float_environment.hpp"

namespace fastgpu::inline v0::detail {

struct network::impl {
  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> stays{io.get_executor()};
  std::mt19937_64 random{std::random_device{}()};
  std::mutex mutex;
  std::condition_variable left;  // with mutex
  std::uint32_t inside = 0;      // guarded by mutex; between enter() and leave()
  std::thread thread;
};

network::network() : impl_{std::make_unique<impl>()}
{
  try {
    impl_->thread = std::thread{[this] {
      const default_float_environment rounding;  // shared runs merge values here
      for (;;) {
        try {
          impl_->io.run();
          return;
        } catch (const std::exception& e) {  // of a handler, where there was no memory: the others go on
          log_line(log_level::error, std::string{"network: "} + e.what());
        }
      }
    }};
  } catch (const std::system_error& e) {
    throw error{errc::no_usable_device, std::string{"network: no thread could be started: "} + e.what()};
  }
}

network::~network()
{
  {
    std::unique_lock lock{impl_->mutex};
    impl_->left.wait(lock, [&] { return impl_->inside == 0; });
  }
  impl_->io.stop();
  impl_->thread.join();
}

void network::enter() noexcept
{
  const std::scoped_lock lock{impl_->mutex};
  ++impl_->inside;
}

void network::leave() noexcept
{
  const std::scoped_lock lock{impl_->mutex};
  if (--impl_->inside == 0) impl_->left.notify_all();  // under the lock: who waits ends all this as soon as it has it
}

void network::post(std::function<void()> work) { boost::asio::post(impl_->io, std::move(work)); }

void network::run(const std::function<void()>& work)
{
  const auto task = std::make_shared<std::packaged_task<void()>>(std::cref(work));
  auto done = task->get_future();
  post([task] { (*task)(); });
  done.get();
}

bool network::on_thread() const noexcept { return std::this_thread::get_id() == impl_->thread.get_id(); }

boost::asio::io_context& network::io() noexcept { return impl_->io; }

seconds network::now() { return std::chrono::steady_clock::now().time_since_epoch(); }

std::uint64_t network::random() { return impl_->random(); }

// Alarms ----------------------------------------------------------------------------------------------------------

struct alarm::impl {
  impl(network& on, std::function<void()> call) : timer{on.io()}, ring{std::move(call)} {}
  boost::asio::steady_timer timer;
  std::function<void()> ring;  // empty once its alarm is gone
  std::optional<std::chrono::steady_clock::time_point> at;
};

alarm::alarm(network& on, std::function<void()> ring) : impl_{std::make_shared<impl>(on, std::move(ring))} {}

alarm::~alarm()
{
  impl_->ring = nullptr;
  impl_->at.reset();
  impl_->timer.cancel();
}

void alarm::set(std::optional<seconds> when)
{
  if (!when) {
    if (impl_->at) impl_->timer.cancel();
    impl_->at.reset();
    return;
  }
  const std::chrono::steady_clock::time_point at{
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>{when->count})};
  if (impl_->at == at) return;
  impl_->at = at;
  impl_->timer.expires_at(at);
  impl_->timer.async_wait([self = impl_, at](const boost::system::error_code& why) {
    if (why || self->at != at) return;
    self->at.reset();
    if (self->ring) self->ring();
  });
}

}  // namespace fastgpu::inline v0::detail
