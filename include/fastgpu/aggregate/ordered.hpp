#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <fastgpu/index.hpp>

/// @file
/// Aggregate stage, mode `ordered`: the shape in which the elements of one subtask merge. It is a contract with a
/// version, ordered/1: whoever evaluates it, in whatever order of time, gets the same bits.
///
/// Commutative operations: element i of the subtask, row-major, goes to lane i mod 256. A lane merges its elements
/// from the first to the last. Then lane l merges with lane l + 128, then l + 64, ... l + 1; absent lanes are skipped.
/// Other operations: the elements merge serially from the first to the last, as one lane would.

namespace fastgpu::inline v0::detail {

inline constexpr const char* ordered_shape_name = "ordered/1";
inline constexpr std::int64_t lane_count = 256;

/// Lanes of one step that the host walks in registers; any number gives the same bits.
template <class V>
inline constexpr std::int64_t lane_group = sizeof(V) <= 4 ? 32 : 16;

/// Values up to this size have their 256 lanes in an array; larger ones are merged by recursion, in 9 values.
inline constexpr std::size_t lane_array_bytes = 64;

template <class V>
struct lane_array {
  alignas(64) std::byte bytes[sizeof(V) * lane_count];
  V* data() { return reinterpret_cast<V*>(bytes); }
};

/// Merges `n` filled lanes, 1 <= n <= 256, into the first.
template <class V, class Op>
void merge_lanes(const Op& op, V* lane, std::int64_t n)
{
  for (std::int64_t step = lane_count / 2; step >= 1; step /= 2) {
    const auto pairs = n - step < step ? n - step : step;
    for (std::int64_t l = 0; l < pairs; ++l) lane[l] = op(lane[l], lane[l + step]);
    if (n > step) n = step;
  }
}

/// One lane group after the other, each in registers: right where elements are computed, not loaded.
/// @param element  V(std::int64_t k): element k of the subtask, 0 <= k < n.
template <class V, class Op, class Element>
V fold_computed(const Op& op, std::int64_t n, const Element& element)
{
  lane_array<V> lanes;
  V* lane = lanes.data();
  constexpr auto group = lane_group<V>;
  const auto rows = n / lane_count;
  if (rows > 0) {
    for (std::int64_t first = 0; first < lane_count; first += group) {
      V value[static_cast<std::size_t>(group)];
      for (std::int64_t j = 0; j < group; ++j) value[j] = element(first + j);
      for (std::int64_t row = 1; row < rows; ++row) {
        const auto at = row * lane_count + first;
        for (std::int64_t j = 0; j < group; ++j) value[j] = op(value[j], element(at + j));
      }
      for (std::int64_t j = 0; j < group; ++j) lane[first + j] = value[j];
    }
  }
  const auto rest = n - rows * lane_count;
  const auto at = rows * lane_count;
  if (rows > 0) {
    for (std::int64_t j = 0; j < rest; ++j) lane[j] = op(lane[j], element(at + j));
  } else {
    for (std::int64_t j = 0; j < rest; ++j) lane[j] = element(j);
  }
  merge_lanes(op, lane, rows > 0 ? lane_count : n);
  return lane[0];
}

/// Row by row through the block, lanes in memory: right where elements are loaded, since each is touched in order.
/// @param element  V(index<N>).
/// @param ahead    void(index<N> at, std::int64_t n): told before the n elements from `at` on are asked for.
template <class V, int N, class Op, class Element, class Ahead>
V fold_streamed(const Op& op, const block<N>& b, const Element& element, const Ahead& ahead)
{
  lane_array<V> lanes;
  V* lane = lanes.data();
  std::int64_t k = 0;
  const auto row = [&](index<N> at) {
    const auto end = b.end[N - 1];
    for (auto x = b.begin[N - 1]; x < end;) {
      const auto first = k % lane_count;
      const auto run = end - x < lane_count - first ? end - x : lane_count - first;
      at[N - 1] = x;
      ahead(at, run);
      if (k < lane_count) {
        for (std::int64_t j = 0; j < run; ++j) {
          at[N - 1] = x + j;
          lane[first + j] = element(at);
        }
      } else {
        for (std::int64_t j = 0; j < run; ++j) {
          at[N - 1] = x + j;
          lane[first + j] = op(lane[first + j], element(at));
        }
      }
      x += run;
      k += run;
    }
  };
  if constexpr (N == 1) {
    row({});
  } else if constexpr (N == 2) {
    for (auto y = b.begin[0]; y < b.end[0]; ++y) row({{y, 0}});
  } else {
    for (auto z = b.begin[0]; z < b.end[0]; ++z) {
      for (auto y = b.begin[1]; y < b.end[1]; ++y) row({{z, y, 0}});
    }
  }
  merge_lanes(op, lane, k < lane_count ? k : lane_count);
  return lane[0];
}

/// Depth first through the merge tree, for values too large for 256 of them on the stack.
/// @param element  V(std::int64_t k): element k of the subtask.
FASTGPU_DETAIL_CALLS_ANYTHING
template <class V, class Op, class Element>
FASTGPU_HD V fold_recursive(const Op& op, std::int64_t n, const Element& element, std::int64_t lane = 0, std::int64_t step = 1)
{
  if (step == lane_count) {
    V value = element(lane);
    for (auto k = lane + lane_count; k < n; k += lane_count) value = op(value, element(k));
    return value;
  }
  V left = fold_recursive<V>(op, n, element, lane, 2 * step);
  if (lane + step < n) left = op(left, fold_recursive<V>(op, n, element, lane + step, 2 * step));
  return left;
}

}  // namespace fastgpu::inline v0::detail
