#include <algorithm>
#include <string>
#include <utility>

#include <gsl/assert>

#include "detail/spin.hpp"
#include "execute/run_state.hpp"

/// @file
/// The hot path of a run: taking batches, launching them, measuring, and stealing from others.

namespace fastgpu::inline v0::detail {
namespace {

constexpr std::uint32_t batch_growth_max = 2;          // from one measurement to the next: the next costs may be others
constexpr std::uint32_t gpu_batch_growth_max = 8;      // where the first ones are far from what a launch is worth
constexpr std::uint32_t left_share_most = 8;           // an adaptive batch is at most this part of what is left,
constexpr std::uint32_t left_share_usual = 32;         // and this part while that takes longer than the target, but
constexpr double targets_max = 16;                     // no longer than so many targets;
constexpr double gpu_targets_max = 2;                  // a launch is not cut short by a cancel
constexpr std::uint32_t fixed_batches_a_measure = 32;  // batches of a fixed size are timed this rarely

std::uint32_t whole_spans(std::uint32_t n, std::uint32_t span) { return n / span * span; }

}  // namespace

void run_state::launch(std::uint32_t worker, interval batch)
{
  auto& me = workers_[worker];
  me.batches.add(1);
  me.measuring = options_.batches.how != batching::kind::fixed || me.trace ||
                 me.batches.read() % fixed_batches_a_measure == 1;
  const auto begin_ns = me.measuring && !me.back_to_back ? since_start() : me.last_ns;
  if (me.first_ns.load(std::memory_order_relaxed) < 0) me.first_ns.store(begin_ns, std::memory_order_relaxed);
  if (board_ != nullptr) show_on_board(worker, batch);
  const auto status = me.session->launch(batch);
  if (status == batch_status::done) [[likely]] {
    count_done(me, batch, begin_ns);
  } else if (status == batch_status::queued) {
    me.under_way.emplace_back(batch, begin_ns);
  } else {
    report(worker, status, batch, begin_ns);
  }
  if (board_ != nullptr) show_on_board(worker, {});
}

/// What is under way, and `more`: all from the first to the last of them, which are neighbours mostly.
void run_state::show_on_board(std::uint32_t worker, interval more) const noexcept
{
  auto all = more;
  for (const auto& [batch, begin] : workers_[worker].under_way) {
    all = all.empty() ? batch : interval{std::min(all.begin, batch.begin), std::max(all.end, batch.end)};
  }
  board_->write(worker, board_job_, all, options_.subtask_timeout);
}

/// Looks after the oldest batch under way.
void run_state::poll(std::uint32_t worker)
{
  auto& me = workers_[worker];
  interval batch;
  const auto status = me.session->poll(batch);
  if (status == batch_status::queued) return;
  const auto at =
      std::find_if(me.under_way.begin(), me.under_way.end(), [&](const auto& b) { return b.first == batch; });
  Expects(at != me.under_way.end());
  // What was launched while another batch was under way has begun when that one was done.
  const auto begin_ns = std::max(at->second, me.last_ns);
  me.under_way.erase(at);
  me.measuring = true;
  if (board_ != nullptr) show_on_board(worker, {});
  if (status == batch_status::done) {
    count_done(me, batch, begin_ns);
  } else {
    report(worker, status, batch, begin_ns);
  }
}

void run_state::count_done(worker_slot& me, interval batch, std::int64_t begin_ns)
{
  me.failures_in_a_row = 0;
  me.done.add(batch.size());
  if (me.measuring) measure(me, batch, begin_ns);
}

/// A batch that was not done.
void run_state::report(std::uint32_t worker, batch_status status, interval batch, std::int64_t begin_ns)
{
  auto& me = workers_[worker];
  me.back_to_back = false;
  me.last_ns = since_start();
  if (me.measuring) {
    me.busy_ns.add(static_cast<std::uint64_t>(me.last_ns - begin_ns));
    me.timed.add(1);
  }
  const auto place = core_->places()[worker];
  switch (status) {
    case batch_status::kernel_failed: {
      auto why = me.session->why();
      why.detail = "subtask " + std::to_string(me.session->failed_subtask()) + " on device " +
                   std::to_string(place.device) + " (" + core_->devices()[place.device]->info().name +
                   "): " + why.detail;
      why.subtask = me.session->failed_subtask();
      why.device = place.device;
      end(run_phase::failed, std::move(why));
      break;
    }
    case batch_status::failed: report_failed(worker, batch); break;
    case batch_status::lost: report_lost(worker, batch, me.session->why()); break;
    case batch_status::done:
    case batch_status::queued: break;
  }
}

void run_state::measure(worker_slot& me, interval batch, std::int64_t begin_ns)
{
  const auto end_ns = since_start();
  const auto took = end_ns - begin_ns;
  me.last_ns = end_ns;
  me.back_to_back = !sampled(me);
  me.busy_ns.add(static_cast<std::uint64_t>(took));
  me.timed.add(1);
  if (me.trace) me.trace->add({trace_kind::batch, begin_ns, end_ns, batch});
  if (options_.batches.how != batching::kind::adaptive) return;

  const auto per_subtask = static_cast<double>(took) / batch.size();
  me.ns_per_subtask = me.ns_per_subtask == 0 ? per_subtask : 0.5 * (me.ns_per_subtask + per_subtask);
  me.measured_ns += static_cast<double>(took);
  me.measured += batch.size();
  // The mean of all remembers the giants of a heavy tail, of which the last few batches know nothing.
  const auto expected = std::max({me.ns_per_subtask, me.measured_ns / me.measured, 1e-3});
  const auto target = std::max(options_.batches.target.count * 1e9, me.hints.target_ns) / expected;
  const auto longest = me.hints.target_ns > 0 ? gpu_targets_max : targets_max;
  const auto wanted = std::clamp<double>(me.deque.peek().size() / left_share_usual, target, longest * target);
  const auto growth = me.hints.target_ns > 0 ? gpu_batch_growth_max : batch_growth_max;
  const auto most = std::min<double>(static_cast<double>(me.batch) * growth, 1u << 30);
  me.batch = static_cast<std::uint32_t>(std::clamp(wanted, 1.0, std::max(most, 1.0)));
}

std::uint32_t run_state::batch_size(const worker_slot& me, std::uint32_t left) const noexcept
{
  // Only a part of what is left, so that the end of the run, and what is costly in it, can be shared out.
  switch (options_.batches.how) {
    case batching::kind::fixed: return me.batch;
    case batching::kind::guided: return std::max(me.batch, left / 2);
    case batching::kind::adaptive:
      if (sole_worker_ && me.measured > 0) return me.batch;  // there is nobody to leave something for
      return std::min(me.batch, std::max(left / left_share_most, 1u));
  }
  return 1;
}

interval run_state::next_batch(std::uint32_t worker)
{
  auto& me = workers_[worker];
  for (;;) {
    const bool fixed = options_.batches.how == batching::kind::fixed;
    const auto left = fixed ? 0 : me.deque.peek().size();  // which a fixed size does not ask for
    if (fixed || left != 0) {
      const auto batch = me.deque.take_front(fixed ? me.batch : batch_size(me, left), span_);
      if (!batch.empty()) return batch;
    }
    me.back_to_back = false;
    if (auto range = me.deque.take_side(); !range.empty()) {
      if (range.size() <= span_) return range;  // a suspect, maybe: not where a faulty device could steal it back
      me.deque.refill(range);
      wake_thief();  // between the two lines above a thief saw nothing here, and may be asleep by now
      continue;
    }
    auto stolen = steal_from_sibling(worker);
    if (stolen.empty()) stolen = steal_from_device(worker);
    if (stolen.empty()) return {};
    me.steals.add(1);
    if (me.trace) me.trace->add({trace_kind::steal, since_start(), since_start(), stolen});
    return first_of(me, stolen);
  }
}

/// The first batch of a stolen range; the rest may be stolen in turn, so a sleeper is woken for it.
interval run_state::first_of(worker_slot& me, interval range)
{
  const auto n = std::max(whole_spans(batch_size(me, range.size()) + span_ - 1, span_), span_);
  const auto cut = range.begin + std::min(n, range.size());
  if (cut < range.end) {
    me.deque.refill({cut, range.end});
    wake_thief();
  }
  return {range.begin, cut};
}

/// One sleeper, if any of them will do.
void run_state::wake_thief() noexcept
{
  if (all_may_steal_.load(std::memory_order_relaxed)) {
    core_->notify_one();
  } else {
    core_->notify_all();
  }
}

double run_state::busy_s(const worker_slot& w) const noexcept
{
  const auto timed_s = static_cast<double>(w.busy_ns.read()) * 1e-9;
  const auto timed = w.timed.read();
  if (!sampled(w) || timed == 0) return timed_s;
  return timed_s / static_cast<double>(timed) * static_cast<double>(w.batches.read());
}

double run_state::speed_of(const worker_slot& w) const noexcept
{
  const auto first = w.first_ns.load(std::memory_order_relaxed);
  if (first < 0) return 0;
  const auto time = static_cast<double>(since_start() - first);
  return time <= 0 ? 0 : static_cast<double>(w.done.read()) / time;
}

interval run_state::steal_from_sibling(std::uint32_t worker)
{
  const auto& device = device_of(worker);
  if (device.workers == 1) return {};
  for (;;) {
    worker_slot* victim = nullptr;
    std::uint32_t most = 0;
    for (auto w = device.first_worker; w < device.first_worker + device.workers; ++w) {
      if (w == worker) continue;
      auto& other = workers_[w];
      if (auto range = other.deque.take_side(); !range.empty()) return range;
      const auto left = other.deque.peek().size();
      if (left > most) {
        most = left;
        victim = &other;
      }
    }
    if (victim == nullptr) return {};
    const auto spans = (most + span_ - 1) / span_;
    const auto stolen = victim->deque.steal_back(spans / 2 * span_, span_);
    if (!stolen.empty()) return stolen;
  }
}

interval run_state::steal_from_device(std::uint32_t worker)
{
  if (devices_.size() == 1) return {};
  for (;;) {
    const auto [stolen, again] = try_steal_from_device(worker);
    if (!stolen.empty() || !again) return stolen;
  }
}

/// What was stolen, and if nothing, whether that was for somebody having been quicker.
std::pair<interval, bool> run_state::try_steal_from_device(std::uint32_t worker)
{
  const auto my_device = core_->places()[worker].device;
  auto& me = workers_[worker];
  const auto lock = lock_soon(mutex_);
  const books_scope books{*this};
  if (!running(devices_[my_device])) return {{}, false};
  const auto my_speed = speed_of(me);
  me.declined = false;
  const bool healthy = grants_.failures({my_device}) == 0;

  // The range whose owner would need longest for it.
  struct candidate {
    std::uint32_t device = 0;
    worker_slot* slot = nullptr;
    double time = 0;
  } best;
  for (std::uint32_t d = 0; d < devices_.size(); ++d) {
    const auto& other = devices_[d];
    if (d == my_device || other.lost.load(std::memory_order_relaxed)) continue;
    for (auto w = other.first_worker; w < other.first_worker + other.workers; ++w) {
      auto& slot = workers_[w];
      if (healthy && slot.deque.has_side()) {
        if (auto range = slot.deque.take_side(); !range.empty()) {
          ledger_.move(range, {d}, {my_device});
          return {range, false};
        }
      }
      const auto left = slot.deque.peek().size();
      if (left == 0) continue;
      const auto speed = speed_of(slot);
      const auto time = speed > 0 ? left / speed : my_speed > 0 ? left / my_speed : left;
      if (time > best.time) best = {d, &slot, time};
    }
  }
  if (best.slot == nullptr) return {{}, false};

  const auto left = best.slot->deque.peek().size();
  const auto their_speed = speed_of(*best.slot);
  auto keep = left / 2;
  if (my_speed > 0 && their_speed > 0) {
    // Not for a loss: alone the owner would be done before the thief is done with one span.
    if (std::min(span_, left) / my_speed > left / their_speed) {
      me.declined = true;  // looked at again soon: the owner may be held up
      return {{}, false};
    }
    keep = static_cast<std::uint32_t>(left * (their_speed / (my_speed + their_speed)));
  }
  const auto stolen = best.slot->deque.steal_back(whole_spans(keep, span_), span_);
  if (!stolen.empty()) ledger_.move(stolen, {best.device}, {my_device});
  return {stolen, true};
}

}  // namespace fastgpu::inline v0::detail
