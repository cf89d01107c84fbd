#pragma once

#include <cstddef>
#include <cstdint>

#include "support/splitmix.hpp"

/// @file
/// Values that remember how they were merged.

namespace support {

/// What a value was merged from, in which grouping and order: any other tree of merges has another mark. Padded to
/// `Bytes`.
template <std::size_t Bytes = 8>
struct fingerprint {
  std::uint64_t mark = 0;
  std::uint64_t padding[(Bytes - 8) / 8] = {};
  friend bool operator==(const fingerprint&, const fingerprint&) = default;
};
template <>
struct fingerprint<8> {
  std::uint64_t mark = 0;
  friend bool operator==(const fingerprint&, const fingerprint&) = default;
};

template <std::size_t Bytes = 8>
constexpr fingerprint<Bytes> mark_of(std::uint64_t element)
{
  fingerprint<Bytes> value;
  value.mark = splitmix64(element);
  return value;
}

/// Neither associative nor commutative, so that a shape that differs shows. `Commutative` is what it claims.
template <std::size_t Bytes = 8, bool Commutative = true>
struct trace_merges {
  using value_type = fingerprint<Bytes>;
  static constexpr bool commutative = Commutative;
  static constexpr const char* name = "trace_merges";
  constexpr value_type operator()(const value_type& left, const value_type& right) const
  {
    value_type merged;
    merged.mark = splitmix64(left.mark * 3 + splitmix64(right.mark));
    return merged;
  }
};

}  // namespace support
