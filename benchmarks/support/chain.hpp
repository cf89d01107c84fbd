#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

/// @file
/// Work of a known length that no compiler shortens: a chain of dependent multiplications.

namespace bench {

/// Makes the compiler believe that `value` is used. Costs nothing.
template <class T>
inline void keep(const T& value)
{
  asm volatile("" : : "r"(value));
}

/// `links` multiplications, each waiting for the one before. The result depends on `start`.
[[nodiscard]] inline std::uint64_t chain(std::uint64_t start, std::uint64_t links)
{
  auto x = start;
  for (; links > 0; --links) x = x * 6364136223846793005 + 1442695040888963407;
  return x;
}

/// Links that take a microsecond on this machine when it is quiet. Measured once.
[[nodiscard]] inline double links_per_microsecond()
{
  static const double measured = [] {
    constexpr std::uint64_t links = 200'000;
    double best = 1e9;
    for (int i = 0; i < 50; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      keep(chain(static_cast<std::uint64_t>(i), links));
      const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
      best = std::min(best, took.count());
    }
    return static_cast<double>(links) / best;
  }();
  return measured;
}

[[nodiscard]] inline std::uint64_t links_of_microseconds(double microseconds)
{
  return static_cast<std::uint64_t>(std::max(1.0, links_per_microsecond() * microseconds + 0.5));
}

}  // namespace bench
