#include "simulation/executor.hpp"

#include <algorithm>
#include <utility>

#include "detail/planted.hpp"

namespace simulation {
namespace {

using fastgpu::errc;
using fastgpu::make_error_code;

constexpr std::uint32_t failures_in_a_row_max = 4;  // of a device, before it is given up

}  // namespace

model_executor::model_executor(world& where, process whose, machine& on, run_facts& facts, origin from,
                               double seal_every, fastgpu::detail::executor_owner& owner, bool tells_failures)
    : world_{where},
      machine_{on},
      facts_{facts},
      from_{from},
      seal_every_{seal_every},
      owner_{owner},
      tells_failures_{tells_failures},
      events_{where, whose},
      workers_(on.plan.workers),
      broadcast_{!facts.what->broadcast || on.has_broadcast}
{
  if (seal_every_ > 0) world_.after(seal_every_, events_.id(), [this] { seal_all_soon(); });
}

// What it is told -------------------------------------------------------------------------------------------------

std::optional<failure> model_executor::store(const fastgpu::detail::job_data_piece& piece, payload&&)
{
  if (piece.argument == 0) {
    broadcast_ = machine_.has_broadcast = true;
  } else {
    pieces_.insert({static_cast<std::uint32_t>(piece.begin[0]), static_cast<std::uint32_t>(piece.end[0])});
  }
  return std::nullopt;
}

void model_executor::grant(std::span<const interval> ranges)
{
  for (const auto& range : ranges) {
    if (!broadcast_ || (plan().slice_bytes > 0 && from_.session != 0 && !pieces_.contains(range))) {
      return world_.wrong("subtasks are to run before their data are there");
    }
    if (writes_as_backup(range)) return world_.wrong("two attempts of a subtask would write the same memory");
    if (!unstarted_.try_insert(range)) return world_.wrong("an executor is granted a subtask that it has");
  }
  wake();
}

bool model_executor::writes_as_backup(interval range) const
{
  const auto common = [&](const interval& other) { return other.begin < range.end && range.begin < other.end; };
  return std::any_of(staged_.begin(), staged_.end(), common) ||
         std::any_of(workers_.begin(), workers_.end(), [&](const worker& w) { return w.busy && w.staged && common(w.batch); });
}

void model_executor::stage(interval range)
{
  if (!broadcast_ || (plan().slice_bytes > 0 && !pieces_.contains(range))) {
    return world_.wrong("a backup is to run before its data are there");
  }
  staged_.push_back(range);
  wake();
}

interval_set model_executor::take_back(std::uint64_t subtasks)
{
  interval_set taken;
  if (plan().odd.keeps_all || finished_) return taken;
  auto wanted = subtasks;
  if (plan().odd.gives_back_odd) wanted = world_.chance().below(2 * std::min<std::uint64_t>(subtasks, 1u << 20) + 1);
  const auto span = plan().span;
  while (taken.count() < wanted && !unstarted_.empty()) {
    const auto last = unstarted_.intervals().back();
    const auto part = std::min<std::uint64_t>(wanted - taken.count(), last.size());
    const auto begin = static_cast<std::uint32_t>((last.end - part) / span * span);
    const interval back{std::max(begin, last.begin), last.end};
    unstarted_.erase(back);
    taken.insert(back);
  }
  return taken;
}

void model_executor::revoke(const interval_set& part)
{
  revoked_.insert(part);
  revoked_.erase(total_.fold_set);
}

fastgpu::detail::sealed_payload model_executor::take_sealed()
{
  fastgpu::detail::sealed_payload sealed;
  std::swap(sealed.dropped, dropped_);
  revoked_.erase(sealed.dropped);  // told: they may come again
  if (fastgpu::detail::planted(fastgpu::detail::bug::seal_unwaited)) {
    for (auto& w : workers_) {  // counted as folded, and no more is heard of it
      if (!w.busy || w.staged || w.batch.empty()) continue;
      total_.fold_set.insert(w.batch);
      w.batch = {};
    }
  }
  if (!total_.fold_set.empty()) {
    auto taken = std::exchange(total_, {});
    sealed.counter = taken.counter;
    sealed.values = std::make_shared<const payload>(pack({taken.what, from_}, 64));
    sealed.fold_set = std::move(taken.fold_set);
  }
  return sealed;
}

fastgpu::detail::executor_state model_executor::state() const
{
  fastgpu::detail::executor_state s;
  s.unstarted = unstarted_.count();
  s.held = s.unstarted;
  for (const auto& w : workers_) {
    s.held += w.open.fold_set.count();
    if (w.busy && !w.staged) s.held += w.batch.size();
  }
  s.done = done_;
  s.sealed = !total_.fold_set.empty() || !dropped_.empty();
  s.finished = finished_;
  return s;
}

// What workers do -------------------------------------------------------------------------------------------------

void model_executor::wake()
{
  for (std::uint32_t w = 0; w < workers_.size(); ++w) {
    if (!workers_[w].busy) begin(w);
  }
}

interval model_executor::next_batch()
{
  const auto span = plan().span;
  const auto first = unstarted_.intervals().front();
  // Whole spans, fewer towards the end.
  const auto left_share = unstarted_.count() / (2 * workers_.size()) / span;
  const auto a_while = static_cast<std::uint64_t>(plan().odd.batch_s_max * machine_.plan.subtasks_per_second / span);
  const auto most = std::clamp<std::uint64_t>(std::min(left_share, a_while), 1, plan().odd.batch_spans_max);
  const auto spans = world_.chance().among(1, most);
  const auto end = std::min<std::uint64_t>(first.end, (first.begin / span + spans) * span);
  const interval batch{first.begin, static_cast<std::uint32_t>(end)};
  unstarted_.erase(batch);
  return batch;
}

void model_executor::begin(std::uint32_t number)
{
  if (finished_) return;
  auto& w = workers_[number];
  if (!staged_.empty()) {
    w.batch = staged_.front();
    w.staged = true;
    staged_.pop_front();
  } else if (!unstarted_.empty()) {
    w.batch = next_batch();
    w.staged = false;
    if (unstarted_.empty()) news();  // hungry
  } else {
    w.busy = false;
    close(w);
    return;
  }
  w.busy = true;
  w.left_s = w.batch.size() / machine_.plan.subtasks_per_second * world_.chance().between(0.8, 1.2);
  run(number);
}

/// For a while: how slow the machine is may change in the midst of a batch.
void model_executor::run(std::uint32_t number)
{
  auto& w = workers_[number];
  if (w.left_s <= 0) return done(number);
  const auto step = machine_.slower > 1 ? std::min(w.left_s, 1 / machine_.slower) : w.left_s;
  w.left_s -= step;
  world_.after(step * machine_.slower, events_.id(), [this, number] { run(number); });
}

void model_executor::done(std::uint32_t number)
{
  if (finished_) return;
  auto& w = workers_[number];
  const auto has = [&](std::int64_t subtask) { return subtask >= w.batch.begin && subtask < w.batch.end; };
  if (has(plan().failing_kernel)) {
    const failure broken{make_error_code(errc::kernel_failed), "the kernel failed", plan().failing_kernel};
    if (!w.staged) return finish(broken);
    w.busy = false;
    const auto batch = w.batch;
    begin(number);
    return owner_.backup_failed(from_.job, batch, broken);
  }
  if (has(plan().poison)) {
    return finish({make_error_code(errc::device_lost), "a worker process died", plan().poison});
  }
  if (machine_.batch_errors > 0) {
    --machine_.batch_errors;
    if (w.staged) {
      const auto batch = w.batch;
      begin(number);
      return owner_.backup_failed(from_.job, batch, {make_error_code(errc::device_failed), "a batch failed"});
    }
    batch_failed(w);
    if (!finished_) begin(number);
    return;
  }
  failures_in_a_row_ = 0;
  if (w.staged) {
    const auto batch = w.batch;
    begin(number);
    return owner_.backup_done(from_.job, batch,
                              std::make_shared<const payload>(pack({facts_.values->of(batch), from_}, 64)));
  }
  if (!w.open.fold_set.try_insert(w.batch)) return world_.wrong("a subtask is folded twice into a partial");
  w.open.what += facts_.values->of(w.batch);
  w.open.counter += w.batch.size();
  done_ += w.batch.size();
  if (plan().odd.seal_each_batch || w.seal_soon) close(w);
  begin(number);
}

void model_executor::batch_failed(worker& w)
{
  const failure why{make_error_code(errc::device_failed), "a batch failed"};
  ++failures_in_a_row_;
  if (tells_failures_) {
    failed_.emplace_back(w.batch, why);
    w.batch = {};
    return news();
  }
  if (failures_in_a_row_ >= failures_in_a_row_max) {
    return finish({make_error_code(errc::retries_exhausted), "a device failed again and again", w.batch.begin});
  }
  unstarted_.insert(w.batch);
  w.batch = {};
}

void model_executor::close(worker& w)
{
  w.seal_soon = false;
  if (w.open.fold_set.empty()) return;
  auto closed = std::exchange(w.open, {});
  if (revoked_.intersects(closed.fold_set)) {  // values cannot be taken out again
    dropped_.insert(closed.fold_set);
  } else {
    total_.fold_set.insert(closed.fold_set);
    total_.what += closed.what;
    total_.counter += closed.counter;
  }
  news();
}

void model_executor::seal_all_soon()
{
  if (finished_) return;
  for (auto& w : workers_) {
    w.seal_soon = true;
    if (!w.busy) close(w);
  }
  world_.after(seal_every_, events_.id(), [this] { seal_all_soon(); });
}

void model_executor::lose_child()
{
  if (finished_) return;
  failure why{make_error_code(errc::device_lost), "a worker process died"};
  for (const auto& w : workers_) {  // the first that was running is blamed
    if (why.subtask < 0 && w.busy && world_.chance().one_in(2)) why.subtask = w.batch.begin;
  }
  finish(std::move(why));
}

void model_executor::finish(failure why)
{
  finished_ = true;
  why_ = std::move(why);
  news();
}

void model_executor::news()
{
  if (std::exchange(news_under_way_, true)) return;
  const auto delay = plan().odd.late_news ? world_.chance().magnitude(1e-4, 1) : world_.chance().magnitude(1e-6, 1e-4);
  world_.after(delay, events_.id(), [this] {
    news_under_way_ = false;
    owner_.look(from_.job);  // which may be the end of this
  });
}

}  // namespace simulation
