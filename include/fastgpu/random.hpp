#pragma once

#include <cmath>
#include <cstdint>

#include <fastgpu/config.hpp>

/// @file
/// Random numbers without state: the i-th draw is a function of a seed and i, so any device can make any
/// draw, in any order, and a subtask that runs twice draws the same numbers twice.

namespace fastgpu::inline v0 {

/// Four words: what Philox 4x32 turns (the counter) and what it gives.
struct philox4x32 {
  std::uint32_t word[4] = {};
  friend constexpr bool operator==(const philox4x32&, const philox4x32&) = default;
};

struct philox4x32_key {
  std::uint32_t word[2] = {};
  friend constexpr bool operator==(const philox4x32_key&, const philox4x32_key&) = default;
};

/// Philox 4x32-10: 128 pseudo-random bits for each of 2^128 counters and 2^64 keys. For one key it is a
/// bijection, so distinct counters never give the same four words. Not for cryptography.
///
/// Word 0 is the first of `c0 c1 c2 c3` in the paper and in the vectors published with it.
///
/// @see  J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
///       SC11, doi 10.1145/2063384.2063405.
[[nodiscard]] FASTGPU_HD constexpr philox4x32 philox4x32_10(philox4x32 counter, philox4x32_key key)
{
  constexpr std::uint64_t multiplier_0 = 0xD2511F53;
  constexpr std::uint64_t multiplier_1 = 0xCD9E8D57;
  constexpr std::uint32_t weyl_0 = 0x9E3779B9;  // the golden ratio
  constexpr std::uint32_t weyl_1 = 0xBB67AE85;  // sqrt(3) - 1

  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product_0 = multiplier_0 * counter.word[0];
    const std::uint64_t product_1 = multiplier_1 * counter.word[2];
    counter = {{static_cast<std::uint32_t>(product_1 >> 32) ^ counter.word[1] ^ key.word[0],
                static_cast<std::uint32_t>(product_1),
                static_cast<std::uint32_t>(product_0 >> 32) ^ counter.word[3] ^ key.word[1],
                static_cast<std::uint32_t>(product_0)}};
    key.word[0] += weyl_0;
    key.word[1] += weyl_1;
  }
  return counter;
}

/// Two independent draws, for `const auto [x, y] = uniform2(seed, i);`.
struct random_pair {
  double x = 0;
  double y = 0;
};

namespace detail {

/// Which function a draw is for. The tag is part of the counter, so that `uniform(seed, i)` and
/// `uniform2(seed, i)` have nothing in common though seed and i are the same.
enum class draw_kind : std::uint32_t { uniform = 0, uniform2 = 1, normal2 = 2 };

[[nodiscard]] FASTGPU_HD constexpr philox4x32 draw(std::uint64_t seed, std::uint64_t i, draw_kind kind)
{
  return philox4x32_10(
      {{static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i >> 32), static_cast<std::uint32_t>(kind), 0}},
      {{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}});
}

/// The upper 53 of 64 bits, times 2^-53. Every operation is exact, hence nothing for a compiler to contract.
[[nodiscard]] FASTGPU_HD constexpr double unit_interval(std::uint32_t low, std::uint32_t high)
{
  const std::uint64_t bits = (std::uint64_t{high} << 32) | low;
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace detail

/// The i-th draw from the uniform distribution on [0, 1): a multiple of 2^-53.
///
/// With w = philox4x32_10({i mod 2^32, floor(i / 2^32), 0, 0}, {seed mod 2^32, floor(seed / 2^32)}) it is
/// floor((w[0] + 2^32 w[1]) / 2^11) / 2^53. Integer arithmetic and exact steps only: the same bits on every
/// device and with every compiler option.
///
/// Who needs several draws an item takes draws `k * i + 0 ... k * i + k - 1`, or a seed for each purpose, or
/// `philox4x32_10` with a counter of their own whose word 3, zero here, is not zero.
[[nodiscard]] FASTGPU_HD constexpr double uniform(std::uint64_t seed, std::uint64_t i)
{
  const philox4x32 w = detail::draw(seed, i, detail::draw_kind::uniform);
  return detail::unit_interval(w.word[0], w.word[1]);
}

/// The i-th pair of draws from the uniform distribution on [0, 1), for the price of one.
///
/// As `uniform`, with 1 in place of the counter's word 2: x from w[0] and w[1], y from w[2] and w[3]. The
/// same bits everywhere.
[[nodiscard]] FASTGPU_HD constexpr random_pair uniform2(std::uint64_t seed, std::uint64_t i)
{
  const philox4x32 w = detail::draw(seed, i, detail::draw_kind::uniform2);
  return {detail::unit_interval(w.word[0], w.word[1]), detail::unit_interval(w.word[2], w.word[3])};
}

/// The i-th pair of draws from the normal distribution with mean 0 and variance 1.
///
/// With u and v made as the pair of `uniform2`, but with 2 in place of the counter's word 2:
/// x = r cos(2 pi v), y = r sin(2 pi v), r = sqrt(-2 ln(1 - u)). Neither exceeds 8.6 in magnitude.
///
/// Calls log, sqrt, cos and sin: the last bits are those of the device's mathematical library, so a kernel
/// that uses this is not portable arithmetic, and CPU and GPU agree to some 1e-15 only.
///
/// @see  G. E. P. Box, M. E. Muller, "A note on the generation of random normal deviates", Ann. Math.
///       Statist. 29(2), 1958.
[[nodiscard]] FASTGPU_HD inline random_pair normal2(std::uint64_t seed, std::uint64_t i)
{
  constexpr double two_pi = 6.283185307179586476925;
  const philox4x32 w = detail::draw(seed, i, detail::draw_kind::normal2);
  // 1 - u is exact and in (0, 1]: the logarithm is finite.
  const double radius = std::sqrt(-2.0 * std::log(1.0 - detail::unit_interval(w.word[0], w.word[1])));
  const double angle = two_pi * detail::unit_interval(w.word[2], w.word[3]);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace fastgpu::inline v0
