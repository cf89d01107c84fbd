#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/decompose/space.hpp>
#include <fastgpu/decompose/subtasks.hpp>

#include "support/indices.hpp"

/// @file
/// What the subtasks of a space are held against: the laws that all keep, and their bounds.

namespace support {

/// The first indices of one-dimensional subtasks, and the end.
inline std::vector<std::int64_t> bounds(const fastgpu::subtasks<1>& list)
{
  std::vector<std::int64_t> all;
  for (const auto& b : list) all.push_back(b.begin[0]);
  all.push_back(list.empty() ? 0 : list[list.size() - 1].end[0]);
  return all;
}

/// True if `b` comes next after `a` in row-major order without gap: what runs through an odometer of blocks.
template <int N>
bool follows(const fastgpu::block<N>& a, const fastgpu::block<N>& b, const fastgpu::extents<N>& shape)
{
  int d = N - 1;
  while (d >= 0 && a.end[d] == shape[d]) {
    if (b.begin[d] != 0) return false;
    --d;
  }
  if (d < 0 || b.begin[d] != a.end[d]) return false;
  for (--d; d >= 0; --d) {
    if (b.begin[d] != a.begin[d] || b.end[d] != a.end[d]) return false;
  }
  return true;
}

/// Disjoint, covering and ordered: the first block begins at 0, each is followed by the next, the last ends at the end.
/// Looks at all subtasks, or at some where there are very many.
template <int N>
void check_laws(const fastgpu::space<N>& over, const fastgpu::extents<N>& shape, std::mt19937_64& random)
{
  const auto list = decompose(over);
  const auto n = list.size();
  if (shape.count() == 0) {
    ASSERT_EQ(n, 0u);
    return;
  }
  ASSERT_GT(n, 0u);
  const auto first = list[0];
  const auto last = list[n - 1];
  for (int d = 0; d < N; ++d) {
    ASSERT_EQ(first.begin[d], 0);
    ASSERT_EQ(last.end[d], shape[d]);
  }
  const auto check_one = [&](std::uint32_t i) {
    const auto b = list[i];
    ASSERT_EQ(b.subtask, i);
    for (int d = 0; d < N; ++d) {
      ASSERT_LT(b.begin[d], b.end[d]) << "subtask " << i;
      ASSERT_LE(b.end[d], shape[d]) << "subtask " << i;
    }
    if (i + 1 == n) return;
    ASSERT_TRUE(follows(b, list[i + 1], shape)) << "subtask " << i << " and the next";
  };
  constexpr std::uint32_t looks_max = 2000;
  if (n <= looks_max) {
    for (std::uint32_t i = 0; i < n; ++i) ASSERT_NO_FATAL_FAILURE(check_one(i));
  } else {
    ASSERT_NO_FATAL_FAILURE(check_one(n - 2));
    for (std::uint32_t i = 0; i < looks_max; ++i) {
      ASSERT_NO_FATAL_FAILURE(check_one(static_cast<std::uint32_t>(random() % n)));
    }
  }
  if (shape.count() <= 2000) {  // and once more, element by element
    std::vector<int> seen(static_cast<std::size_t>(shape.count()), 0);
    for (const auto& b : list) {
      for (const auto& at : indices_of(b)) {
        std::int64_t number = 0;
        for (int d = 0; d < N; ++d) number = number * shape[d] + at[d];
        ++seen[static_cast<std::size_t>(number)];
      }
    }
    ASSERT_EQ(seen, std::vector<int>(seen.size(), 1));
  }
}

}  // namespace support
