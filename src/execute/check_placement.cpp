#include "execute/check_placement.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/error.hpp>

#include "detail/interval_set.hpp"
#include "execute/device_choice.hpp"

namespace fastgpu::inline v0::detail {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw error{errc::placement_mismatch, "placement: " + why}; }

void check_ranges(const placement& table, const job_data& job)
{
  if (table.subtasks != job.shape.count || table.shape != digest(job.shape)) {
    refuse("it is for a job of another shape (" + std::to_string(table.subtasks) + " subtasks, this job has " +
           std::to_string(job.shape.count) + ")");
  }
  interval_set covered;
  for (const auto& entry : table.entries) {
    for (const auto& range : entry.ranges) {
      const auto name = "subtasks " + std::to_string(range.begin) + " to " + std::to_string(range.end);
      if (range.begin > range.end || range.end > table.subtasks) refuse(name + " are no range of this job");
      if (!covered.try_insert(range)) refuse(name + " are given twice");
    }
  }
  if (covered.count() != table.subtasks) {
    refuse(std::to_string(table.subtasks - covered.count()) + " subtasks are given to no device");
  }
}

}  // namespace

void check_placement(const placement& table, const job_data& job, fold_kind fold, std::span<const device_info> devices,
                     const run_options& options)
{
  check_ranges(table, job);
  const bool nodes = std::any_of(devices.begin(), devices.end(), [](const device_info& d) { return d.node != node_id{}; });
  std::vector<device_info> named;
  std::vector<device_info> here;
  for (const auto& entry : table.entries) {
    const auto number = std::to_string(entry.device.value);
    if (entry.device.value >= devices.size()) refuse("device " + number + " is not there");
    const auto& device = devices[entry.device.value];
    if (nodes && !entry.name.empty() && entry.name != device.name) {
      refuse("device " + number + " was " + entry.name + " and is " + device.name + " now: a node came or left");
    }
    named.push_back(device);
    if (device.node == node_id{}) here.push_back(device);
  }
  if (!here.empty()) (void)able_devices(here, job, true);
  if (of_one_class(named, job, fold, options).size() != named.size()) {
    refuse("an ordered reduction over devices that round differently; see run_options::mix_numeric_classes");
  }
}

}  // namespace fastgpu::inline v0::detail
