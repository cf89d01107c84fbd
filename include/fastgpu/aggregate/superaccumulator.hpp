#pragma once

#include <cstddef>
#include <cstdint>

#include <fastgpu/config.hpp>

/// @file
/// Aggregate stage, mode `exact`: sums of floating-point numbers that are rounded once, at the end.

namespace fastgpu::inline v0 {

namespace detail {

/// The storage formats of IEEE 754 that a superaccumulator knows; no other type has a definition.
template <class Float>
struct binary_format;
template <>
struct binary_format<float> {
  using bits = std::uint32_t;
  static constexpr int significand_bits = 24;  // with the bit that is not stored
};
template <>
struct binary_format<double> {
  using bits = std::uint64_t;
  static constexpr int significand_bits = 53;
};

}  // namespace detail

/// A sum of floats or doubles that loses nothing: a fixed-point number as wide as the whole range of the
/// type. The result depends neither on the order of the summands nor on how they were split up.
///
/// The sum is held in digits of 32 bits, digit i counting units of 2^(32 i) times the smallest subnormal;
/// each lies in an int64 limb, so that an addition carries nothing. Three more limbs count the NaNs, +inf
/// and -inf that were added. There is no other state: to merge two accumulators is to add their limbs one
/// by one as int64, which a collective that knows only integers can do as well. That takes 70 limbs, 560
/// bytes, for double and 13 limbs, 104 bytes, for float. All work is on integers: neither the rounding
/// mode nor compiler flags such as -ffast-math change a result.
///
/// Bounds: carries have to be resolved before a limb overflows, and nothing checks that, because the limbs
/// have no room for a count. The caller counts what went in since normalize() was last called:
///
/// | what                                                       | counts as               |
/// |------------------------------------------------------------|-------------------------|
/// | add(value)                                                 | 1                       |
/// | add(other), or int64 addition of its limbs: normalised     | 1                       |
/// | the same, where `other` was not normalised                 | 1 + its own count       |
/// | add(values, n)                                             | back to 0, whatever `n` |
///
/// and calls normalize() before the count passes `adds_before_normalize`. So 2^30 normalised accumulators may
/// be merged without a thought, and a program that only uses add(values, n) and merges need not count. Over
/// its life a sum may have 2^63 summands.
///
/// @par Threads  As for int: one thread writes, or any number read.
/// @par GPU      In kernels as on the host, with the same bits. A `__shared__` variable starts with any content,
///               whatever its constructor says: assign `{}` to it first.
/// @see          U. W. Kulisch, "Computer Arithmetic and Validity", 2nd ed., 2013, for the long fixed-point
///               accumulator. R. M. Neal, "Fast exact summation using small and large superaccumulators",
///               arXiv:1505.05571, 2015, for the small one, with overlapping limbs and late carries.
template <class Float>
class superaccumulator {
  using format = detail::binary_format<Float>;
  using bits_type = typename format::bits;

  static constexpr int significand_bits = format::significand_bits;
  static constexpr int width_bits = static_cast<int>(sizeof(Float) * 8);
  static constexpr int exponent_special = (1 << (width_bits - significand_bits)) - 1;  // of inf and NaN
  static constexpr int range_bits = exponent_special - 2 + significand_bits;  // of the largest, in units of the least
  static constexpr int digit_bits = 32;
  static constexpr std::int64_t digit_mask = 0xffffffff;

  // One digit more than the range needs: it is the only one with a sign, and keeps what is beyond the range.
  static constexpr int digit_count = (range_bits + digit_bits - 1) / digit_bits + 1;
  static constexpr int top = digit_count - 1;
  static constexpr int nan_limb = digit_count;
  static constexpr int plus_inf_limb = digit_count + 1;
  static constexpr int minus_inf_limb = digit_count + 2;

  // add_unsplit() moves a limb by 2^(significand_bits - 1) at most: this many times stay clear of overflow.
  static constexpr std::size_t unsplit_adds_max = std::size_t{1} << (62 - (significand_bits - 1));

 public:
  /// Limbs at data().
  static constexpr std::size_t limb_count = digit_count + 3;

  /// What may be counted, as said above, between two calls to normalize(). An addition moves a limb by less
  /// than 2^32, so this fills half of the int64: the other half forgives a count that is off by a few.
  static constexpr std::int64_t adds_before_normalize = std::int64_t{1} << 30;

  /// Adds `value`, exactly.
  ///
  /// @pre  adds_before_normalize is kept.
  FASTGPU_HD constexpr void add(Float value) { add(value, plainly{}); }

  /// The same by `to(limb, summand)` for each limb that changes: several threads may add at a time where that is atomic.
  template <class AddTo>
  FASTGPU_HD constexpr void add(Float value, const AddTo& to)
  {
    const auto bits = bits_of(value);
    if (exponent_of(bits) == exponent_special) [[unlikely]] {
      to(limbs_[limb_of_special(bits)], 1);
      return;
    }
    const auto s = split(bits);
    to(limbs_[s.digit], s.low);
    if constexpr (significand_bits > digit_bits) {
      to(limbs_[s.digit + 1], s.high & digit_mask);
      to(limbs_[s.digit + 2], s.high >> digit_bits);  // keeps the sign
    } else {
      to(limbs_[s.digit + 1], s.high);
    }
  }

  /// Adds `values[0]`, ..., `values[n - 1]`: the same sum as adding them one by one, in less time. Leaves the
  /// accumulator normalised.
  ///
  /// @pre       adds_before_normalize was kept until here; `n` does not matter.
  /// @par Cost  One pass, and some limb_count operations before and after each 1024 doubles: a handful of
  ///            values is quicker with add(value). Keeps a second accumulator on the stack.
  FASTGPU_HD constexpr void add(const Float* values, std::size_t n)
  {
    normalize();
    while (n > 0) {
      const auto batch = n < unsplit_adds_max ? n : unsplit_adds_max;
      // Numbers of about the same size meet in the same limbs, each waiting for the store before it: every
      // other one goes to another accumulator, and the waits overlap.
      superaccumulator odd;
      std::size_t i = 0;
      for (; i + 1 < batch; i += 2) {
        add_unsplit(values[i]);
        odd.add_unsplit(values[i + 1]);
      }
      if (i < batch) add_unsplit(values[i]);
      add(odd);
      normalize();
      values += batch;
      n -= batch;
    }
  }

  /// Merges: adds the sum of `other`, exactly. `other` may be this one.
  ///
  /// @pre  adds_before_normalize is kept, `other` counting as said above.
  FASTGPU_HD constexpr void add(const superaccumulator& other)
  {
    for (std::size_t i = 0; i < limb_count; ++i) bump(static_cast<int>(i), other.limbs_[i]);
  }

  /// Resolves the carries; the sum stays the same. Afterwards equal sums of finite numbers have equal limbs,
  /// all digits being in [0, 2^32) except for the topmost, which has the sign.
  FASTGPU_HD constexpr void normalize()
  {
    std::int64_t carry = 0;
    FASTGPU_DETAIL_NO_UNROLL
    for (int i = 0; i < top; ++i) {
      const auto digit = (limbs_[i] & digit_mask) + carry;  // taken apart first: even a full limb cannot overflow
      carry = (limbs_[i] >> digit_bits) + (digit >> digit_bits);
      limbs_[i] = digit & digit_mask;
    }
    bump(top, carry);
  }

  /// The sum, correctly rounded: to nearest, ties to even, subnormal results included.
  ///
  /// Infinite where the exact sum rounds to that, or infinities of one sign were added; sums on the way
  /// may leave the range and come back. NaN if a NaN or infinities of both signs were added; always the
  /// same one, quiet and positive. An exact zero is +0, also where nothing or nothing but -0 was added:
  /// the digits know no sign of zero.
  [[nodiscard]] FASTGPU_HD constexpr Float value() const
  {
    const auto plus_inf = limbs_[plus_inf_limb] != 0;
    const auto minus_inf = limbs_[minus_inf_limb] != 0;
    if (limbs_[nan_limb] != 0 || (plus_inf && minus_inf)) return assemble(false, inf_bits | hidden_bit >> 1);
    if (plus_inf || minus_inf) return assemble(minus_inf, inf_bits);

    auto magnitude = *this;
    magnitude.normalize();
    const auto negative = magnitude.limbs_[top] < 0;
    if (negative) magnitude.negate();
    return assemble(negative, magnitude.rounded());
  }

  /// The limbs, for those who move or merge accumulators without this class: `limb_count` of them, digits
  /// first. Any content is safe to normalize and to evaluate, if meaningless.
  [[nodiscard]] FASTGPU_HD constexpr std::int64_t* data() { return limbs_; }
  [[nodiscard]] FASTGPU_HD constexpr const std::int64_t* data() const { return limbs_; }

 private:
  static constexpr std::uint64_t hidden_bit = std::uint64_t{1} << (significand_bits - 1);
  static constexpr std::uint64_t inf_bits = std::uint64_t{exponent_special} << (significand_bits - 1);

  /// A finite number as low * 2^(32 digit) + high * 2^(32 (digit + 1)).
  struct two_digits {
    int digit;
    std::int64_t low;   // in [0, 2^32)
    std::int64_t high;  // with the sign; |high| <= 2^(significand_bits - 1)
  };

  FASTGPU_HD static constexpr std::uint64_t bits_of(Float value) { return __builtin_bit_cast(bits_type, value); }

  FASTGPU_HD static constexpr int exponent_of(std::uint64_t bits)
  {
    return static_cast<int>(bits >> (significand_bits - 1)) & exponent_special;
  }

  FASTGPU_HD static constexpr two_digits split(std::uint64_t bits)
  {
    // A subnormal has no hidden bit, and otherwise the exponent of the smallest normal numbers. Written
    // without a branch, as is the negation.
    const auto exponent = static_cast<unsigned>(exponent_of(bits));
    const auto normal = exponent != 0 ? 1u : 0u;
    const auto magnitude = static_cast<std::int64_t>((bits & (hidden_bit - 1)) | hidden_bit * normal);
    const auto sign = -static_cast<std::int64_t>(bits >> (width_bits - 1));  // 0 or -1
    const auto significand = (magnitude ^ sign) - sign;
    const auto position = exponent - normal;  // of the significand's last bit
    const auto shift = static_cast<int>(position % digit_bits);
    return {static_cast<int>(position / digit_bits),
            static_cast<std::int64_t>(static_cast<std::uint64_t>(significand) << shift) & digit_mask,
            significand >> (digit_bits - shift)};
  }

  /// As add(value), but leaves the upper part in one limb: quicker, and at most unsplit_adds_max times.
  FASTGPU_HD constexpr void add_unsplit(Float value)
  {
    const auto bits = bits_of(value);
    if (exponent_of(bits) == exponent_special) [[unlikely]] {
      bump(limb_of_special(bits), 1);
      return;
    }
    const auto s = split(bits);
    bump(s.digit, s.low);
    bump(s.digit + 1, s.high);
  }

  FASTGPU_HD static constexpr int limb_of_special(std::uint64_t special)
  {
    if ((special & (hidden_bit - 1)) != 0) return nan_limb;
    return special == inf_bits ? plus_inf_limb : minus_inf_limb;
  }

  // Wraps around instead of being undefined: limbs may have come from outside.
  struct plainly {
    FASTGPU_HD constexpr void operator()(std::int64_t& limb, std::int64_t by) const
    {
      limb = static_cast<std::int64_t>(static_cast<std::uint64_t>(limb) + static_cast<std::uint64_t>(by));
    }
  };
  FASTGPU_HD constexpr void bump(int limb, std::int64_t by) { plainly{}(limbs_[limb], by); }

  FASTGPU_HD constexpr void negate()
  {
    for (int i = 0; i < digit_count; ++i) {
      limbs_[i] = static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(limbs_[i]));
    }
    normalize();
  }

  /// The sum as the bits of a Float. Must be normalised and not negative.
  FASTGPU_HD constexpr std::uint64_t rounded() const
  {
    auto first = top;  // the first digit from above that is not 0
    while (first > 0 && limbs_[first] == 0) --first;
    if (first == top) return inf_bits;  // beyond the range
    auto length = first * digit_bits;   // of the sum, in bits
    for (auto digit = limbs_[first]; digit != 0; digit >>= 1) ++length;

    // The result keeps significand_bits from bit `last` on; fewer if it is subnormal, where `last` is 0.
    const auto last = length > significand_bits ? length - significand_bits : 0;
    if (last + 1 >= exponent_special) return inf_bits;
    auto kept = bits_from(last) & (2 * hidden_bit - 1);
    if (last > 0 && bit(last - 1)) {
      const auto tie = !any_bit_below(last - 1);
      kept += tie ? kept & 1 : 1;
    }
    // A normal number has exponent last + 1, of which the hidden bit in `kept` brings the 1; should rounding
    // have carried into the next power of two, or from the subnormals to the normals, or to infinity, the
    // same addition gives that.
    return (static_cast<std::uint64_t>(last) << (significand_bits - 1)) + kept;
  }

  /// The 64 bits from `position` on.
  FASTGPU_HD constexpr std::uint64_t bits_from(int position) const
  {
    const auto* digits = limbs_ + position / digit_bits;
    const auto shift = position % digit_bits;
    const auto lower = static_cast<std::uint64_t>(digits[0]) | static_cast<std::uint64_t>(digits[1]) << digit_bits;
    return lower >> shift | static_cast<std::uint64_t>(digits[2]) << (63 - shift) << 1;  // the shift may be 0
  }

  FASTGPU_HD constexpr bool bit(int position) const
  {
    return (limbs_[position / digit_bits] >> (position % digit_bits) & 1) != 0;
  }

  FASTGPU_HD constexpr bool any_bit_below(int position) const
  {
    const auto whole = position / digit_bits;
    for (int i = 0; i < whole; ++i) {
      if (limbs_[i] != 0) return true;
    }
    return (limbs_[whole] & ((std::int64_t{1} << position % digit_bits) - 1)) != 0;
  }

  FASTGPU_HD static constexpr Float assemble(bool negative, std::uint64_t magnitude)
  {
    const auto sign = static_cast<std::uint64_t>(negative) << (width_bits - 1);
    return __builtin_bit_cast(Float, static_cast<bits_type>(sign | magnitude));
  }

  std::int64_t limbs_[limb_count] = {};
};

}  // namespace fastgpu::inline v0
