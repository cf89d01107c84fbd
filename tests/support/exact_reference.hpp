#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

/// @file
/// Exact sums, computed otherwise than the library does.

namespace support {

/// The exponent of the smallest subnormal: every finite number is a multiple of 2^lowest.
template <class Float>
inline constexpr int lowest = std::numeric_limits<Float>::min_exponent - std::numeric_limits<Float>::digits;

/// The exact sum by another method: counts, for each power of two, how often it occurs in the summands, less
/// how often in negative ones; carries and rounds in the end. Finite numbers only.
template <class Float>
class bit_counts {
 public:
  void add(Float value)
  {
    int exponent = 0;
    const auto fraction = std::frexp(std::abs(value), &exponent);
    auto significand = static_cast<std::uint64_t>(std::ldexp(fraction, digits));
    auto position = exponent - digits - lowest<Float>;
    for (; significand != 0; significand >>= 1, ++position) {
      if ((significand & 1) != 0) counts_[static_cast<std::size_t>(position)] += std::signbit(value) ? -1 : 1;
    }
  }

  Float value() const
  {
    auto bits = counts_;
    if (carry(bits) < 0) {
      std::transform(counts_.begin(), counts_.end(), bits.begin(), [](auto count) { return -count; });
      carry(bits);
      return -round(bits);
    }
    return round(bits);
  }

 private:
  static constexpr int digits = std::numeric_limits<Float>::digits;
  using counts = std::array<std::int64_t, std::numeric_limits<Float>::max_exponent - lowest<Float> + 64>;

  /// Leaves zeros and ones, and returns what does not fit in: -1 if the whole is negative.
  static std::int64_t carry(counts& bits)
  {
    std::int64_t carry = 0;
    for (auto& bit : bits) {
      const auto whole = bit + carry;
      bit = whole & 1;
      carry = (whole - bit) / 2;
    }
    return carry;
  }

  static Float round(const counts& bits)
  {
    auto end = bits.size();
    while (end > 0 && bits[end - 1] == 0) --end;
    const auto begin = end > digits ? end - digits : 0;
    std::uint64_t kept = 0;
    for (auto i = end; i > begin; --i) kept = 2 * kept + static_cast<std::uint64_t>(bits[i - 1]);
    if (begin > 0 && bits[begin - 1] == 1) {
      const auto more = std::count(bits.begin(), bits.begin() + static_cast<std::ptrdiff_t>(begin) - 1, 1) > 0;
      if (more || kept % 2 == 1) ++kept;
    }
    return std::ldexp(static_cast<Float>(kept), static_cast<int>(begin) + lowest<Float>);
  }

  counts counts_{};
};

}  // namespace support
