#include "execute/run_state.hpp"

#include <algorithm>
#include <new>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include <gsl/assert>

#include <fastgpu/observe/log.hpp>

#include "assign/shares.hpp"
#include "detail/spin.hpp"

/// @file
/// A run's life: how it starts, how workers come and go, and what its user may ask.

namespace fastgpu::inline v0::detail {

failure failure_of(errc code, const char* detail) noexcept
{
  failure why{make_error_code(code)};
  try {
    why.detail = detail;
  } catch (const std::bad_alloc&) {  // the code says enough
  }
  return why;
}

failure out_of_memory() noexcept { return {std::make_error_code(std::errc::not_enough_memory)}; }

namespace {

/// Named devices may be the same GPU, with which NCCL does not reduce.
std::size_t gpus_of(const cluster_core& core, const placement& table)
{
  std::size_t gpus = 0;
  std::set<std::string> addresses;
  for (const auto& e : table.entries) {
    const auto& info = core.devices()[e.device.value]->info();
    if (info.backend != "cuda") continue;
    if (!info.pci_address.empty() && !addresses.insert(info.pci_address).second) return 0;
    ++gpus;
  }
  return gpus;
}

}  // namespace

run_state::run_state(ref<cluster_core> core, ref<const job_storage> job, const placement& table,
                     const run_options& options, fold_kind fold, run_grantor* grantor)
    : core_{std::move(core)},
      job_{std::move(job)},
      options_{options},
      fold_{fold},
      grantor_{grantor},
      span_{std::uint32_t{1} << job_->data.shape.span_log2},
      count_{job_->data.shape.count},
      started_{steady_clock::now()},
      deadline_{steady_clock::time_point::max()},
      workers_(core_->worker_count()),
      devices_(core_->devices().size()),
      ledger_{count_, core_->devices().size()},
      grants_{*core_, ledger_, core_->devices().size(), count_, span_},
      total_{std::make_unique<partial>(job_->data, count_ == 0 ? fold_kind::none : fold, core_->memory())}
{
  if (options_.deadline.count > 0) {
    deadline_ = started_ + std::chrono::duration_cast<steady_clock::duration>(
                               std::chrono::duration<double>{std::min(options_.deadline.count, 1e9)});
  }
  next_seal_ = steady_clock::time_point::max();
  if (options_.seal_every.count > 0) {
    next_seal_ = started_ + std::chrono::duration_cast<steady_clock::duration>(
                                std::chrono::duration<double>{std::clamp(options_.seal_every.count, 1e-6, 1e9)});
  }
  for (std::uint32_t w = 0; w < workers_.size(); ++w) {
    const auto place = core_->places()[w];
    auto& device = devices_[place.device];
    if (place.worker == 0) device.first_worker = w;
    ++device.workers;
    auto& slot = workers_[w];
    if (options_.trace) slot.trace.emplace();
    slot.batch = options_.batches.how == batching::kind::adaptive ? span_ : std::max(options_.batches.size, 1u);
  }
  // A device that has no part in the placement does not match the job: it must not steal either.
  std::uint32_t able = 0;
  for (std::uint32_t d = 0; d < devices_.size(); ++d) {
    const auto named = std::any_of(table.entries.begin(), table.entries.end(),
                                   [&](const placement_entry& e) { return e.device.value == d; });
    if (named) {
      able += devices_[d].workers;
      devices_[d].named = true;
      continue;
    }
    grants_.exclude({d});
    all_may_steal_.store(false, std::memory_order_relaxed);
  }
  sole_worker_ = able == 1 && grantor_ == nullptr;
  if (grantor_ == nullptr && job_->data.code->values != nullptr && core_->reduction().bytes_min != never_in_group) {
    const auto gpus = gpus_of(*core_, table);
    const auto plan = plan_for(*job_->data.code->values, fold, job_->data.width);
    const auto bytes = plan.count * plan.scalar_bytes();
    if (plan.how == reduction_plan::method::reduce &&
        core_->reduction().use_group(gpus, bytes)) {
      group_plan_ = plan;
    }
  }
  summary_.policy = table.policy;
  summary_.measured_share = measured_share(table);
}

void run_state::start(const placement& table, double assign_s)
{
  {
    const auto lock = lock_soon(mutex_);
    for (const auto& entry : table.entries) {
      auto& device = devices_[entry.device.value];
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
          if (!part.empty()) workers_[device.first_worker + w].deque.add(part);
        }
      }
    }
    Ensures(ledger_.free().empty() || grantor_ != nullptr);
  }
  summary_.assign_s = assign_s;
  if (count_ == 0 && grantor_ == nullptr) end(run_phase::done, {});
}

// Workers come and go ---------------------------------------------------------------------------------------------

bool run_state::admits_locked(std::uint32_t worker) const
{
  const auto device = core_->places()[worker].device;
  return phase() == run_phase::running && !devices_[device].lost.load(std::memory_order_relaxed) &&
         grants_.usable({device});
}

bool run_state::admits(std::uint32_t worker) const
{
  const auto lock = lock_soon(mutex_);
  return admits_locked(worker);
}

bool run_state::enter(std::uint32_t worker)
{
  const auto lock = lock_soon(mutex_);
  if (!admits_locked(worker)) return false;
  ++inside_;
  ++device_of(worker).inside;
  return true;
}

void run_state::leave(std::uint32_t worker)
{
  bool last = false;
  bool news = false;
  std::vector<std::string> lines;
  {
    const auto lock = lock_soon(mutex_);
    auto& device = device_of(worker);
    --inside_;
    --device.inside;
    if (device.lost.load(std::memory_order_relaxed) && device.inside == 0 && !device.loss_reported) {
      try {
        settle_loss(core_->places()[worker].device);
      } catch (const std::bad_alloc&) {
        end_locked(run_phase::failed, out_of_memory());
      }
    }
    last = ready_to_deliver();
    lines.swap(to_log_);
    if (grantor_ != nullptr && !last) {
      if (!told_hungry_ && hungry_locked()) news_ = told_hungry_ = true;
      news = std::exchange(news_, false);
      if (news) ++inside_;  // the run stays while its grantor is called
    }
  }
  if (news) {
    grantor_->look();
    let_go();
  }
  for (const auto& line : lines) log_line(log_level::warning, line);
  if (last) deliver();
}

bool run_state::hold()
{
  const auto lock = lock_soon(mutex_);
  if (phase() != run_phase::running) return false;
  ++inside_;
  return true;
}

void run_state::let_go()
{
  bool last = false;
  {
    const auto lock = lock_soon(mutex_);
    --inside_;
    last = ready_to_deliver();
  }
  if (last) deliver();
}

work_result run_state::work(std::uint32_t worker, std::uint32_t generation)
{
  try {
    return run_batches(worker, generation);
  } catch (const std::bad_alloc&) {  // the thread must not end with it
    give_up(worker, out_of_memory());
  } catch (const std::exception& e) {
    give_up(worker, failure_of(errc::device_failed, e.what()));
  } catch (...) {
    give_up(worker, failure_of(errc::device_failed, "a worker met an exception that is no std::exception"));
  }
  return work_result::nothing;
}

/// The run cannot go on. What is under way is waited for here: other threads must not do that in this one's place.
void run_state::give_up(std::uint32_t worker, failure why)
{
  workers_[worker].under_way.clear();
  workers_[worker].session.reset();
  end(run_phase::failed, std::move(why));
}

work_result run_state::run_batches(std::uint32_t worker, std::uint32_t generation)
{
  auto& me = workers_[worker];
  auto& device = device_of(worker);
  if (!me.session && !open_session(worker)) return work_result::nothing;

  bool any = false;
  bool outranked = false;
  me.back_to_back = false;
  const auto in_flight_max = me.session->in_flight_max();
  while (running(device)) {
    const bool seal_due = seal_tick_.load(std::memory_order_relaxed) != me.seal_seen;
    if (seal_due && me.under_way.empty()) {
      seal(worker);
      continue;
    }
    outranked = core_->generation() != generation && core_->outranked(options_.priority);
    // Before a seal, what is under way runs dry.
    const bool room = me.under_way.empty() || me.under_way.size() < in_flight_max;
    const auto batch = outranked || seal_due || !room ? interval{} : next_batch(worker);
    if (!batch.empty()) {
      any = true;
      if (grantor_ != nullptr && !may_launch_granted(worker, batch)) continue;
      launch(worker, batch);
    } else if (!me.under_way.empty()) {
      poll(worker);
    } else {
      break;
    }
  }
  while (!me.under_way.empty() && !device.lost.load(std::memory_order_relaxed)) poll(worker);
  if (any && sampled(me)) me.last_ns = since_start();  // the last batch may not have been timed
  if (running(device) && !outranked && !(group_plan_ && !me.declined && seal_in_group(worker))) seal(worker);
  if (any) return work_result::some;
  return me.declined ? work_result::later : work_result::nothing;
}

bool run_state::open_session(std::uint32_t worker)
{
  auto& me = workers_[worker];
  const auto place = core_->places()[worker];
  try {
    {
      const auto lock = lock_soon(mutex_);
      me.incarnation = ledger_.incarnation({place.device});
    }
    me.session = core_->devices()[place.device]->open({&job_->data, fold_, &phase_, place.worker, &core_->memory()});
    me.hints = me.session->hints();
    me.under_way.reserve(me.session->in_flight_max());  // what was launched must not be forgotten for want of memory
    if (options_.batches.how == batching::kind::adaptive) me.batch = std::max(me.batch, me.hints.first);
    return true;
  } catch (const std::exception& e) {
    report_lost(worker, {}, {make_error_code(errc::device_lost), std::string{"opening a session: "} + e.what()});
    return false;
  }
}

// What users call -------------------------------------------------------------------------------------------------

void run_state::wait()
{
  Expects(finished() || !core_->is_worker_thread());  // a kernel that waits for its own cluster would wait for itself
  if (!finished()) core_->work_on(*this);
  constexpr int spins = 2000;  // tens of microseconds, within which an outcome that is decided is delivered
  for (int i = 0; i < spins && phase() != run_phase::running && !finished(); ++i) pause();
  std::unique_lock lock{mutex_};
  finished_.wait(lock, [&] { return finished(); });
}

bool run_state::wait_for(seconds timeout)
{
  Expects(finished() || !core_->is_worker_thread());
  std::unique_lock lock{mutex_};
  return finished_.wait_for(lock, std::chrono::duration<double>{std::clamp(timeout.count, 0.0, 1e9)},
                            [&] { return finished(); });
}

void run_state::cancel() noexcept
{
  end(run_phase::cancelled, failure_of(errc::cancelled, "the run was cancelled"));
}

void run_state::on_finished(void (*call)(void*), void* context)
{
  {
    const auto lock = lock_soon(mutex_);
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
  {
    const auto lock = lock_soon(mutex_);  // a lost device's workers are gone: their counts stay as they are summed
    for (const auto& slot : workers_) done += slot.done.read();
    // What a lost device did and did not commit is to be done again.
    for (const auto& device : devices_) {
      if (!device.loss_reported) continue;
      std::uint64_t of_device = 0;
      for (auto w = device.first_worker; w < device.first_worker + device.workers; ++w) {
        of_device += workers_[w].done.read();
      }
      done -= of_device - std::min(of_device, device.subtasks);
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
    end(run_phase::deadline, failure_of(errc::deadline_exceeded, "the run's deadline has passed"));
    return;
  }
  const auto lock = lock_soon(mutex_);
  if (now >= next_seal_) {
    seal_tick_.fetch_add(1, std::memory_order_relaxed);
    next_seal_ = now + std::chrono::duration_cast<steady_clock::duration>(
                           std::chrono::duration<double>{std::clamp(options_.seal_every.count, 1e-6, 1e9)});
  }
}

std::optional<steady_clock::time_point> run_state::next_tick() const noexcept
{
  const auto lock = lock_soon(mutex_);
  const auto next = std::min(deadline_, next_seal_);
  if (phase() != run_phase::running || next == steady_clock::time_point::max()) return std::nullopt;
  return next;
}

std::uint64_t run_state::load(std::uint32_t device) const
{
  const auto lock = lock_soon(mutex_);
  return ledger_.assigned({device}).count();
}

std::vector<std::vector<trace_event>> run_state::trace_events() const
{
  Expects(finished());
  std::vector<std::vector<trace_event>> all;
  for (const auto& w : workers_) all.push_back(w.trace ? w.trace->events() : std::vector<trace_event>{});
  return all;
}

std::string run_state::trace_json(const run_summary& of) const
{
  Expects(finished());  // before that the workers write it
  std::vector<trace_track> tracks;
  for (std::size_t w = 0; w < workers_.size(); ++w) {
    const auto place = core_->places()[w];
    if (!workers_[w].trace) return {};
    tracks.push_back({core_->devices()[place.device]->info().name, place.device, place.worker, &*workers_[w].trace});
  }
  return chrome_trace_json(tracks, term_tracks(of, static_cast<std::uint32_t>(devices_.size())));
}

}  // namespace fastgpu::inline v0::detail
