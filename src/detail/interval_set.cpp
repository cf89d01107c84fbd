#include "detail/interval_set.hpp"

#include <algorithm>

namespace fastgpu::inline v0::detail {

interval_set::iterator interval_set::behind(std::uint32_t at) const noexcept
{
  return std::upper_bound(intervals_.begin(), intervals_.end(), at,
                          [](std::uint32_t position, const interval& i) { return position < i.end; });
}

bool interval_set::try_insert(interval added)
{
  if (added.empty()) return true;
  if (!intervals_.empty() && intervals_.back().end == added.begin) [[likely]] {  // the common case: ascending
    intervals_.back().end = added.end;
    count_ += added.size();
    return true;
  }
  if (intervals_.empty() || intervals_.back().end < added.begin) {
    intervals_.push_back(added);
    count_ += added.size();
    return true;
  }
  if (intersects(added)) return false;
  insert(added);
  return true;
}

void interval_set::insert(interval added)
{
  if (added.empty()) return;
  // [first, last): the intervals that touch `added`, adjacent ones included.
  auto first = std::lower_bound(intervals_.begin(), intervals_.end(), added.begin,
                                [](const interval& i, std::uint32_t position) { return i.end < position; });
  auto last = first;
  auto merged = added;
  while (last != intervals_.end() && last->begin <= added.end) {
    merged.begin = std::min(merged.begin, last->begin);
    merged.end = std::max(merged.end, last->end);
    count_ -= last->size();
    ++last;
  }
  count_ += merged.size();
  if (first == last) {
    intervals_.insert(first, merged);
  } else {
    *first = merged;
    intervals_.erase(first + 1, last);
  }
}

void interval_set::insert(const interval_set& added)
{
  for (const auto& i : added.intervals_) insert(i);
}

void interval_set::erase(interval removed)
{
  if (removed.empty()) return;
  auto at = intervals_.begin() + (behind(removed.begin) - intervals_.cbegin());
  while (at != intervals_.end() && at->begin < removed.end) {
    const interval before{at->begin, std::max(at->begin, removed.begin)};
    const interval after{std::min(at->end, removed.end), at->end};
    count_ -= at->size();
    count_ += std::uint64_t{before.size()} + after.size();
    if (!before.empty() && !after.empty()) {
      *at = before;
      intervals_.insert(at + 1, after);
      return;
    }
    if (before.empty() && after.empty()) {
      at = intervals_.erase(at);
    } else {
      *at = before.empty() ? after : before;
      ++at;
    }
  }
}

void interval_set::erase(const interval_set& removed)
{
  for (const auto& i : removed.intervals_) erase(i);
}

bool interval_set::contains(interval part) const noexcept
{
  if (part.empty()) return true;
  const auto at = behind(part.begin);
  return at != intervals_.end() && at->begin <= part.begin && part.end <= at->end;
}

bool interval_set::contains(const interval_set& part) const noexcept
{
  return std::all_of(part.intervals_.begin(), part.intervals_.end(), [&](const interval& i) { return contains(i); });
}

bool interval_set::intersects(interval other) const noexcept
{
  if (other.empty()) return false;
  const auto at = behind(other.begin);
  return at != intervals_.end() && at->begin < other.end;
}

bool interval_set::intersects(const interval_set& other) const noexcept
{
  return std::any_of(other.intervals_.begin(), other.intervals_.end(),
                     [&](const interval& i) { return intersects(i); });
}

interval_set interval_set::within(interval part) const
{
  interval_set common;
  for (auto at = behind(part.begin); at != intervals_.end() && at->begin < part.end; ++at) {
    const interval both{std::max(at->begin, part.begin), std::min(at->end, part.end)};
    if (!both.empty()) common.insert(both);
  }
  return common;
}

void interval_set::clear() noexcept
{
  intervals_.clear();
  count_ = 0;
}

}  // namespace fastgpu::inline v0::detail
