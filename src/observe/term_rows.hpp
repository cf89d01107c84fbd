#pragma once

#include <array>

#include <fastgpu/observe/summary.hpp>

/// @file
/// A run's terms beside those of its prediction.

namespace fastgpu::inline v0::detail {

struct term_row {
  const char* name;
  double predicted_s;
  double measured_s;
};

/// In the order of a run. What batches take is measured with the subtasks in them, what is on its way as waiting.
[[nodiscard]] inline std::array<term_row, 5> rows_of(const run_terms& measured, const prediction& predicted)
{
  return {{{"start", predicted.start.count, measured.start_s},
           {"execute", predicted.execute.count + predicted.batching.count, measured.execute_s},
           {"waiting", predicted.transfer.count, measured.waiting_s},
           {"imbalance", predicted.imbalance.count, measured.imbalance_s},
           {"aggregate", predicted.aggregate.count, measured.aggregate_s}}};
}

}  // namespace fastgpu::inline v0::detail
