#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <gsl/assert>

#include "detail/spin.hpp"
#include "execute/run_state.hpp"

/// @file
/// A run whose subtasks are granted by another: how they come, go back, and are handed on when they are aggregated.

namespace fastgpu::inline v0::detail {
namespace {

constexpr double long_batch_ns = 1e6;

}  // namespace

void run_state::accept_grant(std::span<const interval> ranges)
{
  Expects(grantor_ != nullptr);
  {
    const auto lock = lock_soon(mutex_);
    const books_scope books{*this};
    if (phase() != run_phase::running) return;
    told_hungry_ = false;
    std::uint64_t workers = 0;  // that could run them
    for (std::uint32_t d = 0; d < devices_.size(); ++d) {
      if (grants_.usable({d}) && !grants_.tired({d})) workers += devices_[d].workers;
    }
    if (workers == 0) return end_locked(run_phase::failed, failure_of(errc::no_usable_device, "all devices failed"));
    for (const auto& range : ranges) {
      // Equal runs to all workers; what is uneven they steal from each other.
      const auto spans = (std::uint64_t{range.size()} + span_ - 1) / span_;
      std::uint64_t number = 0;
      const auto cut = [&](std::uint64_t i) {
        return static_cast<std::uint32_t>(std::min<std::uint64_t>(range.begin + spans * i / workers * span_, range.end));
      };
      for (std::uint32_t d = 0; d < devices_.size(); ++d) {
        if (!grants_.usable({d}) || grants_.tired({d})) continue;
        for (std::uint32_t w = 0; w < devices_[d].workers; ++w, ++number) {
          const interval part{cut(number), cut(number + 1)};
          if (part.empty()) continue;
          grants_.start({{d}, part});
          workers_[devices_[d].first_worker + w].deque.add(part);
        }
      }
    }
  }
  core_->work_came_back();
}

interval_set run_state::take_back(std::uint64_t subtasks)
{
  Expects(grantor_ != nullptr);
  interval_set taken;
  const auto lock = lock_soon(mutex_);
  const books_scope books{*this};
  const auto take = [&](std::uint32_t device, interval range) {
    ledger_.release(range, {device});
    taken.insert(range);
  };
  // First what lies aside, then from the worker that has most.
  for (std::uint32_t d = 0; d < devices_.size(); ++d) {
    for (auto w = devices_[d].first_worker; w < devices_[d].first_worker + devices_[d].workers; ++w) {
      while (taken.count() < subtasks) {
        auto range = workers_[w].deque.take_side();
        if (range.empty()) break;
        const auto wanted = (subtasks - taken.count() + span_ - 1) / span_ * span_;
        if (wanted < range.size()) {  // aligned ends: `begin` is, and so is what is kept
          const auto keep = static_cast<std::uint32_t>((range.size() - wanted + span_ - 1) / span_ * span_);
          if (keep >= range.size()) {
            workers_[w].deque.add(range);
            break;
          }
          workers_[w].deque.add({range.begin, range.begin + keep});
          range.begin += keep;
        }
        take(d, range);
      }
    }
  }
  while (taken.count() < subtasks) {
    std::uint32_t most = 0;
    std::uint32_t victim = 0;
    std::uint32_t device = 0;
    for (std::uint32_t d = 0; d < devices_.size(); ++d) {
      for (auto w = devices_[d].first_worker; w < devices_[d].first_worker + devices_[d].workers; ++w) {
        const auto left = workers_[w].deque.peek().size();
        if (left > most) {
          most = left;
          victim = w;
          device = d;
        }
      }
    }
    if (most == 0) break;
    // From each a share, so that none is left without: the largest is cut again and again.
    const auto share = std::min<std::uint64_t>(subtasks - taken.count(), std::max<std::uint64_t>(most / 2, span_));
    const auto keep = static_cast<std::uint32_t>((most - std::min<std::uint64_t>(share, most)) / span_ * span_);
    const auto range = workers_[victim].deque.steal_back(keep, span_);
    if (range.empty()) {
      if (keep > 0) break;  // its owner was quicker, and is nearly through
      continue;
    }
    take(device, range);
  }
  return taken;
}

void run_state::revoke(const interval_set& part)
{
  const auto lock = lock_soon(mutex_);
  const books_scope books{*this};
  for (const auto& range : part.intervals()) {
    revoked_.insert(range);
  }
  revoked_.erase(total_->fold_set());
  any_revoked_.store(!revoked_.empty(), std::memory_order_relaxed);
}

/// Under mutex_. A partial with a revoked subtask in it is no use as a whole: values cannot be taken out again.
bool run_state::drop_revoked_locked(device_id id, const interval_set& fold_set)
{
  if (!revoked_.intersects(fold_set)) return false;
  for (const auto& range : fold_set.intervals()) ledger_.release(range, id);
  dropped_.insert(fold_set);
  news_ = true;
  return true;
}

/// What a granted run looks at before a batch. @return false where there was something else to do first
bool run_state::may_launch_granted(std::uint32_t worker, interval batch)
{
  auto& me = workers_[worker];
  if (any_revoked_.load(std::memory_order_relaxed)) {  // run, it would only spoil the partial that it gets into
    const auto lock = lock_soon(mutex_);
    const books_scope books{*this};
    if (const auto never = revoked_.within(batch); !never.empty()) {
      interval_set runs{batch};
      runs.erase(never);
      for (const auto& range : never.intervals()) ledger_.release(range, {core_->places()[worker].device});
      for (const auto& range : runs.intervals()) me.deque.add(range);
      dropped_.insert(never);
      news_ = true;
      return false;
    }
  }
  // The last that it has, and long: this may be backed up elsewhere, and what is folded so far must not go with it.
  const bool last = me.deque.peek().empty() && !me.deque.has_side() && me.under_way.empty();
  const bool is_long = me.ns_per_subtask == 0 || me.ns_per_subtask * batch.size() > long_batch_ns;
  if (last && is_long && me.sealed_at_batch != me.batches.read()) {
    me.sealed_at_batch = me.batches.read();
    seal(worker);
    return running(device_of(worker));  // if it is lost, so is the batch
  }
  return true;
}

sealed_part run_state::take_sealed()
{
  Expects(grantor_ != nullptr);
  sealed_part all;
  auto fresh = std::make_unique<partial>(job_->data, fold_, core_->memory());
  const auto lock = lock_soon(mutex_);
  std::swap(all.dropped, dropped_);
  revoked_.erase(all.dropped);  // told: they may come again
  any_revoked_.store(!revoked_.empty(), std::memory_order_relaxed);
  if (!total_->empty()) {
    all.values = std::exchange(total_, std::move(fresh));
  }
  return all;
}

bool run_state::hungry_locked() const
{
  return std::all_of(workers_.begin(), workers_.end(),
                     [](const worker_slot& w) { return w.deque.peek().empty() && !w.deque.has_side(); });
}

granted_state run_state::state() const
{
  const auto lock = lock_soon(mutex_);
  granted_state s;
  for (std::uint32_t d = 0; d < devices_.size(); ++d) s.held += ledger_.assigned({d}).count();
  for (const auto& w : workers_) {
    s.unstarted += w.deque.size();
    s.done += w.done.read();
    s.busy_s += busy_s(w);
    s.batches += w.batches.read();
    s.steals += w.steals.read();
  }
  s.hungry = s.unstarted == 0;
  s.sealed = total_->fold_set().count() + dropped_.count();
  s.finished = phase() != run_phase::running;
  s.retries = grants_.retries();
  return s;
}

void run_state::finish() { end(run_phase::done, {}); }

}  // namespace fastgpu::inline v0::detail
