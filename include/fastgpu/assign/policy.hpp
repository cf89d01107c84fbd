#pragma once

#include <span>
#include <string_view>

#include <fastgpu/assign/placement.hpp>
#include <fastgpu/config.hpp>
#include <fastgpu/decompose/subtasks.hpp>
#include <fastgpu/device/device_info.hpp>

/// @file
/// Assign stage: policies, pure functions from subtasks and devices to a placement.

namespace fastgpu::inline v0 {

/// A policy with its name. Policies are values: `assign(subtasks, devices, by_speed{})`.
struct assignment_policy {
  const char* name;
  placement (*make)(const subtask_list& subtasks, std::span<const device_info> devices);
};

namespace detail {
FASTGPU_API placement place_equal(const subtask_list&, std::span<const device_info>);
FASTGPU_API placement place_least_loaded(const subtask_list&, std::span<const device_info>);
FASTGPU_API placement place_by_speed(const subtask_list&, std::span<const device_info>);
FASTGPU_API placement place_minimum_completion_time(const subtask_list&, std::span<const device_info>);
}  // namespace detail

/// The same cost to every device.
struct equal : assignment_policy {
  constexpr equal() : assignment_policy{"equal", &detail::place_equal} {}
};

/// To each device what makes it, with what it holds of other runs, as full as the others; workers count.
struct least_loaded : assignment_policy {
  constexpr least_loaded() : assignment_policy{"least_loaded", &detail::place_least_loaded} {}
};

/// In proportion to the speed that earlier runs measured, of this cluster or in its history (cluster_options::history);
/// by workers where there is none yet. Where devices get few subtasks each, whole ones, so that the last device is done
/// as early as can be. Stealing by measured speed corrects it during the run.
struct by_speed : assignment_policy {
  constexpr by_speed() : assignment_policy{"by_speed", &detail::place_by_speed} {}
};

/// To each device what it would be done with first, after what it holds of other runs: whole subtasks, one at a time on
/// each worker, by the speeds that by_speed goes by; what is held is taken to cost what this job's subtasks cost. So the
/// last device is done as early as contiguous shares in the devices' order allow. It differs from by_speed where devices
/// are busy, or subtasks have costs.
///
/// @see  "MCT" in M. Maheswaran, S. Ali, H. J. Siegel, D. Hensgen, R. F. Freund, JPDC 59(2), 1999. For subtasks of one
///       cost, handing out one after the other to whoever would complete it first ends with these shares; they are
///       found at once, by bisection of the time at which all are done.
struct minimum_completion_time : assignment_policy {
  constexpr minimum_completion_time()
      : assignment_policy{"minimum_completion_time", &detail::place_minimum_completion_time}
  {
  }
};

/// The policy called `name`. @throws error  errc::invalid_argument, naming those that exist.
[[nodiscard]] FASTGPU_API assignment_policy policy_named(std::string_view name);

/// Assigns every subtask to one of `devices`: contiguous shares, in the devices' order.
///
/// @throws error  errc::no_usable_device where `devices` is empty.
/// @par Cost  O(devices) for uniform subtasks; with costs, O(devices log subtasks). minimum_completion_time: up to 100
///            times that.
[[nodiscard]] FASTGPU_API placement assign(const subtask_list& subtasks, std::span<const device_info> devices,
                                           const assignment_policy& policy = by_speed{});

/// The same for those of `devices` that meet `need`. @throws error  errc::no_matching_device
[[nodiscard]] FASTGPU_API placement assign(const subtask_list& subtasks, std::span<const device_info> devices,
                                           const assignment_policy& policy, const requirements& need);

}  // namespace fastgpu::inline v0
