#include "simulation/local.hpp"

#include <algorithm>
#include <utility>

#include "simulation/program.hpp"

namespace simulation {
namespace {

constexpr double progress_every_s = 0.1;

}  // namespace

local_participant::local_participant(world& where, program_core& core, fastgpu::detail::coordinator& boss,
                                     checker& watch, run_facts& facts, fastgpu::device_id device,
                                     const participant_plan& plan)
    : world_{where},
      core_{core},
      boss_{boss},
      checker_{watch},
      device_{device},
      machine_{plan},
      facts_{facts},
      events_{where, always}
{
}

/// Everything is told later: never from within what the coordinator says.
void local_participant::later(world::action what)
{
  world_.after(0, events_.id(), [this, does = std::move(what)] {
    if (executor_ == nullptr) return;
    does();
    core_.touched();
  });
}

void local_participant::join()
{
  machine_.has_broadcast = true;
  const origin from{device_.value, 0, 0};
  executor_ =
      std::make_unique<model_executor>(world_, always, machine_, facts_, from, facts_.what->seal_every, *this, true);
  checker_.session_opened(device_.value, 0);
  boss_.joined(
      device_, *this,
      {machine_.plan.workers, machine_.plan.speed_known ? machine_.plan.workers * machine_.plan.subtasks_per_second : 0,
       0, 0, false});
  tell_progress();
}

void local_participant::lose_child()
{
  if (executor_ != nullptr) executor_->lose_child();
}

void local_participant::cut_off(const failure& why)
{
  later([this, why] { leave({}, why); });
}

void local_participant::stop() { executor_.reset(); }

void local_participant::leave(const interval_set& in_flight, const failure& why)
{
  executor_.reset();
  lost_ = true;
  checker_.job_lost(device_.value, in_flight.intervals());
  boss_.left(device_, in_flight, why, false);
}

void local_participant::grant(std::span<const interval> ranges)
{
  if (executor_ == nullptr) return;
  for (const auto& range : ranges) {
    checker_.granted(device_.value, range);
    granted_ += range.size();
  }
  told_hungry_ = false;
  executor_->grant(ranges);
}

void local_participant::stage(interval) { world_.wrong("a backup in memory that is not its own"); }

void local_participant::take_back(std::uint32_t request, std::uint64_t subtasks)
{
  if (executor_ == nullptr) return;
  auto taken = executor_->take_back(subtasks);
  granted_ -= taken.count();
  later([this, request, ranges = std::move(taken)] {
    for (const auto& range : ranges.intervals()) checker_.returned(device_.value, range);
    boss_.taken_back(device_, request, ranges);
    if (executor_ != nullptr) look(0);  // it may have been all that a seal waited for
  });
}

void local_participant::seal(std::uint64_t request, const interval_set& revoked)
{
  if (executor_ == nullptr) return;
  executor_->revoke(revoked);
  later([this, request] { tell_seal(request); });
}

void local_participant::tell_seal(std::uint64_t answers)
{
  auto sealed = executor_->take_sealed();
  std::unique_ptr<fastgpu::detail::arrived_values> values;
  if (sealed.values != nullptr) values = std::make_unique<values_here>(unpack(*sealed.values));
  ++seals_;
  checker_.sealed(device_.value, seals_, sealed.fold_set);
  for (const auto* gone : {&sealed.fold_set, &sealed.dropped}) {
    for (const auto& range : gone->intervals()) checker_.returned(device_.value, range);
  }
  boss_.sealed(device_,
               {seals_, answers, sealed.counter, executor_->state().held == 0, std::move(sealed.fold_set),
                std::move(sealed.dropped)},
               std::move(values));
}

void local_participant::look(job_number)
{
  if (executor_ == nullptr) return;
  for (auto& [range, why] : executor_->take_failed()) {
    checker_.tried(device_.value, range);
    checker_.returned(device_.value, range);
    boss_.failed(device_, range, false, why);
  }
  if (executor_->finished()) {
    const auto why = executor_->why();
    interval_set in_flight;
    if (why.subtask >= 0)
      in_flight.insert({static_cast<std::uint32_t>(why.subtask), static_cast<std::uint32_t>(why.subtask) + 1});
    if (why.code == fastgpu::errc::kernel_failed) {
      boss_.kernel_failed(why);
    } else {
      leave(in_flight, why);
    }
    return core_.touched();
  }
  const auto state = executor_->state();
  if (state.sealed && (state.held == 0 || facts_.what->seal_every > 0)) tell_seal(0);
  if (executor_ == nullptr) return core_.touched();
  if (state.unstarted == 0 && !std::exchange(told_hungry_, true)) {
    boss_.progress(device_, granted_, std::min(state.done, granted_), state.unstarted);
  }
  core_.touched();
}

void local_participant::tell_progress()
{
  world_.after(progress_every_s, events_.id(), [this] {
    if (executor_ == nullptr) return;
    const auto state = executor_->state();
    if (state.held > 0) {
      boss_.progress(device_, granted_, std::min(state.done, granted_), state.unstarted);
      core_.touched();
    }
    tell_progress();
  });
}

void local_participant::backup_done(job_number, interval, std::shared_ptr<const payload>) {}
void local_participant::backup_failed(job_number, interval, const failure&) {}

}  // namespace simulation
