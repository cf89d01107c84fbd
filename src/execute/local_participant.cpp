#include <algorithm>
#include <new>
#include <utility>

#include <gsl/assert>

#include "execute/shared_machinery.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr double first_look_s = 0.01;  // until the coordinator is told how far this process is; doubled each time,
constexpr double last_look_s = 0.5;    // up to here

}  // namespace

local_participant::local_participant(network& on, const ref<cluster_core>& core, shared_job& what,
                                     const placement& devices, const run_options& options, coordinator& boss,
                                     device_id device, std::function<void()> changed,
                                     std::function<void()> no_memory)
    : on_{on},
      boss_{boss},
      device_{device},
      changed_{std::move(changed)},
      run_{std::make_unique<watched_run>(on, core, what.job, devices, options, what.fold,
                                         [this, no_memory = std::move(no_memory)] {
                                           try {
                                             look();
                                           } catch (const std::bad_alloc&) {  // nobody might look once more
                                             no_memory();
                                           }
                                           changed_();
                                         })},
      alive_{std::make_shared<local_participant*>(this)},
      saves_{!options.checkpoint.empty()},
      last_look_s_{options.seal_every.count > 0 ? std::clamp(options.seal_every.count, first_look_s, last_look_s)
                                                : last_look_s}
{
  for (const auto& entry : devices.entries) workers_ += core->devices()[entry.device.value]->info().workers;
}

local_participant::~local_participant() { *alive_ = nullptr; }

void local_participant::join()
{
  joined_ = true;
  const bool wanted = boss_.joined(device_, *this, {.workers = workers_, .own_memory = false});
  Ensures(wanted);
}

void local_participant::look()
{
  if (!joined_) return;
  auto& run = **run_;
  if (run_->ended()) {
    joined_ = false;
    const auto& why = run.summary().why;
    if (why.code == errc::kernel_failed) return boss_.kernel_failed(why);
    interval_set blamed;
    if (why.subtask >= 0) {
      blamed.insert(interval{static_cast<std::uint32_t>(why.subtask), static_cast<std::uint32_t>(why.subtask) + 1});
    }
    boss_.left(device_, blamed, why, false);
    return;
  }
  const auto state = run.state();
  if (state.finished) return;  // told once more when its workers have left it
  if (state.sealed > 0) {
    auto part = run.take_sealed();
    seal_report report;
    report.seal = ++seals_;
    report.dry = state.held == 0;
    report.dropped = std::move(part.dropped);
    std::unique_ptr<arrived_values> values;
    if (part.values != nullptr) {
      report.fold_set = part.values->fold_set();
      report.counter = report.fold_set.count();
      values = std::make_unique<local_values>(std::move(part.values));
    }
    boss_.sealed(device_, report, std::move(values));
  }
  if (state.hungry && state.held > 0) boss_.progress(device_, granted_, std::min(state.done, granted_), 0);
}

void local_participant::tick()
{
  if (!joined_ || on_.now().count < next_look_.count) return;
  const auto state = (*run_)->state();
  if (state.held > 0) boss_.progress(device_, granted_, std::min(state.done, granted_), state.unstarted);
  // Workers that have enough to do say nothing of what they seal, and it is no hurry, but for what is to be saved.
  if (saves_ && state.sealed > 0) look();
  look_after_s_ = std::min(2 * look_after_s_, last_look_s_);
  next_look_ = seconds{on_.now().count + look_after_s_};
}

void local_participant::stop()
{
  joined_ = false;
  (*run_)->finish();
}

void local_participant::grant(std::span<const interval> ranges)
{
  for (const auto& range : ranges) granted_ += range.size();
  look_after_s_ = first_look_s;
  next_look_ = seconds{on_.now().count + look_after_s_};
  (*run_)->accept_grant(ranges);
}

void local_participant::take_back(std::uint32_t request, std::uint64_t subtasks)
{
  on_.post([alive = alive_, request, subtasks] {  // the coordinator is in the midst of something
    auto* self = *alive;
    if (self == nullptr || !self->joined_) return;
    const auto ranges = (*self->run_)->take_back(subtasks);
    self->granted_ -= ranges.count();
    self->boss_.taken_back(self->device_, request, ranges);
    self->changed_();
  });
}

// Its attempts write the user's memory, so there is never a second one of what is running here, nor one here of what is
// running elsewhere.
void local_participant::stage(interval) { Expects(false); }
void local_participant::seal(std::uint64_t, const interval_set&) { Expects(false); }

}  // namespace fastgpu::inline v0::detail
