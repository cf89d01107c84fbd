#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <ios>
#include <random>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

/// @file
/// Floating-point numbers to test with, compared by their bits.

namespace support {

template <class Float>
using bits_of = std::conditional_t<sizeof(Float) == 4, std::uint32_t, std::uint64_t>;

/// Tells +0 from -0, and takes all NaNs for one.
template <class Float>
testing::AssertionResult same(Float actual, Float expected)
{
  if (std::isnan(actual) && std::isnan(expected)) return testing::AssertionSuccess();
  if (std::bit_cast<bits_of<Float>>(actual) == std::bit_cast<bits_of<Float>>(expected)) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << std::hexfloat << actual << " is not " << expected;
}

/// Finite numbers of all magnitudes alike, subnormals and zeros of both signs among them.
template <class Float>
std::vector<Float> numbers_of_any_size(std::size_t n, std::uint64_t seed)
{
  std::mt19937_64 random{seed};
  std::vector<Float> numbers;
  while (numbers.size() < n) {
    const auto number = std::bit_cast<Float>(static_cast<bits_of<Float>>(random()));
    if (std::isfinite(number)) numbers.push_back(random() % 64 == 0 ? std::copysign(Float{0}, number) : number);
  }
  return numbers;
}

/// Both types, one after the other: a test of one suite cannot be typed.
template <class Test>
void for_float_and_double(Test test)
{
  {
    SCOPED_TRACE("float");
    test(float{});
  }
  {
    SCOPED_TRACE("double");
    test(double{});
  }
}

}  // namespace support
