#include "execute/ledger.hpp"

#include <utility>

#include <gsl/assert>

namespace fastgpu::inline v0::detail {

ledger::ledger(std::uint32_t subtasks, std::size_t devices)
    : subtasks_{subtasks}, free_{interval{0, subtasks}}, holders_(devices)
{
}

void ledger::resume(const interval_set& part)
{
  Expects(free_.contains(part));
  free_.erase(part);
  committed_.insert(part);
}

void ledger::assign(interval part, device_id to)
{
  Expects(free_.contains(part));
  free_.erase(part);
  at(to).assigned.insert(part);
}

void ledger::move(interval part, device_id from, device_id to)
{
  Expects(at(from).assigned.contains(part));
  at(from).assigned.erase(part);
  at(to).assigned.insert(part);
}

void ledger::release(interval part, device_id from)
{
  Expects(at(from).assigned.contains(part));
  at(from).assigned.erase(part);
  free_.insert(part);
}

verdict ledger::judge(const seal& what, const interval_set& fold_set) const
{
  const auto& from = at(what.device);
  if (what.incarnation != from.incarnation) return verdict::fenced;
  if (what.counter != fold_set.count() || !from.assigned.contains(fold_set) || committed_.intersects(fold_set)) {
    return verdict::violation;
  }
  return verdict::committed;
}

void ledger::commit(device_id device, const interval_set& fold_set)
{
  at(device).assigned.erase(fold_set);
  committed_.insert(fold_set);
}

verdict ledger::accept(const seal& what, const interval_set& fold_set)
{
  const auto judged = judge(what, fold_set);
  if (judged == verdict::fenced) ++fenced_;
  if (judged == verdict::committed) commit(what.device, fold_set);
  return judged;
}

std::vector<verdict> ledger::accept_merged(std::span<const merged_seal> seals)
{
  std::vector<verdict> verdicts;
  interval_set merged;
  bool all = true;
  for (const auto& s : seals) {
    auto judged = judge(s.what, *s.fold_set);
    if (judged == verdict::fenced) ++fenced_;
    if (judged == verdict::committed && merged.intersects(*s.fold_set)) judged = verdict::violation;  // twice in a value
    merged.insert(*s.fold_set);
    all = all && judged == verdict::committed;
    verdicts.push_back(judged);
  }
  if (all) {
    for (const auto& s : seals) commit(s.what.device, *s.fold_set);
  }
  return verdicts;
}

interval_set ledger::lose(device_id device)
{
  auto& from = at(device);
  ++from.incarnation;
  interval_set freed;
  std::swap(freed, from.assigned);
  free_.insert(freed);
  return freed;
}

}  // namespace fastgpu::inline v0::detail
