#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "simulation/scenario.hpp"

/// @file
/// One seed, from start to verdict.

namespace simulation {

struct report {
  std::optional<std::string> wrong;  ///< What is wrong with it; "stuck: ..." where it does not end.
  std::array<std::uint64_t, static_cast<std::size_t>(fault_kind::kinds)> faults{};  ///< That happened, by kind.
  double virtual_seconds = 0;
  std::uint64_t events = 0;
  std::uint64_t trace_hash = 0;
  std::uint64_t messages = 0;
  const char* outcome = "";
  fastgpu::detail::coordinator_counters counters;

  [[nodiscard]] std::uint64_t all_faults() const;
};

struct simulate_options {
  bool faults = true;
  bool trace = false;
  bool look = true;  ///< At the ledger now and then, which takes as long as there are subtasks.
};

[[nodiscard]] report simulate(std::uint64_t seed, simulate_options options = {});
[[nodiscard]] report simulate(const scenario& what, simulate_options options);

}  // namespace simulation
