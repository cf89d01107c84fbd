#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <thread>
#include <utility>

#include "detail/spin.hpp"
#include "execute/run_state.hpp"
#include "nccl/group_member.hpp"

/// @file
/// The end of a run on several GPUs of this process: they reduce what they hold among themselves.

namespace fastgpu::inline v0::detail {
namespace {

constexpr double wait_share = 0.1;  // of the time that the run has taken: so long GPUs wait for the last of them,
constexpr double wait_least_s = 1e-3;
constexpr double wait_most_s = 1.0;
constexpr std::chrono::microseconds between_looks{20};
constexpr std::chrono::seconds quiet_most{10};  // for what was aborted to end on the GPU

}  // namespace

/// @return  Whether the worker's values have been committed, or are nobody's concern any more; else it seals them.
bool run_state::seal_in_group(std::uint32_t worker)
{
  auto& me = workers_[worker];
  auto& device = device_of(worker);
  const auto begin_ns = since_start();
  {
    const auto lock = lock_soon(mutex_);
    if (!may_gather_locked()) return false;
  }
  values_in_place open;
  try {
    open = me.session->in_place();
  } catch (const error& e) {
    report_lost(worker, {}, e.why());
    return true;
  }
  if (open.member == nullptr || !arrive_in_group(worker, open)) return false;

  bool took_part = false;
  try {
    took_part = reduce_in_group({core_->places()[worker].device}, open);
  } catch (...) {  // the others must not wait for this one
    {
      const auto lock = lock_soon(mutex_);
      group_->dissolve();
    }
    leave_group(worker, *open.member);
    throw;
  }
  leave_group(worker, *open.member);

  const auto lock = lock_soon(mutex_);
  if (!running(device)) return true;
  if (!took_part || open.member->dismissed()) return false;
  me.session->drop_open();
  if (me.trace) me.trace->add({trace_kind::seal, begin_ns, since_start(), {}});
  return true;
}

/// Until the group is over. @return  Whether it came to a reduction with this member.
bool run_state::reduce_in_group(device_id id, const values_in_place& open)
{
  auto& member = *open.member;
  bool offered = false;
  for (;;) {
    if (offered) member.poll();
    auto reports = member.take_reports();
    std::vector<group_command> commands;
    bool over = false;
    {
      const auto lock = lock_soon(mutex_);
      const books_scope books{*this};
      group_->receive(id, std::move(reports));
      advance_group_locked();
      over = group_->over();
      commands = group_->take_commands(id);
    }
    if (!offered && !commands.empty()) {
      const auto& plan = group_->plan();
      member.offer(group_->number(), plan, {open.data, plan.count * plan.scalar_bytes()});
      offered = true;
    }
    for (const auto& command : commands) member.receive(command);
    if (over) return offered;
    if (commands.empty()) std::this_thread::sleep_for(between_looks);
  }
}

/// Where its input was not used, the member learns so here. Its input's memory is free only when the GPU no longer reads
/// it.
void run_state::leave_group(std::uint32_t worker, group_member& member)
{
  if (member.has_input()) {
    constexpr auto last_epoch = std::numeric_limits<std::uint64_t>::max();
    member.receive({group_command::kind::dismiss, {group_->number(), last_epoch}});
  }
  const auto until = steady_clock::now() + quiet_most;
  bool quiet = false;
  try {
    while (!(quiet = member.quiet()) && steady_clock::now() < until) std::this_thread::sleep_for(between_looks);
  } catch (const gpu_error&) {  // seal() says so too
    quiet = true;
  }
  const auto lock = lock_soon(mutex_);
  --in_group_;
  if (quiet) return;
  workers_[worker].session->leave_values();
  auto& device = device_of(worker);
  device.why_lost = {make_error_code(errc::device_lost), "a reduction among GPUs does not end on it"};
  device.lost.store(true, std::memory_order_relaxed);
}

/// Whether this is a moment to arrive in. Under mutex_.
bool run_state::may_gather_locked() const
{
  if (phase() != run_phase::running || core_->runs_beside() || somebody_has_work()) return false;
  return !group_ || group_->now_at() == group_seal::stage::gathering || (group_->never_began() && in_group_ == 0);
}

bool run_state::somebody_has_work() const
{
  for (std::uint32_t w = 0; w < workers_.size(); ++w) {
    if (has_share(w)) return true;
  }
  return false;
}

bool run_state::arrive_in_group(std::uint32_t worker, const values_in_place& open)
{
  const device_id id{core_->places()[worker].device};
  const auto lock = lock_soon(mutex_);
  const books_scope books{*this};
  if (!running(device_of(worker)) || !may_gather_locked()) return false;
  if (!group_ || group_->over()) {
    const auto number = core_->groups().take();
    if (!number) return false;
    const auto wait_s = std::clamp(wait_share * static_cast<double>(since_start()) * 1e-9, wait_least_s, wait_most_s);
    group_.emplace(*core_, core_->groups(), *number, *group_plan_, seconds{wait_s});
  }
  group_->arrive({{id, workers_[worker].incarnation, open.counter}, *open.fold_set});
  ++in_group_;
  return true;
}

/// Under mutex_, as all that follows.
void run_state::advance_group_locked()
{
  if (group_->over()) return;
  if (phase() != run_phase::running) return group_->dissolve();
  if (group_->now_at() == group_seal::stage::gathering) {
    if (ledger_.committed().count() + group_->held() == count_ && group_->arrivals().size() >= 2) {
      group_->start();
      group_began_ns_ = since_start();
    } else if (should_dissolve_locked()) {
      group_->dissolve();
    }
    return;
  }
  group_->tick();
  if (const auto* outcome = group_->decided()) commit_group_locked(*outcome);
  if (!group_->over()) return;
  for (const auto& why : group_->failures()) {
    to_log_.push_back("a reduction among GPUs failed and was done otherwise: " + why.detail);
  }
}

/// Whether there is something better to do than to wait for the other GPUs.
bool run_state::should_dissolve_locked() const
{
  const bool by_one_alone = ledger_.committed().count() + group_->held() == count_;
  return by_one_alone || group_->waited_long() || core_->runs_beside() || somebody_has_work();
}

void run_state::commit_group_locked(const group_outcome& outcome)
{
  const auto seals = group_->seals();
  const auto verdicts = ledger_.accept_merged(seals);
  const bool all = std::all_of(verdicts.begin(), verdicts.end(), [](verdict v) { return v == verdict::committed; });
  if (!all) {
    for (std::size_t i = 0; i < verdicts.size(); ++i) {
      if (verdicts[i] == verdict::fenced) group_->lost(seals[i].what.device);
      if (verdicts[i] == verdict::violation) {
        end_locked(run_phase::failed,
                   {make_error_code(errc::internal), "the ledger refused a group's partials: a defect of the library"});
      }
    }
    return;
  }
  interval_set folded;
  for (const auto& s : seals) folded.insert(*s.fold_set);
  partial values{job_->data, fold_, core_->memory()};
  if (!values.unpack_merged(outcome.value, std::move(folded))) {
    end_locked(run_phase::failed,
               {make_error_code(errc::internal), "a group's value is none: a defect of the library"});
    return;
  }
  for (const auto& s : seals) devices_[s.what.device.value].subtasks += s.fold_set->count();
  for (const auto m : outcome.lost) {  // its values are in nobody's, and it may still be at them
    auto& device = devices_[m.value];
    device.why_lost = {make_error_code(errc::device_lost), "its part of a reduction among GPUs could not be had"};
    device.lost.store(true, std::memory_order_relaxed);
  }
  seals_ += seals.size();
  seals_in_groups_ += seals.size();
  absorb_locked(std::move(values));
  group_->commit();
  aggregate_ns_ += since_start() - group_began_ns_;
  if (ledger_.complete()) end_locked(run_phase::done, {});
}

}  // namespace fastgpu::inline v0::detail
