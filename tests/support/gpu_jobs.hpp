#pragma once

#include "support/emulated_backend.hpp"  // first: these jobs have entries for GPUs

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/ordered_reference.hpp"
#include "support/splitmix.hpp"

/// @file
/// Jobs for sessions on a GPU of host memory: a sum that tells every order, and an output with room around it.

namespace support {

/// A double over many powers of two, so that every order of additions has its own bits.
inline double rough(std::uint64_t i)
{
  const auto bits = mix(i + 1);
  return std::ldexp(static_cast<double>(static_cast<std::int64_t>(bits) >> 11), static_cast<int>(bits % 61) - 80);
}

inline auto rough_sum(std::int64_t n, std::int64_t granule)
{
  return fastgpu::make_job(fastgpu::space(n, fastgpu::by_size{granule}), [](std::uint64_t i) { return rough(i); },
                           fastgpu::reduced(fastgpu::sum<double>{}));
}

inline double rough_sum_in_order(std::uint64_t n, std::uint64_t granule, std::uint32_t span_log2)
{
  std::vector<std::vector<double>> subtasks((n + granule - 1) / granule);
  for (std::uint64_t i = 0; i < n; ++i) subtasks[i / granule].push_back(rough(i));
  return reference::merge_ordered(fastgpu::sum<double>{}, subtasks, span_log2, true);
}

/// Matrices with a distance between rows, and what they hold where nothing is written.
inline constexpr std::int32_t untouched = -7;
inline constexpr std::int64_t rows = 12;
inline constexpr std::int64_t columns = 10;
inline constexpr std::int64_t pitch = 16;

inline fastgpu::data_view<std::int32_t, 2> matrix_in(std::vector<std::int32_t>& memory, fastgpu::memory where = {})
{
  return {memory.data(), fastgpu::extents{rows, columns}, fastgpu::index<2>{{pitch, 1}}, where};
}

/// Numbers its elements into `out`. Tiles of 3 x 4: four rows of three.
inline auto numbering(fastgpu::data_view<std::int32_t, 2> out)
{
  return fastgpu::make_job(
      fastgpu::space(fastgpu::extents{rows, columns}, fastgpu::by_size{3, 4}),
      [](fastgpu::index<2> at, fastgpu::out2<std::int32_t> to) { to(at) = static_cast<std::int32_t>(at[0] * 100 + at[1]); },
      fastgpu::gather(out));
}

/// What is in memory when exactly the subtasks of `done` have run.
inline std::vector<std::int32_t> numbered(const std::vector<fastgpu::interval>& done)
{
  std::vector<std::int32_t> memory(rows * pitch, untouched);
  for (const auto& batch : done) {
    for (auto s = batch.begin; s < batch.end; ++s) {
      for (std::int64_t y = s / 3 * 3; y < s / 3 * 3 + 3; ++y) {
        for (std::int64_t x = s % 3 * 4; x < std::min<std::int64_t>(s % 3 * 4 + 4, columns); ++x) {
          memory[static_cast<std::size_t>(y * pitch + x)] = static_cast<std::int32_t>(y * 100 + x);
        }
      }
    }
  }
  return memory;
}

inline constexpr fastgpu::memory all_kinds[] = {{fastgpu::memory_kind::host},
                                                {fastgpu::memory_kind::pinned},
                                                {fastgpu::memory_kind::device, 0},
                                                {fastgpu::memory_kind::device, 1}};

}  // namespace support
