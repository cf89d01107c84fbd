#pragma once

#include <fastgpu/observe/summary.hpp>

/// @file
/// When the workers of a run were at work: what its terms are made of.

namespace fastgpu::inline v0::detail {

/// Added up over workers. Times are seconds since the run's start.
///
/// @par Threads  Single-threaded.
class worker_times {
 public:
  /// So many workers that are alike: from the first batch's begin to the last one's end, and how long of that they were
  /// in batches, all of them together.
  void add(double workers, double first_s, double last_s, double busy_s) noexcept;
  /// So many workers that had no batch.
  void add_idle(double workers) noexcept { workers_ += workers; }
  /// Workers whose times are since `later_s` after this run's start.
  void add(const worker_times& others, double later_s) noexcept;

  /// Of a run that took so long.
  [[nodiscard]] run_terms terms(double wall_s) const noexcept;

 private:
  double workers_ = 0;
  double began_ = 0;    // of them, those that had a batch; the sums that follow are over these
  double first_s_ = 0;
  double last_s_ = 0;
  double busy_s_ = 0;
  double end_s_ = 0;    // the latest end
};

}  // namespace fastgpu::inline v0::detail
