#pragma once

#include <cstdint>
#include <vector>

#include "model/cost_distribution.hpp"

/// @file
/// When all subtasks are done, where whoever is free takes the next one.

namespace fastgpu::inline v0::detail {

/// Workers that are alike.
struct worker_group {
  double workers = 1;
  double subtask_s = 0;  ///< Mean time of a subtask, above 0.
  double ready_s = 0;    ///< When they begin.
};

[[nodiscard]] double worker_count(const std::vector<worker_group>& groups);

/// Time until `subtasks` are done, if they could be divided at will: all end together.
[[nodiscard]] double fluid_makespan(std::vector<worker_group> groups, double subtasks);

/// A time that chance has a part in: its mean, and where 19 of 20 lie.
struct estimate {
  double mean = 0;
  double low = 0;
  double high = 0;
};

/// What whole subtasks add to it: the wait for the latest worker's last subtask. `ready_s` is not looked at. Where there
/// are few subtasks for each worker, some schedules of them are played through, always the same ones; else by the
/// residual life of what is under way when the last subtask is taken.
/// @param all_begin  Each worker begins with a subtask, where there are as many; else only with what others would not be
///                   done with sooner.
[[nodiscard]] estimate imbalance(const std::vector<worker_group>& groups, std::uint64_t subtasks,
                                 const cost_distribution& costs, bool all_begin = false);

/// The expected longest of so many subtasks.
[[nodiscard]] double expected_longest(std::uint64_t subtasks, const cost_distribution& costs);

}  // namespace fastgpu::inline v0::detail
