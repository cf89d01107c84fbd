#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "assign/shares.hpp"
#include "detail/spin.hpp"
#include "execute/run_state.hpp"

/// @file
/// What is rare in a run: seals, failures, lost devices, and the end.

namespace fastgpu::inline v0::detail {

void run_state::seal(std::uint32_t worker)
{
  auto& me = workers_[worker];
  const auto place = core_->places()[worker];
  auto& device = device_of(worker);
  me.seal_seen = seal_tick_.load(std::memory_order_relaxed);
  me.back_to_back = false;
  const auto begin_ns = since_start();
  sealed_partial sealed;
  try {
    sealed = me.session->seal();
  } catch (const error& e) {
    report_lost(worker, {}, e.why());
    return;
  }
  if (!sealed.values) return;

  const auto lock = lock_soon(mutex_);
  const books_scope books{*this};
  if (!running(device)) return;  // the values are lost with the device, or nobody wants them any more
  const auto& fold_set = sealed.values->fold_set();
  if (grantor_ != nullptr && drop_revoked_locked({place.device}, fold_set)) return;
  switch (ledger_.accept({{place.device}, me.incarnation, sealed.counter}, fold_set)) {
    case verdict::committed:
      device.subtasks += fold_set.count();
      ++seals_;
      news_ = true;
      absorb_locked(std::move(*sealed.values));
      break;
    case verdict::fenced: break;
    case verdict::violation:
      end_locked(run_phase::failed,
                 {make_error_code(errc::internal), "the ledger refused a partial of device " +
                                                       std::to_string(place.device) + ": a defect of the library"});
      break;
  }
  const auto end_ns = since_start();
  aggregate_ns_ += end_ns - begin_ns;
  if (me.trace) me.trace->add({trace_kind::seal, begin_ns, end_ns, {}});
  if (grantor_ == nullptr && ledger_.complete()) end_locked(run_phase::done, {});
}

/// Under mutex_. Where the values cannot be merged the run is over before anyone can see them as committed.
void run_state::absorb_locked(partial&& values)
{
  try {
    total_->absorb(std::move(values));
  } catch (const std::bad_alloc&) {
    end_locked(run_phase::failed, out_of_memory());
  } catch (const std::exception& e) {
    end_locked(run_phase::failed, {make_error_code(errc::kernel_failed), std::string{"a merge failed: "} + e.what()});
  } catch (...) {
    end_locked(run_phase::failed,
               {make_error_code(errc::kernel_failed), "a merge failed: an exception that is no std::exception"});
  }
}

void run_state::report_failed(std::uint32_t worker, interval batch)
{
  auto& me = workers_[worker];
  const auto place = core_->places()[worker];
  auto& device = device_of(worker);
  ++me.failures_in_a_row;
  if (me.trace) me.trace->add({trace_kind::failed, since_start(), since_start(), batch});
  const auto lock = lock_soon(mutex_);
  const books_scope books{*this};
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
  auto& me = workers_[worker];
  if (me.trace) me.trace->add({trace_kind::lost, since_start(), since_start(), in_flight});
  const auto lock = lock_soon(mutex_);
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
  auto& device = devices_[number];
  device.loss_reported = true;
  all_may_steal_.store(false, std::memory_order_relaxed);
  to_log_.push_back("device " + std::to_string(number) + " (" + core_->devices()[number]->info().name +
                    ") is lost to this run: " + device.why_lost.detail);
  for (auto w = device.first_worker; w < device.first_worker + device.workers; ++w) {
    (void)workers_[w].deque.drain();
    workers_[w].session.reset();
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
    const auto& device = devices_[g.device.value];
    // Any of its workers: the others steal from it.
    workers_[device.first_worker + g.part.begin % device.workers].deque.add(g.part);
  }
  if (!given.empty()) core_->work_came_back();
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
    const auto lock = lock_soon(mutex_);
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
  for (auto& slot : workers_) slot.session.reset();
  if (group_) group_->dissolve();
  try {
    take_value();
  } catch (const error& e) {
    std::atomic_ref{phase_}.store(static_cast<int>(run_phase::failed), std::memory_order_relaxed);
    why_ = {e.why().code};
    try {
      why_ = e.why();
    } catch (const std::bad_alloc&) {  // the code says enough
    }
  } catch (const std::bad_alloc&) {
    std::atomic_ref{phase_}.store(static_cast<int>(run_phase::failed), std::memory_order_relaxed);
    why_ = out_of_memory();
  } catch (const std::exception& e) {
    std::atomic_ref{phase_}.store(static_cast<int>(run_phase::failed), std::memory_order_relaxed);
    why_ = failure_of(errc::kernel_failed, e.what());
  } catch (...) {
    std::atomic_ref{phase_}.store(static_cast<int>(run_phase::failed), std::memory_order_relaxed);
    why_ = failure_of(errc::kernel_failed, "the last merge threw what is no std::exception");
  }
  aggregate_ns_ += since_start() - begin_ns;
  try {
    fill_summary();
  } catch (const std::bad_alloc&) {
    summary_ = {};
    summary_.outcome = outcome_kind::failed;
    summary_.why = out_of_memory();
  }

  std::vector<std::pair<void (*)(void*), void*>> callbacks;
  {
    const auto lock = lock_soon(mutex_);
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
  if (grantor_ != nullptr) return;  // has taken the values
  // The last self-check: every subtask is in the value, once. (A partial counts none twice.)
  if (phase() == run_phase::done && total_->fold_set().count() != count_) {
    throw error{errc::internal, "subtasks are missing in the value: a defect of the library"};
  }
  if (phase() == run_phase::done && job.code->values != nullptr) {
    result_ = allocate_aligned(job.code->values->bytes * static_cast<std::size_t>(job.width), core_->memory());
    if (count_ == 0) {
      job.code->values->identity(result_.get(), job.width);
    } else {
      total_->value(result_.get());
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
  s.seals_in_groups = seals_in_groups_;
  const auto* values = job_->data.code->values;
  s.reduction = values == nullptr ? "none" : to_string(options_.reduction);
  s.shape = values == nullptr ? "" : fold_ == fold_kind::ordered ? ordered_shape_name
                                     : values->order_free        ? "order-free"
                                     : fold_ == fold_kind::exact ? "exact"
                                                                 : "any";
  for (std::uint32_t d = 0; d < devices_.size(); ++d) {
    const auto& device = devices_[d];
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
      const auto& slot = workers_[w];
      ds.batches += slot.batches.read();
      ds.steals += slot.steals.read();
      ds.busy_s += busy_s(slot);
      ds.finished_s = std::max(ds.finished_s, static_cast<double>(slot.last_ns) * 1e-9);
      const auto began = slot.first_ns.load(std::memory_order_relaxed);
      if (began >= 0 && (first < 0 || began < first)) first = began;
    }
    if (ds.subtasks > 0) s.numeric_class = info.numeric_class;
    s.batches += ds.batches;
    s.steals += ds.steals;
    const auto active_s = ds.finished_s - static_cast<double>(first) * 1e-9;
    if (phase() == run_phase::done && first >= 0 && active_s > 1e-6 && device.subtasks > 0) {
      try {
        const auto indices = indices_of(subtask_list{job_->data.shape}) * ds.share;
        core_->note_speed(device_id{d}, job_->data, indices / active_s);
      } catch (const std::bad_alloc&) {  // the next placement goes by less
      }
    }
    s.devices.push_back(std::move(ds));
    if (device.named) add_times(device);
  }
  s.terms = times_.terms(s.wall_s);
}

void run_state::add_times(const device_slot& device)
{
  for (auto w = device.first_worker; w < device.first_worker + device.workers; ++w) {
    const auto& slot = workers_[w];
    const auto first = slot.first_ns.load(std::memory_order_relaxed);
    if (first < 0) {
      times_.add_idle(1);
    } else {
      times_.add(1, static_cast<double>(first) * 1e-9, static_cast<double>(slot.last_ns) * 1e-9, busy_s(slot));
    }
  }
}

}  // namespace fastgpu::inline v0::detail
