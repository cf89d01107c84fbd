#include "cluster/cluster_core.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <gsl/assert>

#include "detail/float_environment.hpp"
#include "detail/spin.hpp"
#include "execute/run_state.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr int spins_before_parking = 2000;
constexpr std::int32_t no_priority = std::numeric_limits<std::int32_t>::min();

constexpr auto later = std::chrono::microseconds{100};  // until a worker looks again at work that it has declined

/// Makes this thread a worker of a cluster while it lives; a kernel of one cluster may call another, so they nest.
/// Kernels get the default floating-point environment: the caller's rounding must not get into a value.
class worker_scope {
 public:
  explicit worker_scope(const cluster_core& core) : core_{&core}, outer_{innermost}
  {
    innermost = this;
  }
  worker_scope(const worker_scope&) = delete;
  worker_scope& operator=(const worker_scope&) = delete;
  ~worker_scope() { innermost = outer_; }

  [[nodiscard]] static bool is_in(const cluster_core& core) noexcept
  {
    for (const auto* scope = innermost; scope != nullptr; scope = scope->outer_) {
      if (scope->core_ == &core) return true;
    }
    return false;
  }

 private:
  static thread_local const worker_scope* innermost;
  const cluster_core* core_;
  const worker_scope* outer_;
  default_float_environment rounding_;
};
thread_local const worker_scope* worker_scope::innermost = nullptr;

}  // namespace

cluster_core::cluster_core(std::vector<std::unique_ptr<device>> devices, const cluster_options& options)
    : devices_{std::move(devices)},
      options_{options},
      node_limits_{limits_for(options.node_dead_after)},
      last_speeds_(devices_.size()),
      top_priority_{no_priority}
{
  for (std::uint32_t d = 0; d < devices_.size(); ++d) {
    for (std::uint32_t w = 0; w < devices_[d]->info().workers; ++w) places_.push_back({d, w});
    history_names_.push_back(history_name(devices_[d]->info()));
  }
  load_history();
  seats_ = std::vector<seat>(places_.size());
  oversubscribed_ = places_.size() > allowed_cores();
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
  directory_.reset();
  close();
  save_history();
}

void cluster_core::close()
{
  {
    const auto lock = lock_soon(mutex_);
    closing_ = true;
  }
  stopping_.store(true, std::memory_order_release);
  notify_all();
  timer_.notify_all();
  for (auto& thread : threads_) thread.join();
  if (watcher_.joinable()) watcher_.join();
}

node_directory& cluster_core::directory()
{
  std::call_once(directory_made_, [&] {
    directory_ = std::make_unique<node_directory>();
    has_nodes_.store(true, std::memory_order_release);
  });
  return *directory_;
}

void cluster_core::submit(const ref<run_state>& run) { (void)offer(run, false); }

void cluster_core::rouse(std::uint64_t spans) noexcept
{
  if (!options_.callers_work || spans < seats_.size()) return;
  auto asleep = static_cast<std::size_t>(
      std::count_if(seats_.begin(), seats_.end(), [](const seat& s) { return s.asleep(); }));
  for (auto s = seats_.rbegin(); s != seats_.rend() && asleep > 1; ++s) {
    if (s->wake_elsewhere()) --asleep;
  }
}

void cluster_core::submit_and_work(const ref<run_state>& run)
{
  if (const auto worker = offer(run, true)) work_as_guest(*worker, *run);
}

std::optional<std::uint32_t> cluster_core::offer(const ref<run_state>& run, bool guest)
{
  bool sooner = false;
  bool alone = false;
  std::optional<std::uint32_t> seat_of_guest;
  {
    const auto lock = lock_soon(mutex_);
    const auto due = run->next_tick();
    sooner = due && (!watching_until_ || *due < *watching_until_);
    const auto behind = std::find_if(runs_.begin(), runs_.end(),
                                     [&](const auto& other) { return other->priority() < run->priority(); });
    runs_.insert(behind, run);
    update_top();
    alone = runs_.size() == 1;
    if (guest) seat_of_guest = seat_for_guest(*run);
  }
  if (sooner) timer_.notify_all();
  epoch_.fetch_add(1);
  for (std::uint32_t w = 0; w < seats_.size(); ++w) {
    // Beside other runs those with a share may be busy for long.
    if (w == seat_of_guest || (alone && !run->wants(w))) continue;
    (void)(seat_of_guest ? seats_[w].wake_elsewhere() : seats_[w].wake());
  }
  return seat_of_guest;
}

void cluster_core::retire(run_state& run)
{
  const auto lock = lock_soon(mutex_);
  std::erase_if(runs_, [&](const auto& other) { return other.get() == &run; });
  update_top();
}

void cluster_core::update_top()
{
  run_count_.store(runs_.size(), std::memory_order_relaxed);
  top_priority_.store(runs_.empty() ? no_priority : runs_.front()->priority(), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
}

void cluster_core::notify_one() noexcept { wake_one(waker::goes_on); }

void cluster_core::wake_one(waker who) noexcept
{
  epoch_.fetch_add(1);
  for (auto& s : seats_) {
    if (s.holder() == seat_holder::guest) continue;
    if (who == waker::goes_on ? s.wake_elsewhere() : s.wake()) return;
  }
}

void cluster_core::notify_all() noexcept
{
  epoch_.fetch_add(1);
  for (auto& s : seats_) (void)s.wake();
}

void cluster_core::work_came_back() noexcept
{
  generation_.fetch_add(1, std::memory_order_release);
  notify_all();
}

bool cluster_core::is_worker_thread() const noexcept { return worker_scope::is_in(*this); }

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

template <class Stay>
bool cluster_core::spin(std::uint32_t epoch, const Stay& stay) const
{
  for (int i = 0; i < spins_before_parking && !oversubscribed_ && stay(); ++i) {
    if (epoch_.load(std::memory_order_relaxed) != epoch) return true;
    pause();
  }
  return epoch_.load(std::memory_order_relaxed) != epoch;
}

void cluster_core::work(std::uint32_t worker)
{
  if (options_.thread_start != nullptr) {
    options_.thread_start(options_.thread_context, {places_[worker].device}, places_[worker].worker);
  }
  const worker_scope scope{*this};
  auto& mine = seats_[worker];
  mine.belongs_to_this_thread();
  const auto no_guest = [&] { return mine.holder() != seat_holder::guest; };
  for (;;) {
    // The epoch first: read after the end had raised it, it would be waited for to change once more.
    const auto epoch = epoch_.load();
    if (stopping_.load(std::memory_order_acquire)) return;
    if (!mine.take(seat_holder::thread)) {
      mine.park([&] { return !no_guest(); });
      continue;
    }
    const auto seen = generation();
    const auto found = work_on_all(worker, seen);
    mine.leave();
    if (found == work_result::some || generation() != seen) continue;
    if (found == work_result::later) {  // for somebody quicker, maybe, who sleeps
      wake_one(waker::goes_to_sleep);
      std::this_thread::sleep_for(later);
      continue;
    }
    if (spin(epoch, no_guest)) continue;
    mine.park([&] { return epoch_.load() == epoch; });
  }
}

work_result cluster_core::work_on_all(std::uint32_t worker, std::uint32_t seen)
{
  auto all = work_result::nothing;
  for (std::size_t next = 0;;) {
    run_state* run = nullptr;
    {
      const auto lock = lock_soon(mutex_);
      while (next < runs_.size() && run == nullptr) {
        if (runs_[next]->enter(worker)) run = runs_[next].get();
        ++next;
      }
    }
    if (run == nullptr) return all;
    const auto found = run->work(worker, seen);
    run->leave(worker);
    if (all != work_result::some && found != work_result::nothing) all = found;
    if (generation() != seen) return all;  // the list has changed: begin with its first again
  }
}

// Guests ----------------------------------------------------------------------------------------------------------

/// Only for the one run that is offered. First a worker that has a share of it.
std::optional<std::uint32_t> cluster_core::seat_for_guest(const run_state& run)
{
  if (!options_.callers_work || options_.thread_start != nullptr) return std::nullopt;
  if (runs_.size() != 1 || runs_.front().get() != &run) return std::nullopt;
  for (const bool with_share : {true, false}) {
    for (std::uint32_t w = 0; w < seats_.size(); ++w) {
      if (devices_[places_[w].device]->one_thread() || run.has_share(w) != with_share || !run.admits(w)) continue;
      if (seats_[w].take(seat_holder::guest)) return w;
    }
  }
  return std::nullopt;
}

void cluster_core::work_on(run_state& run)
{
  std::optional<std::uint32_t> worker;
  {
    const auto lock = lock_soon(mutex_);
    worker = seat_for_guest(run);
  }
  if (worker) work_as_guest(*worker, run);
}

void cluster_core::work_as_guest(std::uint32_t worker, run_state& run)
{
  std::uint32_t epoch = 0;
  auto found = work_result::some;  // until it has looked in vain: a guest that is driven out leaves work behind
  {
    const worker_scope scope{*this};
    for (bool more = true; more;) {
      epoch = epoch_.load();
      const auto seen = generation();
      if (outranked(run.priority()) || !run.enter(worker)) break;
      found = run.work(worker, seen);
      run.leave(worker);
      const auto stay = [&] { return !run.finished() && generation() == seen; };  // else the seat is for all runs
      more = found == work_result::some || (found == work_result::nothing && spin(epoch, stay) && stay());
    }
  }
  seats_[worker].leave();
  // The seat's own thread was passed over for the guest's sake, who looked at one run only.
  const auto lock = lock_soon(mutex_);
  const auto others = std::any_of(runs_.begin(), runs_.end(), [&](const auto& other) { return other.get() != &run; });
  const auto missed = !runs_.empty() && (epoch_.load() != epoch || found != work_result::nothing);
  if (others || missed) (void)seats_[worker].wake();
}

void cluster_core::watch()
{
  const default_float_environment rounding;  // the last merges of a run may be this thread's
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
    for (;;) {
      const auto due = std::find_if(runs_.begin(), runs_.end(), [&](const auto& run) {
        const auto when = run->next_tick();
        return when && *when <= now && run->hold();
      });
      if (due == runs_.end()) break;
      // Held, not owned: the last reference to a run, and so to this object, must not be this thread's.
      auto* run = due->get();
      lock.unlock();
      run->tick(now);
      run->let_go();
      lock.lock();
    }
  }
}

}  // namespace fastgpu::inline v0::detail
