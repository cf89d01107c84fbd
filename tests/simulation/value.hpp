#pragma once

#include <cstdint>
#include <vector>

#include "detail/interval_set.hpp"
#include "net/messages.hpp"

/// @file
/// What the simulated job computes: sums from which neither a lost nor a doubled subtask can hide.

namespace simulation {

using fastgpu::interval;
using fastgpu::detail::interval_set;
using fastgpu::detail::payload;

/// Over a set of subtasks.
struct value {
  std::uint64_t sum = 0;     ///< Of their mixed numbers, mod 2^64.
  std::uint64_t parity = 0;  ///< Exclusive or of these.
  std::uint64_t count = 0;

  value& operator+=(const value& other);
  friend bool operator==(const value&, const value&) = default;
};

/// Values of all intervals of a job, looked up rather than computed.
class reference {
 public:
  explicit reference(std::uint32_t subtasks);

  [[nodiscard]] value of(interval range) const;
  [[nodiscard]] value of(const interval_set& set) const;
  [[nodiscard]] value of_all() const { return of(interval{0, static_cast<std::uint32_t>(sums_.size() - 1)}); }

 private:
  std::vector<std::uint64_t> sums_;      // [subtasks + 1], of all before
  std::vector<std::uint64_t> parities_;  // likewise
};

/// From where a value comes; for the checker, who believes nobody.
struct origin {
  std::uint32_t device = 0;
  std::uint32_t session = 0;
  std::uint32_t job = 0;
  friend bool operator==(const origin&, const origin&) = default;
};

struct stamped_value {
  value what;
  origin from;
};

[[nodiscard]] payload pack(const stamped_value& v, std::size_t bytes_more);
/// @pre  pack() has made it.
[[nodiscard]] stamped_value unpack(const payload& bytes);

}  // namespace simulation
