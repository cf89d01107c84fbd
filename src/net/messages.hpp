#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <fastgpu/device/device_info.hpp>
#include <fastgpu/error.hpp>
#include <fastgpu/subtask.hpp>

/// @file
/// What a coordinator and a node say to each other about jobs, as plain data. How it is written on a wire is the
/// codec's business, who may say what the dispatch table's.
///
/// Of one session, messages without a payload arrive in the order in which they were sent, and so do those with one;
/// the former may overtake the latter.

namespace fastgpu::inline v0::detail {

/// Which job of a session; numbered by the coordinator, never used twice in a session.
using job_number = std::uint32_t;

/// This coordinator's run of a job: random, so that no message is taken for another run's.
using job_epoch = std::array<std::uint8_t, 16>;

/// SHA-256 of broadcast data: what a node has it need not be sent.
using content_hash = std::array<std::uint8_t, 32>;

struct dimension_description {
  std::int64_t extent = 1;
  std::int64_t tiles = 1;
  std::int64_t size = 1;
  std::int64_t longer = 0;
};

struct argument_description {
  std::uint8_t kind = 0;  ///< An argument_kind.
  std::uint8_t edge = 0;  ///< A border.
  std::int32_t rank = 0;
  std::uint32_t element_bytes = 0;
  std::int64_t extent[3] = {1, 1, 1};
  std::int64_t halo = 0;
  std::vector<std::byte> fill;   ///< Of a border::constant, one element; else empty.
  std::vector<std::byte> value;  ///< Of an argument by value; else empty.
  content_hash content{};        ///< Of a broadcast.
};

/// A job without its data.
struct job_description {
  std::string kernel;     ///< Registered name.
  std::string signature;  ///< The program's types; one name may have several programs.
  std::vector<std::byte> kernel_bytes;
  std::vector<std::byte> operation_bytes;
  std::uint8_t fold = 0;  ///< A fold_kind.
  std::int64_t width = 1;
  std::int32_t rank = 1;
  std::uint32_t subtasks = 0;
  std::uint32_t span_log2 = 0;
  dimension_description dimensions[3];
  std::vector<std::int64_t> bounds;  ///< [subtasks + 1] of a list with costs; else empty.
  std::vector<argument_description> arguments;
};

// Coordinator to node ---------------------------------------------------------------------------------------------

/// How a run is to be carried out, as far as its options concern a node.
struct job_terms {
  requirements need;             ///< Devices that do not meet it take no part.
  std::int32_t priority = 0;
  std::uint8_t batch_kind = 0;   ///< A batching::kind.
  std::uint32_t batch_size = 1;
  double batch_target_s = 0;
  double subtask_timeout_s = 0;  ///< See run_options.
};

struct open_job {
  job_number job = 0;
  job_epoch epoch{};
  job_description what;
  double seal_every_s = 0;       ///< Partials are sealed at this interval; 0: only when dry.
  std::string numeric_class;     ///< Only devices of this class; empty: of any.
  job_terms terms;
};

/// A box of an argument's data, dense and row-major in the payload. For a broadcast, all of it.
struct job_data_piece {
  job_number job = 0;
  std::uint32_t argument = 0;
  std::int64_t begin[3] = {0, 0, 0};
  std::int64_t end[3] = {1, 1, 1};
};

/// Subtasks to run. They wait until `pieces` pieces of the job's data have come.
struct grant_ranges {
  job_number job = 0;
  bool staged = false;  ///< A backup: its value comes as backup_done and is never folded with others.
  std::uint64_t pieces = 0;
  std::vector<interval> ranges;
};

/// Asks for `subtasks` unstarted subtasks back, from behind.
struct take_back {
  job_number job = 0;
  std::uint32_t request = 0;
  std::uint64_t subtasks = 0;
};

/// Asks for a seal. Of `revoked`, what is not folded yet never will be, here.
struct seal_job {
  job_number job = 0;
  std::uint64_t request = 0;  ///< From 1; the reply carries it.
  std::vector<interval> revoked;
};

/// Partial `seal` is committed: the node may drop its copy.
struct acknowledge_seal {
  job_number job = 0;
  std::uint64_t seal = 0;
};

/// The job is over here. Nothing more is said of it, by either side.
struct close_job {
  job_number job = 0;
};

/// Asks the node to take no more work and to leave when it has given back what it has.
struct ask_to_drain {};

/// Asks for describe_node.
struct ask_description {};

// Node to coordinator ---------------------------------------------------------------------------------------------

/// Which devices the node offers; said right after the session has opened, and when it is asked.
struct describe_node {
  std::vector<device_info> devices;
  bool draining = false;
};

struct job_opened {
  job_number job = 0;
  std::uint32_t workers = 1;
  double subtasks_per_second = 0;            ///< Measured at this program before; 0: never.
  std::vector<std::uint32_t> missing;        ///< Broadcast arguments whose content the node has not got.
  std::vector<std::string> numeric_classes;  ///< Of the devices that take part.
};

/// The node cannot run the job.
struct job_refused {
  job_number job = 0;
  failure why;
};

struct taken_back {
  job_number job = 0;
  std::uint32_t request = 0;
  std::vector<interval> ranges;  ///< They will not run here, unless granted again.
};

/// What a node's workers did for a job since it was opened.
struct work_report {
  double busy_s = 0;  ///< In batches, added up over its workers.
  std::uint64_t batches = 0;
  std::uint64_t steals = 0;
  std::uint64_t retries = 0;

  work_report& operator+=(const work_report& more)
  {
    busy_s += more.busy_s;
    batches += more.batches;
    steals += more.steals;
    retries += more.retries;
    return *this;
  }
};

/// A closed partial: merged values and the blocks of gather() arguments, in the payload.
struct job_sealed {
  job_number job = 0;
  std::uint64_t seal = 0;      ///< 1, 2, ... of this job in this session.
  std::uint64_t answers = 0;   ///< The seal_job request that asked for it; 0: none.
  std::uint64_t counter = 0;   ///< Subtasks counted while folding.
  bool dry = false;            ///< Nothing is left to run here.
  std::vector<interval> fold_set;
  std::vector<interval> dropped;  ///< Run here and not folded, or never to be: free again.
  work_report work;
};

/// Value of a backup, in the payload, with fold-set `range`.
struct backup_done {
  job_number job = 0;
  interval range;
};

/// `range` was tried and nothing of it is folded.
struct attempt_failed {
  job_number job = 0;
  interval range;
  bool kernel = false;  ///< By the kernel itself: it would fail again.
  bool staged = false;  ///< It was a backup.
  failure why;
};

/// What the node had of this job is lost, folded or not: a worker process died, or its devices failed. The job is over
/// here under this number; it may be opened again under another, so that nothing late is taken for new.
struct partial_lost {
  job_number job = 0;
  std::vector<interval> in_flight;
  failure why;
};

/// How far the node is; with heartbeats.
struct job_progress {
  job_number job = 0;
  std::uint64_t granted = 0;  ///< Subtasks granted and not given back, as far as the node knows.
  std::uint64_t done = 0;     ///< Subtasks run, ever.
  std::uint64_t unstarted = 0;
};

/// The node leaves: what it has not started comes back, the rest will be sealed.
struct node_drains {};

/// Everything that is said of jobs. The order is part of the protocol: new ones go to the end.
using message =
    std::variant<open_job, job_data_piece, grant_ranges, take_back, seal_job, acknowledge_seal, close_job, ask_to_drain,
                 ask_description, describe_node, job_opened, job_refused, taken_back, job_sealed, backup_done,
                 attempt_failed, partial_lost, job_progress, node_drains>;

/// Bytes that travel with a message. Shared: what is sent to several nodes, or waits for its turn, is there once.
using payload = std::vector<std::byte>;

}  // namespace fastgpu::inline v0::detail
