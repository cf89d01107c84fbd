#pragma once

#include <cstdint>

/// @file
/// Numbers without a pattern, made of numbers that have one, by splitmix64 (Steele, Lea, Flood, OOPSLA 2014).

namespace support {

/// Its finaliser: one to one, and leaves 0 as it is.
constexpr std::uint64_t mix(std::uint64_t x)
{
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// What the generator gives in state `x`.
constexpr std::uint64_t splitmix64(std::uint64_t x) { return mix(x + 0x9e3779b97f4a7c15); }

}  // namespace support
