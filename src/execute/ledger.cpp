#include "execute/ledger.hpp"

#include <utility>

#include <gsl/assert>

namespace fastgpu::inline v0::detail {

ledger::ledger(std::uint32_t subtasks, std::size_t devices)
    : subtasks_{subtasks}, free_{interval{0, subtasks}}, holders_(devices)
{
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

verdict ledger::accept(const seal& what, const interval_set& fold_set)
{
  auto& from = at(what.device);
  if (what.incarnation != from.incarnation) {
    ++fenced_;
    return verdict::fenced;
  }
  if (what.counter != fold_set.count() || !from.assigned.contains(fold_set) || committed_.intersects(fold_set)) {
    return verdict::violation;
  }
  from.assigned.erase(fold_set);
  committed_.insert(fold_set);
  return verdict::committed;
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
