#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <thread>

#include <fastgpu/fastgpu.hpp>

/// @file
/// Work that waits instead of computing: so that many devices can be had on few cores, each of a known speed.

namespace bench {

enum class cost_shape : std::uint8_t { even, uniform, exponential };

[[nodiscard]] constexpr const char* to_string(cost_shape shape)
{
  return shape == cost_shape::even ? "even" : shape == cost_shape::uniform ? "uniform" : "exponential";
}

/// A subtask of n items takes `(subtask_s + n x item_s x (a factor of its own, 1 on average)) / speed[device]`.
struct sleeper {
  double subtask_s = 0;
  double item_s = 0;
  cost_shape shape = cost_shape::even;
  std::uint64_t seed = 0;
  std::array<float, 8> speed{1, 1, 1, 1, 1, 1, 1, 1};  ///< By the device's number; that of the last for those behind.

  [[nodiscard]] double factor(std::uint32_t subtask) const
  {
    auto x = (seed + subtask) * 0x9e3779b97f4a7c15;
    for (int round = 0; round < 3; ++round) x = (x ^ (x >> 31)) * 0xbf58476d1ce4e5b9;
    const auto u = (static_cast<double>(x >> 11) + 0.5) * 0x1p-53;
    return shape == cost_shape::even ? 1 : shape == cost_shape::uniform ? 0.5 + u : -std::log(u);
  }

  /// What the first `subtasks` of n items each take on a device of speed 1, on average.
  [[nodiscard]] double mean_s(std::uint32_t subtasks, double n) const
  {
    double factors = 0;
    for (std::uint32_t i = 0; i < subtasks; ++i) factors += factor(i);
    return subtask_s + n * item_s * factors / subtasks;
  }

  std::uint64_t operator()(fastgpu::host_context& on, fastgpu::block<1> b) const
  {
    const auto mine = static_cast<double>(speed[std::min<std::size_t>(on.device().value, speed.size() - 1)]);
    const auto s = (subtask_s + static_cast<double>(b.count()) * item_s * factor(b.subtask)) / mine;
    std::this_thread::sleep_for(std::chrono::duration<double>{s});
    return static_cast<std::uint64_t>(b.count());
  }
};

[[nodiscard]] inline auto sleeping_job(std::int64_t items, std::int64_t granule, const sleeper& kernel)
{
  return fastgpu::make_job(fastgpu::space<1>{items, fastgpu::by_size{granule}}, kernel,
                           fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
}

}  // namespace bench
