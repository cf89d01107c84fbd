#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <fastgpu/config.hpp>
#include <fastgpu/error.hpp>
#include <fastgpu/ids.hpp>

/// @file
/// What a run did: one summary per run, as data, text and JSON.

namespace fastgpu::inline v0 {

/// How a run ended. Cancelling and deadlines are outcomes, not errors.
enum class outcome_kind : std::uint8_t { done, failed, cancelled, deadline };

/// How values merge; DESIGN: aggregate. In every result.
enum class reduction : std::uint8_t {
  ordered,  ///< Same bits for a job and its granule, whatever the devices. The default.
  exact,    ///< The correctly rounded sum: same bits also for any granule.
  fast,     ///< Bits may differ from run to run.
};

[[nodiscard]] FASTGPU_API const char* to_string(outcome_kind kind) noexcept;
[[nodiscard]] FASTGPU_API const char* to_string(reduction mode) noexcept;

/// What one device did in a run.
struct device_summary {
  device_id id{};              ///< Of a device of this process; nodes, each as a whole, are counted on from there.
  std::string name;
  std::uint64_t subtasks = 0;  ///< Committed from this device.
  double share = 0;            ///< Of the run's subtasks, 0 to 1.
  std::uint64_t batches = 0;
  std::uint64_t steals = 0;    ///< Ranges that its workers took from others, in the device or out of it.
  std::uint64_t retries = 0;   ///< Batches that failed here and ran again elsewhere.
  double busy_s = 0;           ///< Seconds that its workers spent in batches, added up.
  double finished_s = 0;       ///< Seconds from the start until its last batch was done.
  bool lost = false;           ///< Gone before the run was over.
};

/// What a run did and what it took. Times are wall-clock seconds.
struct run_summary {
  outcome_kind outcome = outcome_kind::done;
  failure why;                  ///< Of a failed run.
  double wall_s = 0;            ///< From execute() until the outcome.
  double assign_s = 0;          ///< Making the placement, where execute() made it.
  double aggregate_s = 0;       ///< Merging sealed partials and rounding, a part of wall_s.
  std::uint64_t subtasks = 0;
  std::uint64_t committed = 0;  ///< Of the subtasks; all of them when done.
  std::uint64_t batches = 0;
  std::uint64_t steals = 0;
  std::uint64_t retries = 0;    ///< Batches that failed or were lost and ran again.
  std::uint64_t wasted = 0;     ///< Subtasks of such batches.
  std::uint64_t fenced = 0;     ///< Partials refused because they came too late.
  std::uint64_t seals = 0;      ///< Partials committed.
  std::uint64_t backups = 0;    ///< Second attempts at what a node was slow with.
  std::string reduction;        ///< "ordered", "exact", "fast", or "none".
  std::string shape;            ///< Shape of an ordered merge, "ordered/1"; "order-free" where none is needed.
  std::string policy;           ///< Who made the placement.
  /// Of the subtasks, 0 to 1, those whose first device was chosen by a measured speed: of earlier runs, or of the
  /// cluster's history.
  double measured_share = 0;
  std::string numeric_class;    ///< Of the devices used.
  std::vector<device_summary> devices;
};

/// A table for people, several lines, the last one ended.
[[nodiscard]] FASTGPU_API std::string to_text(const run_summary& summary);

/// One JSON object, without a line's end.
[[nodiscard]] FASTGPU_API std::string to_json(const run_summary& summary);

}  // namespace fastgpu::inline v0
