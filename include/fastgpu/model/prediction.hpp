#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <fastgpu/config.hpp>
#include <fastgpu/seconds.hpp>

/// @file
/// The library's own model of a run: how long it takes on a cluster that need not be there, and what that costs. Other
/// than the published formulas (model/formulas.hpp) it counts wall-clock time.

namespace fastgpu::inline v0 {

/// What is known of a job, by measuring some of it or from its author. Times are those of one worker of speed 1.
struct job_profile {
  std::uint64_t subtasks = 0;
  /// Times of subtasks that stand for all of them, in any order; one where all are alike. Each above 0.
  std::vector<seconds> costs{};
  double input_bytes = 0;      ///< That have to come to a subtask.
  double output_bytes = 0;     ///< That it gives back.
  double broadcast_bytes = 0;  ///< That every node must have before it begins.
  double value_bytes = 0;      ///< Of a partial.
};

/// Devices that are alike.
struct device_model {
  std::string name{};
  std::uint32_t count = 1;      ///< On each node.
  std::uint32_t workers = 1;    ///< Subtasks that one of them runs at a time.
  double speed = 1;             ///< Of a worker, relative to the one that the profile's times are of. Above 0.
  seconds batch{};              ///< What a batch takes beyond its subtasks.
  double bytes_per_second = 0;  ///< Of copies to it and from it; 0: it works where the data are.
  /// Of its memory, as one of its kernels reads it; 0: not known. For readers: predictions go by measured subtasks.
  double memory_bytes_per_second = 0;
};

/// Nodes that are alike.
struct node_model {
  std::string name{};
  std::uint32_t count = 1;
  std::vector<device_model> devices{};
  seconds latency{};                      ///< There and back.
  double bytes_per_second = 0;            ///< Of each one's link; 0: no link, it is the process that starts the run.
  double broadcast_bytes_per_second = 0;  ///< Of what all nodes are sent, hashed on both sides; 0: as the link.
  double price_per_hour = 0;              ///< Of each.
};

/// What a run costs beside its subtasks.
struct run_costs {
  seconds start{};                    ///< From execute() until workers are at work.
  seconds seal{};                     ///< To close a worker's partial and to merge a small value.
  double merge_bytes_per_second = 0;  ///< 0: nothing beyond `seal`.
  seconds steal{};                    ///< For a worker of this process to get work from another.
  seconds batch_target{50e-6};        ///< Small subtasks go together for about so long,
  std::uint32_t batch_subtasks = 0;   ///< or always so many, where this is not 0: batching::fixed().
};

struct cluster_model {
  std::vector<node_model> nodes{};
  run_costs costs{};
  /// Whether placements go by how fast devices are at this job, as from its second run on. Else each worker begins with
  /// one subtask, however slow it is, where there are as many.
  bool speeds_known = true;
  double uplink_bytes_per_second = 0;  ///< Of the starting process's link, for all nodes together; 0: no bound.
};

/// What a run is predicted with, where it is to be: run_options::predict. Speeds come from earlier runs, and where a device
/// has none there is no prediction.
struct predict_options {
  run_costs costs{};
  seconds batch{};                ///< What a batch takes beyond its subtasks, where the measured speeds do not have it.
  seconds latency{};              ///< Of nodes: there and back,
  double bytes_per_second = 3e8;  ///< and of each one's link. Above 0.
};

/// What decides how long a run takes.
enum class run_bound : std::uint8_t { work, longest_subtask, transfer };
[[nodiscard]] FASTGPU_API const char* to_string(run_bound bound) noexcept;

/// Wall-clock time by term, with an interval, and what it costs.
struct prediction {
  seconds wall{};       ///< The sum of the six that follow.
  seconds start{};      ///< Until workers are at work, sessions and broadcasts included.
  seconds execute{};    ///< All subtasks' time over all workers' speed.
  seconds batching{};   ///< What batches take beyond their subtasks.
  seconds transfer{};   ///< What links and copies make it longer, where they are slower than the work.
  seconds imbalance{};  ///< Workers out of work, while others are at their last subtask.
  seconds aggregate{};  ///< Closing, bringing and merging the last partials.

  seconds low{};   ///< Most runs take this long at least,
  seconds high{};  ///< and this long at most: two standard deviations, as far as they are known.

  /// What no schedule can beat: work / speed, the expected longest subtask on the fastest worker, and where all workers
  /// are on nodes, the bytes of both directions / bandwidth.
  seconds lower_bound{};
  run_bound bound = run_bound::work;  ///< Which of them it is.

  seconds device_seconds{};  ///< Of all devices, busy or not, for as long as the run takes.
  seconds busy{};            ///< Of all workers, in subtasks and batches.
  double price = 0;          ///< Of all nodes for as long as the run takes.

  /// Those of runs one after the other; the bound is that of the longer one's.
  FASTGPU_API prediction& operator+=(const prediction& next) noexcept;
};

/// Subtasks are taken as they are with stealing: whoever is free takes the next one. Then what is left at the end is
/// each worker's last subtask, and the run waits for the latest of them: for times that vary, the residual life of
/// renewal theory (D. R. Cox, "Renewal Theory", 1962); for times that do not, whole rounds.
///
/// @par Cost    O((kinds of devices) x (costs)), whatever the number of devices and subtasks.
/// @par Threads Pure: callable from any thread.
/// @throws error  errc::invalid_argument: which number, and what was expected.
[[nodiscard]] FASTGPU_API prediction predict(const job_profile& job, const cluster_model& on);

}  // namespace fastgpu::inline v0
