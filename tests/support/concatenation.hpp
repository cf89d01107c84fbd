#pragma once

/// @file
/// An operation that says nothing of itself.

namespace support {

/// Writes the digit `right` behind the number `left`: not commutative, without identity.
struct concatenation {
  int operator()(int left, int right) const { return left * 10 + right; }
};

}  // namespace support
