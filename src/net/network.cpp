#include "net/network.hpp"

#include <atomic>
#include <chrono>
#include <exception>
#include <future>
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
  std::atomic<std::uint32_t> inside = 0;  // between enter() and leave()
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
  for (auto n = impl_->inside.load(); n != 0; n = impl_->inside.load()) impl_->inside.wait(n);
  impl_->io.stop();
  impl_->thread.join();
}

void network::enter() noexcept { impl_->inside.fetch_add(1); }

void network::leave() noexcept
{
  if (impl_->inside.fetch_sub(1) == 1) impl_->inside.notify_all();
}

void network::post(std::function<void()> work) { boost::asio::post(impl_->io, std::move(work)); }

void network::run(const std::function<void()>& work)
{
  std::promise<void> done;
  post([&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
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
