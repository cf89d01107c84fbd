#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <fastgpu/config.hpp>
#include <fastgpu/error.hpp>
#include <fastgpu/ids.hpp>
#include <fastgpu/model/prediction.hpp>

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
  // Of a node; 0 of devices of this process.
  std::uint64_t bytes_sent = 0;      ///< Of this run's payloads (broadcasts, slices) to it, as far as they went.
  std::uint64_t bytes_received = 0;  ///< Of this run's payloads (partials: values, blocks of gather()) from it.
  /// Seconds in which payloads of this run were under way to it, and those in which they were under way from it, added
  /// up; several at once in one direction count once. To it: from when the first piece is handed to the transport, TLS
  /// before it, until the last byte has left this machine's socket, that is, over TCP was sent, over a Unix socket was
  /// read by the node; seen to an eighth, or 0.1 ms. From it: from the announcement's arrival to the last piece's. So what
  /// is in the network after the last byte was sent, about half a round trip, is not in it, and hardly anything of a
  /// payload from it that came in one read, up to 256 KiB.
  double link_s = 0;
};

/// A run's wall-clock time by term, in seconds; they add up to run_summary::wall_s. Means are over all workers of the
/// devices that took part. A run without any batch was starting for all of its time.
///
/// Workers of a node are not seen one by one. They are taken to be alike: at work from when the first news of a subtask
/// that was done came, less what each had been busy until then, but not before the first grant was sent; and until the
/// last such news. So what is on its way counts as `start_s` before, and as `waiting_s` or `imbalance_s` after that; what
/// a node did and did not tell, since it was lost or the run cancelled, is not counted as `execute_s`.
struct run_terms {
  double start_s = 0;      ///< Until workers are at work: mean, over those that had a batch, of when the first began.
  double execute_s = 0;    ///< Mean time in batches, with what batches take beyond their subtasks, failed ones included.
  double waiting_s = 0;    ///< Mean time between them: stealing, closing partials, nothing to take for a while.
  double imbalance_s = 0;  ///< Mean time from a worker's last batch to the last one of all; without any, from the start.
  double aggregate_s = 0;  ///< From then until the outcome.

  /// Those of runs one after the other.
  FASTGPU_API run_terms& operator+=(const run_terms& next) noexcept;
};

/// What a run did and what it took. Times are wall-clock seconds.
struct run_summary {
  outcome_kind outcome = outcome_kind::done;
  failure why;                  ///< Of a failed run.
  double wall_s = 0;            ///< From execute() until the outcome.
  double assign_s = 0;          ///< Making the placement, where execute() made it.
  double aggregate_s = 0;       ///< Merging sealed partials and rounding, a part of wall_s.
  run_terms terms;
  std::optional<prediction> predicted;  ///< With run_options::predict, from before the run.
  std::string not_predicted;    ///< Why there is none, where one was asked for.
  std::uint64_t subtasks = 0;
  std::uint64_t committed = 0;  ///< Of the subtasks; all of them when done.
  std::uint64_t batches = 0;
  std::uint64_t steals = 0;
  std::uint64_t retries = 0;    ///< Batches that failed or were lost and ran again.
  std::uint64_t wasted = 0;     ///< Subtasks of such batches.
  std::uint64_t fenced = 0;     ///< Partials refused because they came too late.
  std::uint64_t seals = 0;      ///< Partials committed;
  std::uint64_t seals_in_groups = 0;  ///< of them, those that GPUs reduced among themselves (NCCL).
  std::uint64_t backups = 0;    ///< Second attempts at what a node was slow with.
  std::uint64_t bytes_sent = 0;      ///< Payloads to nodes,
  std::uint64_t bytes_received = 0;  ///< and from them.
  double link_s = 0;            ///< Of all devices, added up: link-seconds.
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
