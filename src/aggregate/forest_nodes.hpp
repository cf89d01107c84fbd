#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

/// @file
/// Which nodes of the merge tree a forest has, wherever their values are.

namespace fastgpu::inline v0::detail {

/// Node (level, index) of the tree stands for spans [index << level, (index + 1) << level).
struct forest_node {
  std::uint32_t index;
  std::uint32_t level;
  std::uint32_t slot;  ///< Where its value is.
  [[nodiscard]] std::uint64_t first_span() const noexcept { return std::uint64_t{index} << level; }
  [[nodiscard]] std::uint64_t end_span() const noexcept { return (std::uint64_t{index} + 1) << level; }
};

/// Some nodes of the merge tree over `spans` leaves. Siblings merge as soon as both are next to each other; a node
/// without a right sibling passes its value up unchanged. Whoever has the values is told by `merge(left, right)`, two
/// slots: the left one's value becomes that of both, the right one is free.
///
/// @par Threads  As for a vector.
class forest_nodes {
 public:
  explicit forest_nodes(std::uint32_t spans) : spans_{spans} {}

  /// Adds a node, and merges it as far as it goes.
  template <class Merge>
  void add(const forest_node& node, const Merge& merge)
  {
    nodes_.push_back(node);
    settle(merge);
    compact_if_many(merge);
  }

  /// Adds a node as it is.
  void append(const forest_node& node) { nodes_.push_back(node); }

  template <class Merge>
  void compact_if_many(const Merge& merge)
  {
    if (nodes_.size() < compact_at_) return;
    compact(merge);
    compact_at_ = std::max<std::size_t>(256, 2 * nodes_.size());
  }

  /// Merges whatever siblings there are. Afterwards there are as few nodes as there can be.
  template <class Merge>
  void compact(const Merge& merge)
  {
    if (nodes_.size() < 2) return;
    std::vector<forest_node> sorted = std::move(nodes_);
    std::sort(sorted.begin(), sorted.end(),
              [](const forest_node& a, const forest_node& b) { return a.first_span() < b.first_span(); });
    nodes_.clear();
    nodes_.reserve(sorted.size());
    for (const auto& n : sorted) {
      nodes_.push_back(n);
      settle(merge);
    }
  }

  [[nodiscard]] std::uint32_t spans() const noexcept { return spans_; }
  [[nodiscard]] const std::vector<forest_node>& all() const noexcept { return nodes_; }
  [[nodiscard]] std::vector<forest_node>& all() noexcept { return nodes_; }
  [[nodiscard]] bool is_root(const forest_node& n) const noexcept { return (spans_ - 1) >> n.level == 0; }

 private:
  /// Merges and promotes the last node as far as it goes.
  template <class Merge>
  void settle(const Merge& merge)
  {
    for (;;) {
      auto& last = nodes_.back();
      if (is_root(last)) return;
      if (last.index % 2 == 0) {
        if (last.index != (spans_ - 1) >> last.level) return;  // its right sibling is still to come
        last.index /= 2;                                       // there is none: promoted
        ++last.level;
        continue;
      }
      if (nodes_.size() < 2) return;
      auto& before = nodes_[nodes_.size() - 2];
      if (before.level != last.level || before.index + 1 != last.index) return;
      merge(before.slot, last.slot);
      before.index /= 2;
      ++before.level;
      nodes_.pop_back();
    }
  }

  std::uint32_t spans_;
  std::vector<forest_node> nodes_;
  std::size_t compact_at_ = 256;  // nodes at which add() looks for siblings that are not neighbours
};

}  // namespace fastgpu::inline v0::detail
