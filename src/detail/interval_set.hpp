#pragma once

#include <cstdint>
#include <vector>

#include <fastgpu/subtask.hpp>

/// @file
/// Sets of subtasks as disjoint intervals: fold-sets, and what the ledger knows.

namespace fastgpu::inline v0::detail {

/// A set of subtasks. Intervals are disjoint, ascending and not adjacent.
///
/// @par Cost     Appending at the end O(1); elsewhere O(log n + intervals moved).
/// @par Threads  As for a vector.
class interval_set {
 public:
  interval_set() = default;
  explicit interval_set(interval whole) { insert(whole); }

  /// Adds `added`. @return false, and no change, where a part of it is in the set already.
  [[nodiscard]] bool try_insert(interval added);

  /// Adds `added`, parts of which may be in the set.
  void insert(interval added);
  void insert(const interval_set& added);

  /// Takes `removed` out, parts of which may be absent.
  void erase(interval removed);
  void erase(const interval_set& removed);

  [[nodiscard]] bool contains(interval part) const noexcept;
  [[nodiscard]] bool contains(const interval_set& part) const noexcept;
  [[nodiscard]] bool intersects(interval other) const noexcept;
  [[nodiscard]] bool intersects(const interval_set& other) const noexcept;

  /// What of `part` is in the set.
  [[nodiscard]] interval_set within(interval part) const;

  /// Number of subtasks.
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] const std::vector<interval>& intervals() const noexcept { return intervals_; }
  void clear() noexcept;

  friend bool operator==(const interval_set&, const interval_set&) = default;

 private:
  using iterator = std::vector<interval>::const_iterator;
  /// First interval that ends behind `at`.
  [[nodiscard]] iterator behind(std::uint32_t at) const noexcept;

  std::vector<interval> intervals_;
  std::uint64_t count_ = 0;
};

}  // namespace fastgpu::inline v0::detail
