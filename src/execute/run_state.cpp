#include "execute/run_state.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include <gsl/assert>

#include <fastgpu/observe/log.hpp>

namespace fastgpu::inline v0::detail {
namespace {

constexpr std::uint32_t batch_growth_max = 8;     // from one measurement to the next
constexpr std::uint32_t fixed_batches_a_measure = 32;  // batches of a fixed size are timed this rarely

std::uint32_t whole_spans(std::uint32_t n, std::uint32_t span) { return n / span * span; }

}  // namespace

run_state::run_state(ref<cluster_core> core, ref<const job_storage> job, const placement& table,
                     const run_options& options, fold_kind fold)
    : core_{std::move(core)},
      job_{std::move(job)},
      options_{options},
      fold_{fold},
      span_{std::uint32_t{1} << job_->data.shape.span_log2},
      count_{job_->data.shape.count},
      started_{steady_clock::now()},
      deadline_{steady_clock::time_point::max()},
      ledger_{count_, core_->devices().size()},
      grants_{*core_, ledger_, core_->devices().size(), count_, span_},
      total_{job_->data, count_ == 0 ? fold_kind::none : fold, core_->memory()}
{
  if (options_.deadline.count > 0) {
    deadline_ = started_ + std::chrono::duration_cast<steady_clock::duration>(
                               std::chrono::duration<double>{std::min(options_.deadline.count, 1e9)});
  }
  next_seal_ = steady_clock::time_point::max();
  if (options_.seal_every.count > 0) {
    next_seal_ = started_ + std::chrono::duration_cast<steady_clock::duration>(
                                std::chrono::duration<double>{std::min(options_.seal_every.count, 1e9)});
  }
  for (const auto& place : core_->places()) {
    if (place.worker == 0) {
      devices_.push_back(std::make_unique<device_slot>());
      devices_.back()->first_worker = static_cast<std::uint32_t>(workers_.size());
    }
    ++devices_.back()->workers;
    workers_.push_back(std::make_unique<worker_slot>());
    auto& slot = *workers_.back();
    if (options_.trace) slot.trace.emplace();
    slot.batch = options_.batches.how == batching::kind::adaptive ? span_ : std::max(options_.batches.size, 1u);
  }
  // A device that has no part in the placement does not match the job: it must not steal either.
  for (std::uint32_t d = 0; d < devices_.size(); ++d) {
    const auto named = std::any_of(table.entries.begin(), table.entries.end(),
                                   [&](const placement_entry& e) { return e.device.value == d; });
    if (named) continue;
    grants_.exclude({d});
    all_may_steal_.store(false, std::memory_order_relaxed);
  }
  summary_.policy = table.policy;
}

void run_state::start(const placement& table, double assign_s)
{
  {
    const std::scoped_lock lock{mutex_};
    for (const auto& entry : table.entries) {
      auto& device = *devices_[entry.device.value];
      for (auto range : entry.ranges) {
        // Boundaries move to the next span, which the neighbour does as well.
        const auto align = [&](std::uint32_t at) {
          return static_cast<std::uint32_t>(
              std::min<std::uint64_t>((std::uint64_t{at} + span_ - 1) / span_ * span_, count_));
        };
        range = {align(range.begin), align(range.end)};
        if (range.empty()) continue;
        grants_.start({entry.device, range});
        // Equal runs to the device's workers; what is uneven they steal from each other.
        const auto spans = (std::uint64_t{range.size()} + span_ - 1) / span_;
        for (std::uint32_t w = 0; w < device.workers; ++w) {
          const auto cut = [&](std::uint32_t i) {
            return std::min<std::uint64_t>(range.begin + spans * i / device.workers * span_, range.end);
          };
          const interval part{static_cast<std::uint32_t>(cut(w)), static_cast<std::uint32_t>(cut(w + 1))};
          if (!part.empty()) workers_[device.first_worker + w]->deque.add(part);
        }
      }
    }
    Ensures(ledger_.free().empty());
  }
  summary_.assign_s = assign_s;
  if (count_ == 0) end(run_phase::done, {});
}

// Workers come and go ---------------------------------------------------------------------------------------------

bool run_state::enter(std::uint32_t worker)
{
  const std::scoped_lock lock{mutex_};
  auto& device = device_of(worker);
  if (phase() != run_phase::running || device.lost.load(std::memory_order_relaxed)) return false;
  if (!grants_.usable({core_->places()[worker].device})) return false;
  ++inside_;
  ++device.inside;
  return true;
}

void run_state::leave(std::uint32_t worker)
{
  bool last = false;
  {
    const std::scoped_lock lock{mutex_};
    auto& device = device_of(worker);
    --inside_;
    --device.inside;
    if (device.lost.load(std::memory_order_relaxed) && device.inside == 0 && !device.loss_reported) {
      settle_loss(core_->places()[worker].device);
    }
    last = ready_to_deliver();
  }
  if (last) deliver();
}

bool run_state::hold()
{
  const std::scoped_lock lock{mutex_};
  if (phase() != run_phase::running) return false;
  ++inside_;
  return true;
}

void run_state::let_go()
{
  bool last = false;
  {
    const std::scoped_lock lock{mutex_};
    --inside_;
    last = ready_to_deliver();
  }
  if (last) deliver();
}

bool run_state::work(std::uint32_t worker, std::uint32_t generation)
{
  try {
    return run_batches(worker, generation);
  } catch (const std::exception& e) {  // no memory for what the library itself keeps: the thread must not end with it
    end(run_phase::failed, {make_error_code(errc::device_failed), std::string{"a worker stopped: "} + e.what()});
    return false;
  }
}

bool run_state::run_batches(std::uint32_t worker, std::uint32_t generation)
{
  auto& me = *workers_[worker];
  auto& device = device_of(worker);
  if (!me.session && !open_session(worker)) return false;

  bool any = false;
  bool outranked = false;
  const auto in_flight_max = me.session->in_flight_max();
  while (running(device)) {
    outranked = core_->generation() != generation && core_->outranked(options_.priority);
    const auto batch = outranked ? interval{} : next_batch(worker);
    if (!batch.empty()) {
      any = true;
      launch(worker, batch);
      if (me.under_way.size() < in_flight_max) {
        if (seal_tick_.load(std::memory_order_relaxed) != me.seal_seen && me.under_way.empty()) seal(worker);
        continue;
      }
    }
    if (me.under_way.empty()) break;
    poll(worker);
  }
  while (!me.under_way.empty() && !device.lost.load(std::memory_order_relaxed)) poll(worker);
  if (running(device) && !outranked) seal(worker);
  return any;
}

bool run_state::open_session(std::uint32_t worker)
{
  auto& me = *workers_[worker];
  const auto place = core_->places()[worker];
  try {
    me.session = core_->devices()[place.device]->open({&job_->data, fold_, &phase_, place.worker, &core_->memory()});
    return true;
  } catch (const std::exception& e) {
    report_lost(worker, {}, {make_error_code(errc::device_lost), std::string{"opening a session: "} + e.what()});
    return false;
  }
}

// The hot path ----------------------------------------------------------------------------------------------------

void run_state::launch(std::uint32_t worker, interval batch)
{
  auto& me = *workers_[worker];
  ++me.batches;
  me.measuring = options_.batches.how != batching::kind::fixed || me.trace || me.batches % fixed_batches_a_measure == 1;
  const auto begin_ns = me.measuring ? since_start() : me.last_ns;
  if (me.first_ns.load(std::memory_order_relaxed) < 0) me.first_ns.store(begin_ns, std::memory_order_relaxed);
  const auto status = me.session->launch(batch);
  if (status == batch_status::queued) {
    me.under_way.emplace_back(batch, begin_ns);
  } else {
    conclude(worker, status, batch, begin_ns);
  }
}

/// Looks after the oldest batch under way; waits a little where it is not done.
void run_state::poll(std::uint32_t worker)
{
  auto& me = *workers_[worker];
  interval batch;
  const auto status = me.session->poll(batch);
  if (status == batch_status::queued) {
    std::this_thread::yield();
    return;
  }
  const auto at = std::find_if(me.under_way.begin(), me.under_way.end(), [&](const auto& b) { return b.first == batch; });
  Expects(at != me.under_way.end());
  const auto begin_ns = at->second;
  me.under_way.erase(at);
  me.measuring = true;
  conclude(worker, status, batch, begin_ns);
}

void run_state::conclude(std::uint32_t worker, batch_status status, interval batch, std::int64_t begin_ns)
{
  auto& me = *workers_[worker];
  const auto place = core_->places()[worker];
  switch (status) {
    case batch_status::done:
      me.failures_in_a_row = 0;
      me.done.store(me.done.load(std::memory_order_relaxed) + batch.size(), std::memory_order_relaxed);
      if (me.measuring) measure(me, batch, begin_ns);
      break;
    case batch_status::kernel_failed: {
      auto why = me.session->why();
      why.detail = "subtask " + std::to_string(me.session->failed_subtask()) + " on device " +
                   std::to_string(place.device) + " (" + core_->devices()[place.device]->info().name +
                   "): " + why.detail;
      end(run_phase::failed, std::move(why));
      break;
    }
    case batch_status::failed: report_failed(worker, batch); break;
    case batch_status::lost: report_lost(worker, batch, me.session->why()); break;
    case batch_status::queued: break;
  }
}

void run_state::measure(worker_slot& me, interval batch, std::int64_t begin_ns)
{
  const auto end_ns = since_start();
  const auto took = end_ns - begin_ns;
  me.last_ns = end_ns;
  // Rarely timed batches stand for those in between.
  const bool sampled = options_.batches.how == batching::kind::fixed && !me.trace;
  const auto weight = sampled ? std::int64_t{fixed_batches_a_measure} : std::int64_t{1};
  me.busy_ns.store(me.busy_ns.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(took * weight),
                   std::memory_order_relaxed);
  if (me.trace) me.trace->add({trace_kind::batch, begin_ns, end_ns, batch});
  if (options_.batches.how != batching::kind::adaptive) return;

  const auto per_subtask = static_cast<double>(took) / batch.size();
  me.ns_per_subtask = me.ns_per_subtask == 0 ? per_subtask : 0.5 * (me.ns_per_subtask + per_subtask);
  const auto wanted = options_.batches.target.count * 1e9 / std::max(me.ns_per_subtask, 1e-3);
  const auto most = std::min<double>(static_cast<double>(me.batch) * batch_growth_max, 1u << 30);
  me.batch = static_cast<std::uint32_t>(std::clamp(wanted, 1.0, std::max(most, 1.0)));
}

std::uint32_t run_state::batch_size(const worker_slot& me, std::uint32_t left) const noexcept
{
  // Never more than half of what is left, so that the end of the run can be shared out.
  const auto half = std::max(left / 2, 1u);
  switch (options_.batches.how) {
    case batching::kind::fixed: return me.batch;
    case batching::kind::guided: return std::max(me.batch, half);
    case batching::kind::adaptive: return std::min(me.batch, half);
  }
  return 1;
}

interval run_state::next_batch(std::uint32_t worker)
{
  auto& me = *workers_[worker];
  for (;;) {
    const auto left = me.deque.peek().size();
    if (left != 0) {
      const auto batch = me.deque.take_front(batch_size(me, left), span_);
      if (!batch.empty()) return batch;
    }
    if (auto range = me.deque.take_side(); !range.empty()) {
      if (range.size() <= span_) return range;  // a suspect, maybe: not where a faulty device could steal it back
      me.deque.refill(range);
      wake_thief();  // between the two lines above a thief saw nothing here, and may be asleep by now
      continue;
    }
    auto stolen = steal_from_sibling(worker);
    if (stolen.empty()) stolen = steal_from_device(worker);
    if (stolen.empty()) return {};
    ++me.steals;
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

double run_state::speed_of(const worker_slot& w) const noexcept
{
  const auto first = w.first_ns.load(std::memory_order_relaxed);
  if (first < 0) return 0;
  const auto time = static_cast<double>(since_start() - first);
  return time <= 0 ? 0 : static_cast<double>(w.done.load(std::memory_order_relaxed)) / time;
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
      auto& other = *workers_[w];
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
  auto& me = *workers_[worker];
  const std::scoped_lock lock{mutex_};
  if (!running(*devices_[my_device])) return {{}, false};
  const auto my_speed = speed_of(me);
  const bool healthy = grants_.failures({my_device}) == 0;

  // The range whose owner would need longest for it.
  struct candidate {
    std::uint32_t device = 0;
    worker_slot* slot = nullptr;
    double time = 0;
  } best;
  for (std::uint32_t d = 0; d < devices_.size(); ++d) {
    const auto& other = *devices_[d];
    if (d == my_device || other.lost.load(std::memory_order_relaxed)) continue;
    for (auto w = other.first_worker; w < other.first_worker + other.workers; ++w) {
      auto& slot = *workers_[w];
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
    if (std::min(span_, left) / my_speed > left / their_speed) return {{}, false};
    keep = static_cast<std::uint32_t>(left * (their_speed / (my_speed + their_speed)));
  }
  const auto stolen = best.slot->deque.steal_back(whole_spans(keep, span_), span_);
  if (!stolen.empty()) ledger_.move(stolen, {best.device}, {my_device});
  return {stolen, true};
}

// What is rare ----------------------------------------------------------------------------------------------------

void run_state::seal(std::uint32_t worker)
{
  auto& me = *workers_[worker];
  const auto place = core_->places()[worker];
  auto& device = device_of(worker);
  me.seal_seen = seal_tick_.load(std::memory_order_relaxed);
  const auto begin_ns = since_start();
  auto sealed = me.session->seal();
  if (!sealed.values) return;

  const std::scoped_lock lock{mutex_};
  if (!running(device)) return;  // the values are lost with the device, or nobody wants them any more
  const auto& fold_set = sealed.values->fold_set();
  switch (ledger_.accept({{place.device}, me.incarnation, sealed.counter}, fold_set)) {
    case verdict::committed:
      device.subtasks += fold_set.count();
      ++seals_;
      total_.absorb(std::move(*sealed.values));
      break;
    case verdict::fenced: break;
    case verdict::violation:
      log_line(log_level::error, "the ledger refused a partial of device " + std::to_string(place.device));
      end_locked(run_phase::failed,
                 {make_error_code(errc::internal), "the ledger refused a partial of device " +
                                                       std::to_string(place.device) + ": a defect of the library"});
      break;
  }
  const auto end_ns = since_start();
  aggregate_ns_ += end_ns - begin_ns;
  if (me.trace) me.trace->add({trace_kind::seal, begin_ns, end_ns, {}});
  if (ledger_.complete()) end_locked(run_phase::done, {});
}

void run_state::report_failed(std::uint32_t worker, interval batch)
{
  auto& me = *workers_[worker];
  const auto place = core_->places()[worker];
  auto& device = device_of(worker);
  ++me.failures_in_a_row;
  if (me.trace) me.trace->add({trace_kind::failed, since_start(), since_start(), batch});
  const std::scoped_lock lock{mutex_};
  if (!running(device)) return;
  ++device.retries;
  const auto given = grants_.failed({place.device}, batch, me.session->why(), me.failures_in_a_row);
  if (grants_.run_failure()) {
    end_locked(run_phase::failed, *grants_.run_failure());
  } else {
    hand_out(given);
  }
  if (grants_.tired({place.device})) {
    device.why_lost = me.session->why();
    device.lost.store(true, std::memory_order_relaxed);  // settled when its last worker leaves
  }
}

void run_state::report_lost(std::uint32_t worker, interval in_flight, const failure& why)
{
  auto& me = *workers_[worker];
  if (me.trace) me.trace->add({trace_kind::lost, since_start(), since_start(), in_flight});
  const std::scoped_lock lock{mutex_};
  auto& device = device_of(worker);
  if (!in_flight.empty()) {
    device.in_flight.insert(in_flight);
    ++device.retries;
  }
  for (const auto& [batch, begin] : me.under_way) device.in_flight.insert(batch);
  me.under_way.clear();
  if (!device.lost.load(std::memory_order_relaxed)) device.why_lost = why;
  device.lost.store(true, std::memory_order_relaxed);
}

/// All workers of a lost device are out of the run: what it held is free, and goes to others. Under mutex_.
void run_state::settle_loss(std::uint32_t number)
{
  auto& device = *devices_[number];
  device.loss_reported = true;
  all_may_steal_.store(false, std::memory_order_relaxed);
  log_line(log_level::warning, "device " + std::to_string(number) + " (" + core_->devices()[number]->info().name +
                                   ") is lost to this run: " + device.why_lost.detail);
  for (auto w = device.first_worker; w < device.first_worker + device.workers; ++w) {
    (void)workers_[w]->deque.drain();
    workers_[w]->session.reset();
  }
  if (phase() != run_phase::running) return;
  const auto given = grants_.lost({number}, device.in_flight, device.why_lost);
  if (grants_.run_failure()) {
    end_locked(run_phase::failed, *grants_.run_failure());
  } else {
    hand_out(given);
  }
}

/// Under mutex_.
void run_state::hand_out(const std::vector<grant>& given)
{
  for (const auto& g : given) {
    const auto& device = *devices_[g.device.value];
    // Any of its workers: the others steal from it.
    workers_[device.first_worker + g.part.begin % device.workers]->deque.add(g.part);
  }
  if (!given.empty()) core_->notify_all();
}

void run_state::end_locked(run_phase how, failure why)
{
  if (phase() != run_phase::running) return;
  why_ = std::move(why);
  std::atomic_ref{phase_}.store(static_cast<int>(how), std::memory_order_relaxed);
}

bool run_state::ready_to_deliver()
{
  if (phase() == run_phase::running || inside_ != 0 || delivering_) return false;
  delivering_ = true;
  return true;
}

void run_state::end(run_phase how, failure why)
{
  bool last = false;
  {
    const std::scoped_lock lock{mutex_};
    end_locked(how, std::move(why));
    last = ready_to_deliver();
  }
  if (last) deliver();
}

/// No worker is inside any more, and none can enter: everything may be read without a lock until the outcome is out.
void run_state::deliver()
{
  core_->retire(*this);
  const auto begin_ns = since_start();
  for (auto& slot : workers_) slot->session.reset();
  try {
    take_value();
  } catch (const std::exception& e) {
    std::atomic_ref{phase_}.store(static_cast<int>(run_phase::failed), std::memory_order_relaxed);
    why_ = {make_error_code(errc::internal), std::string{"the value could not be made: "} + e.what()};
  }
  aggregate_ns_ += since_start() - begin_ns;
  fill_summary();

  std::vector<std::pair<void (*)(void*), void*>> callbacks;
  {
    const std::scoped_lock lock{mutex_};
    callbacks.swap(callbacks_);
    delivered_.store(1, std::memory_order_release);
    // Under the lock: whoever waits may destroy this object as soon as it has the lock.
    finished_.notify_all();
  }
  for (const auto& [call, context] : callbacks) call(context);
}

void run_state::take_value()
{
  const auto& job = job_->data;
  if (phase() == run_phase::done && job.code->values != nullptr) {
    result_ = allocate_aligned(job.code->values->bytes * static_cast<std::size_t>(job.width), core_->memory());
    if (count_ == 0) {
      job.code->values->identity(result_.get(), job.width);
    } else {
      total_.value(result_.get());
    }
  }
}

void run_state::fill_summary()
{
  static constexpr outcome_kind kinds[] = {outcome_kind::done, outcome_kind::done, outcome_kind::failed,
                                           outcome_kind::cancelled, outcome_kind::deadline};
  auto& s = summary_;
  s.outcome = kinds[static_cast<int>(phase())];
  s.why = why_;
  s.wall_s = static_cast<double>(since_start()) * 1e-9;
  s.aggregate_s = static_cast<double>(aggregate_ns_) * 1e-9;
  s.subtasks = count_;
  s.committed = ledger_.committed().count();
  s.retries = grants_.retries();
  s.wasted = grants_.wasted();
  s.fenced = ledger_.fenced();
  s.seals = seals_;
  const auto* values = job_->data.code->values;
  s.reduction = values == nullptr ? "none" : to_string(options_.reduction);
  s.shape = values == nullptr ? "" : fold_ == fold_kind::ordered ? ordered_shape_name
                                     : values->order_free        ? "order-free"
                                     : fold_ == fold_kind::exact ? "exact"
                                                                 : "any";
  for (std::uint32_t d = 0; d < devices_.size(); ++d) {
    const auto& device = *devices_[d];
    const auto& info = core_->devices()[d]->info();
    device_summary ds;
    ds.id = {d};
    ds.name = info.name;
    ds.subtasks = device.subtasks;
    ds.share = count_ == 0 ? 0 : static_cast<double>(device.subtasks) / count_;
    ds.retries = device.retries;
    ds.lost = device.lost.load(std::memory_order_relaxed);
    std::int64_t first = -1;
    for (auto w = device.first_worker; w < device.first_worker + device.workers; ++w) {
      const auto& slot = *workers_[w];
      ds.batches += slot.batches;
      ds.steals += slot.steals;
      ds.busy_s += static_cast<double>(slot.busy_ns.load(std::memory_order_relaxed)) * 1e-9;
      ds.finished_s = std::max(ds.finished_s, static_cast<double>(slot.last_ns) * 1e-9);
      const auto began = slot.first_ns.load(std::memory_order_relaxed);
      if (began >= 0 && (first < 0 || began < first)) first = began;
    }
    if (ds.subtasks > 0) s.numeric_class = info.numeric_class;
    s.batches += ds.batches;
    s.steals += ds.steals;
    const auto active_s = ds.finished_s - static_cast<double>(first) * 1e-9;
    if (phase() == run_phase::done && first >= 0 && active_s > 1e-6 && device.subtasks > 0) {
      double indices = 1;
      for (const auto& dim : job_->data.shape.dimensions) indices *= static_cast<double>(dim.extent);
      core_->note_speed({d}, indices * ds.share / active_s);
    }
    s.devices.push_back(std::move(ds));
  }
}

// What users call -------------------------------------------------------------------------------------------------

void run_state::wait()
{
  std::unique_lock lock{mutex_};
  finished_.wait(lock, [&] { return finished(); });
}

bool run_state::wait_for(seconds timeout)
{
  std::unique_lock lock{mutex_};
  return finished_.wait_for(lock, std::chrono::duration<double>{std::clamp(timeout.count, 0.0, 1e9)},
                            [&] { return finished(); });
}

void run_state::cancel() noexcept
{
  end(run_phase::cancelled, {make_error_code(errc::cancelled), "the run was cancelled"});
}

void run_state::on_finished(void (*call)(void*), void* context)
{
  {
    const std::scoped_lock lock{mutex_};
    if (!finished()) {
      callbacks_.emplace_back(call, context);
      return;
    }
  }
  call(context);
}

progress run_state::current_progress() const
{
  progress p;
  p.total = count_;
  std::uint64_t done = 0;
  for (const auto& slot : workers_) done += slot->done.load(std::memory_order_relaxed);
  {
    const std::scoped_lock lock{mutex_};
    // What a lost device did and did not commit is to be done again.
    for (const auto& device : devices_) {
      if (!device->loss_reported) continue;
      std::uint64_t of_device = 0;
      for (auto w = device->first_worker; w < device->first_worker + device->workers; ++w) {
        of_device += workers_[w]->done.load(std::memory_order_relaxed);
      }
      done -= of_device - std::min(of_device, device->subtasks);
    }
  }
  p.done = std::min<std::uint64_t>(done, count_);
  p.elapsed = finished() ? seconds{summary_.wall_s} : seconds{static_cast<double>(since_start()) * 1e-9};
  if (finished()) {
    p.remaining = seconds{0.0};
  } else if (p.done > 0) {
    p.remaining = seconds{p.elapsed.count * static_cast<double>(p.total - p.done) / static_cast<double>(p.done)};
  }
  return p;
}

void run_state::tick(steady_clock::time_point now)
{
  if (now >= deadline_) {
    end(run_phase::deadline, {make_error_code(errc::deadline_exceeded), "the run's deadline has passed"});
    return;
  }
  const std::scoped_lock lock{mutex_};
  if (now >= next_seal_) {
    seal_tick_.fetch_add(1, std::memory_order_relaxed);
    next_seal_ = now + std::chrono::duration_cast<steady_clock::duration>(
                           std::chrono::duration<double>{std::min(options_.seal_every.count, 1e9)});
  }
}

std::optional<steady_clock::time_point> run_state::next_tick() const noexcept
{
  const std::scoped_lock lock{mutex_};
  const auto next = std::min(deadline_, next_seal_);
  if (phase() != run_phase::running || next == steady_clock::time_point::max()) return std::nullopt;
  return next;
}

std::uint64_t run_state::load(std::uint32_t device) const
{
  const std::scoped_lock lock{mutex_};
  return ledger_.assigned({device}).count();
}

std::string run_state::trace_json() const
{
  std::vector<trace_track> tracks;
  for (std::size_t w = 0; w < workers_.size(); ++w) {
    const auto place = core_->places()[w];
    if (!workers_[w]->trace) return {};
    tracks.push_back({core_->devices()[place.device]->info().name, place.device, place.worker, &*workers_[w]->trace});
  }
  return chrome_trace_json(tracks);
}

}  // namespace fastgpu::inline v0::detail
