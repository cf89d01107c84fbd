#pragma once

#include <cstdint>

#include <fastgpu/config.hpp>

/// @file
/// The random numbers of the NAS parallel benchmarks.

namespace fastgpu::inline v0 {

/// The linear congruential generator of the NAS parallel benchmarks: x' = 5^13 x mod 2^46, u = x / 2^46.
///
/// For an odd seed x runs through 2^44 values before it repeats. Integer arithmetic and one exact scaling:
/// the same bits on every device. Jumping ahead costs O(log n), so a subtask makes its own generator:
/// `auto random = nas_random::at(seed, 2 * first_pair);`.
///
/// Kept for the benchmarks' published answers; for work of one's own `uniform` (random.hpp) is better: the
/// low bits of this generator are far from random.
///
/// @par Threads  A value: one for each thread.
/// @see          D. Bailey et al., "The NAS parallel benchmarks", RNR-94-007, section 2.3.
class nas_random {
 public:
  static constexpr std::uint64_t multiplier = 1220703125;   ///< 5^13
  static constexpr std::uint64_t default_seed = 271828183;  ///< The one that the benchmarks' answers belong to.

  /// Starts before the first number: the seed itself is never given.
  ///
  /// @param seed  Odd for the full period. Bits from 2^46 up are ignored.
  FASTGPU_HD constexpr explicit nas_random(std::uint64_t seed = default_seed) : state_{seed & mask} {}

  /// The generator of `seed` from which n numbers were taken.
  [[nodiscard]] FASTGPU_HD static constexpr nas_random at(std::uint64_t seed, std::uint64_t n)
  {
    nas_random random{seed};
    random.discard(n);
    return random;
  }

  /// The next number, in (0, 1) for an odd seed: a multiple of 2^-46.
  FASTGPU_HD constexpr double next()
  {
    state_ = (multiplier * state_) & mask;
    return static_cast<double>(state_) * 0x1p-46;
  }

  /// As n calls of next(), in O(log n).
  FASTGPU_HD constexpr void discard(std::uint64_t n)
  {
    // 2^46 divides 2^64: products may wrap, the 46 bits that count are right.
    std::uint64_t power = multiplier;
    for (; n != 0; n >>= 1) {
      if ((n & 1) != 0) state_ *= power;
      power *= power;
    }
    state_ &= mask;
  }

  /// The x of the last number given, or the seed.
  [[nodiscard]] FASTGPU_HD constexpr std::uint64_t state() const { return state_; }

  friend constexpr bool operator==(const nas_random&, const nas_random&) = default;

 private:
  static constexpr std::uint64_t mask = (std::uint64_t{1} << 46) - 1;

  std::uint64_t state_;
};

}  // namespace fastgpu::inline v0
