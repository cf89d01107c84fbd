#include "cluster/cluster_core.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <gsl/assert>

#include "execute/run_state.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr int spins_before_parking = 2000;
constexpr std::int32_t no_priority = std::numeric_limits<std::int32_t>::min();

constexpr auto later = std::chrono::microseconds{100};  // until a worker looks again at work that it has declined

thread_local const cluster_core* current_core = nullptr;  // whose worker this thread is

void pause() noexcept
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

cluster_core::cluster_core(std::vector<std::unique_ptr<device>> devices, const cluster_options& options)
    : devices_{std::move(devices)}, options_{options}, speeds_(devices_.size(), 0.0), top_priority_{no_priority}
{
  Expects(!devices_.empty());
  for (std::uint32_t d = 0; d < devices_.size(); ++d) {
    for (std::uint32_t w = 0; w < devices_[d]->info().workers; ++w) places_.push_back({d, w});
  }
  random_state_ = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  try {
    threads_.reserve(places_.size());
    for (std::uint32_t w = 0; w < places_.size(); ++w) threads_.emplace_back([this, w] { work(w); });
    watcher_ = std::thread{[this] { watch(); }};
  } catch (const std::system_error& e) {
    close();
    throw error{errc::no_usable_device, "cluster: threads could not be started: " + std::string{e.what()}};
  } catch (...) {
    close();
    throw;
  }
}

cluster_core::~cluster_core()
{
  Expects(runs_.empty());  // a run holds a reference to its core
  close();
}

void cluster_core::close()
{
  {
    const std::scoped_lock lock{mutex_};
    closing_ = true;
  }
  stopping_.store(true, std::memory_order_release);
  notify_all();
  timer_.notify_all();
  for (auto& thread : threads_) thread.join();
  if (watcher_.joinable()) watcher_.join();
}

std::vector<device_info> cluster_core::describe() const
{
  std::vector<device_info> infos;
  const std::scoped_lock lock{mutex_};
  for (std::uint32_t d = 0; d < devices_.size(); ++d) {
    infos.push_back(devices_[d]->info());
    infos.back().id = {d};
    infos.back().speed = speeds_[d];
    infos.back().labels.insert(infos.back().labels.end(), options_.labels.begin(), options_.labels.end());
    for (const auto& run : runs_) infos.back().load += run->load(d);
  }
  return infos;
}

void cluster_core::submit(const ref<run_state>& run)
{
  bool sooner = false;
  {
    const std::scoped_lock lock{mutex_};
    const auto due = run->next_tick();
    sooner = due && (!watching_until_ || *due < *watching_until_);
    const auto behind = std::find_if(runs_.begin(), runs_.end(),
                                     [&](const auto& other) { return other->priority() < run->priority(); });
    runs_.insert(behind, run);
    update_top();
  }
  if (sooner) timer_.notify_all();
  notify_all();
}

void cluster_core::retire(run_state& run)
{
  const std::scoped_lock lock{mutex_};
  std::erase_if(runs_, [&](const auto& other) { return other.get() == &run; });
  update_top();
}

void cluster_core::update_top()
{
  top_priority_.store(runs_.empty() ? no_priority : runs_.front()->priority(), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
}

void cluster_core::notify_one() noexcept
{
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_one();
}

void cluster_core::notify_all() noexcept
{
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
}

void cluster_core::work_came_back() noexcept
{
  generation_.fetch_add(1, std::memory_order_release);
  notify_all();
}

bool cluster_core::is_worker_thread() const noexcept { return current_core == this; }

void cluster_core::note_speed(device_id device, double indices_per_second)
{
  const std::scoped_lock lock{mutex_};
  auto& speed = speeds_.at(device.value);
  speed = speed == 0 ? indices_per_second : 0.5 * (speed + indices_per_second);
}

seconds cluster_core::now()
{
  return std::chrono::steady_clock::now().time_since_epoch();
}

std::uint64_t cluster_core::random()
{
  // splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
  auto x = random_state_.fetch_add(0x9e3779b97f4a7c15, std::memory_order_relaxed);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

void cluster_core::work(std::uint32_t worker)
{
  if (options_.thread_start != nullptr) {
    options_.thread_start(options_.thread_context, {places_[worker].device}, places_[worker].worker);
  }
  current_core = this;
  const bool oversubscribed = places_.size() > allowed_cores();
  for (;;) {
    // The epoch first: read after the end had raised it, it would be waited for to change once more.
    const auto epoch = epoch_.load(std::memory_order_acquire);
    if (stopping_.load(std::memory_order_acquire)) return;
    const auto seen = generation();
    bool any = false;
    bool declined = false;
    for (std::size_t next = 0;;) {
      run_state* run = nullptr;
      {
        const std::scoped_lock lock{mutex_};
        while (next < runs_.size() && run == nullptr) {
          if (runs_[next]->enter(worker)) run = runs_[next].get();
          ++next;
        }
      }
      if (run == nullptr) break;
      const auto found = run->work(worker, seen);
      any = any || found == work_result::some;
      declined = declined || found == work_result::later;
      run->leave(worker);
      if (generation() != seen) break;  // the list has changed: begin with its first again
    }
    if (any || generation() != seen) continue;
    if (declined) {  // for somebody quicker, maybe, who sleeps
      notify_one();
      std::this_thread::sleep_for(later);
      continue;
    }
    for (int i = 0; i < spins_before_parking && !oversubscribed; ++i) {
      if (epoch_.load(std::memory_order_relaxed) != epoch) break;
      pause();
    }
    epoch_.wait(epoch, std::memory_order_acquire);
  }
}

void cluster_core::watch()
{
  std::unique_lock lock{mutex_};
  while (!closing_) {
    std::optional<steady_clock::time_point> next;
    for (const auto& run : runs_) {
      const auto due = run->next_tick();
      if (due && (!next || *due < *next)) next = due;
    }
    watching_until_ = next;
    if (!next) {
      timer_.wait(lock);
      continue;
    }
    timer_.wait_until(lock, *next);
    const auto now = steady_clock::now();
    // Held, not owned: the last reference to a run, and so to this object, must not be this thread's.
    std::vector<run_state*> held;
    for (const auto& run : runs_) {
      if (run->hold()) held.push_back(run.get());
    }
    lock.unlock();
    for (auto* run : held) {
      run->tick(now);
      run->let_go();
    }
    lock.lock();
  }
}

}  // namespace fastgpu::inline v0::detail
