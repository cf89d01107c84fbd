#pragma once

#include <cstdint>

/// @file
/// Counts allocations: this program's operator new is its own.

namespace bench {

/// Counts the calls of operator new, on any thread, from its making on.
class allocation_counter {
 public:
  allocation_counter();
  [[nodiscard]] std::uint64_t count() const;

 private:
  std::uint64_t before_;
};

}  // namespace bench
