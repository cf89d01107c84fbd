#pragma once

#include <cstdint>
#include <optional>
#include <vector>

/// @file
/// Shape ordered/1, written down as literally as it is defined. What the library computes is held against it.

namespace reference {

/// Merges the elements of one subtask: 256 lanes and a tree for commutative operations, one after the other else.
template <class V, class Op>
V merge_subtask(const Op& op, const std::vector<V>& elements, bool commutative)
{
  if (!commutative) {
    V value = elements.front();
    for (std::size_t i = 1; i < elements.size(); ++i) value = op(value, elements[i]);
    return value;
  }
  std::vector<std::optional<V>> lanes(256);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    auto& lane = lanes[i % 256];
    lane = lane ? op(*lane, elements[i]) : elements[i];
  }
  for (std::size_t step = 128; step >= 1; step /= 2) {
    for (std::size_t l = 0; l < step; ++l) {
      if (lanes[l] && lanes[l + step]) lanes[l] = op(*lanes[l], *lanes[l + step]);
    }
  }
  return *lanes[0];
}

/// Merges the values of all spans in a binary tree over their numbers; who has no sibling goes up as it is.
template <class V, class Op>
V merge_tree(const Op& op, std::vector<V> level)
{
  while (level.size() > 1) {
    std::vector<V> above;
    for (std::size_t i = 0; i < level.size(); i += 2) {
      above.push_back(i + 1 < level.size() ? op(level[i], level[i + 1]) : level[i]);
    }
    level = std::move(above);
  }
  return level.front();
}

/// The whole of a job: elements by subtask, subtasks serially into spans, spans by the tree.
template <class V, class Op>
V merge_ordered(const Op& op, const std::vector<std::vector<V>>& subtasks, std::uint32_t span_log2, bool commutative)
{
  std::vector<V> spans;
  for (std::size_t s = 0; s < subtasks.size(); ++s) {
    const V value = merge_subtask(op, subtasks[s], commutative);
    if (s % (std::size_t{1} << span_log2) == 0) {
      spans.push_back(value);
    } else {
      spans.back() = op(spans.back(), value);
    }
  }
  return merge_tree(op, std::move(spans));
}

}  // namespace reference
