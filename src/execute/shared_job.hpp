#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <fastgpu/execute/execute.hpp>
#include <fastgpu/cluster/memory_source.hpp>

#include "aggregate/partial.hpp"
#include "execute/remote_participant.hpp"
#include "net/messages.hpp"

/// @file
/// A job as all participants of a shared run see it.

namespace fastgpu::inline v0::detail {

/// Of the arguments that are sent subtask by subtask.
[[nodiscard]] double input_bytes_of(const job_data& job);

struct shared_job {
  /// Reads all that is broadcast, to name it by its content: not on the network's thread.
  shared_job(ref<const job_storage> of, const run_options& options, fold_kind how, const std::string& numeric_class,
             memory_source& from, std::uint64_t random_a, std::uint64_t random_b);

  /// All of a broadcast argument, packed once for all nodes that it is on its way to; nothing where it is none.
  [[nodiscard]] packed_piece broadcast(std::uint32_t argument);

  ref<const job_storage> job;
  fold_kind fold;
  memory_source& memory;
  open_job description;                ///< But for the number.
  std::uint32_t subtasks_of_data = 0;  ///< Whose input is about a piece; 0: no input is sent.

 private:
  std::vector<std::weak_ptr<const payload>> broadcasts_;  // by argument
};

}  // namespace fastgpu::inline v0::detail
