#pragma once

#include <cstdint>
#include <vector>

#include "execute/coordinator.hpp"
#include "execute/remote_participant.hpp"
#include "node/node_service.hpp"

/// @file
/// What a seed chooses before anything happens: the cluster, the job, odd but allowed behaviour, and the faults.

namespace simulation {

enum class fault_kind : std::uint8_t {
  crash,  ///< The node's process dies and is started again.
  crash_for_good,
  freeze,  ///< The node's process stops, its kernel still acknowledges.
  slow,    ///< Its workers take ten times as long.
  cut,     ///< Nothing gets through.
  cut_to_node,
  cut_to_coordinator,
  reset,        ///< The connection breaks.
  late,         ///< What is said arrives seconds later.
  batch_error,  ///< A device cannot carry out a batch.
  child_loss,   ///< A worker process dies, with all that it had folded.
  drain,
  kinds
};
[[nodiscard]] const char* name_of(fault_kind kind);

struct fault {
  double at = 0;
  fault_kind kind = fault_kind::crash;
  std::uint32_t participant = 0;
  double lasts = 0;
};

/// One that runs subtasks: number 0 may be the program's own process, all others are nodes.
struct participant_plan {
  std::uint32_t workers = 1;
  double subtasks_per_second = 1;  ///< Of each worker.
  bool speed_known = false;
  double latency = 0;  ///< One way.
  double bytes_per_second = 0;
  double starts = 0;  ///< When its process starts.
  bool refuses = false;
};

/// Behaviour that is allowed and rare.
struct oddities {
  bool seal_each_batch = false;
  bool keeps_all = false;       ///< Gives back nothing.
  bool gives_back_odd = false;  ///< More or less than was asked for.
  bool late_news = false;       ///< Owners hear of their executors' news much later.
  bool hears_the_dead = false;  ///< What was sent on a dead session is handed on.
  std::uint32_t batch_spans_max = 64;
  double batch_s_max = 0.5;  ///< A batch is made for no longer than this.
};

struct scenario {
  std::uint64_t seed = 0;
  std::uint32_t subtasks = 1;
  std::uint32_t span = 1;
  std::vector<participant_plan> participants;
  bool local = false;     ///< The first participant is the program itself.
  bool reserved = false;  ///< A placement gives the first half away.
  double seal_every = 0;
  bool broadcast = false;         ///< The job has data that every node needs,
  std::uint32_t slice_bytes = 0;  ///< and data of each subtask.
  double patience = 30;           ///< How long a node may be away before it is given up.
  double back_off_most = 2;
  fastgpu::detail::coordinator_options steering;
  fastgpu::detail::remote_options remote;
  fastgpu::detail::node_service_options node;
  oddities odd;
  std::vector<fault> faults;  ///< In the order of their times.
  double cancel_at = -1;
  std::int64_t failing_kernel = -1;  ///< Subtask whose kernel fails,
  std::int64_t poison = -1;          ///< or takes its worker process with it.

  [[nodiscard]] double expected_time() const;  ///< Of a run without faults.
  [[nodiscard]] double slowest_time() const;   ///< If the slowest did everything.
};

/// @param faults  false: nothing breaks, and nobody is odd.
[[nodiscard]] scenario scenario_of(std::uint64_t seed, bool faults);

}  // namespace simulation
