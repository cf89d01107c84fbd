#include <algorithm>
#include <chrono>
#include <cstdint>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/observe/log.hpp>

#include "cluster/cluster_core.hpp"
#include "detail/spin.hpp"
#include "execute/in_flight_board.hpp"
#include "execute/run_state.hpp"
#include "model/history_file.hpp"

/// @file
/// What a cluster knows of its devices' speeds: what runs measured, and the file that keeps it.

namespace fastgpu::inline v0::detail {
namespace {

std::int64_t date_s()
{
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since_1970).count();
}

}  // namespace

std::vector<device_info> cluster_core::describe(const job_data* job) const
{
  std::vector<device_info> infos;
  const auto lock = lock_soon(mutex_);
  for (std::uint32_t d = 0; d < devices_.size(); ++d) {
    infos.push_back(devices_[d]->info());
    auto& info = infos.back();
    info.id = {d};
    info.speed = job == nullptr ? last_speeds_[d] : history_.speed(history_key_of(*job, history_names_[d]));
    info.labels.insert(info.labels.end(), options_.labels.begin(), options_.labels.end());
    for (const auto& run : runs_) info.load += run->load(d);
  }
  return infos;
}

std::vector<device_info> cluster_core::describe_all(const job_data* job) const
{
  auto infos = describe(job);
  if (!has_nodes()) return infos;
  auto remote = directory_->devices();
  for (std::size_t begin = 0, end = 0; begin < remote.size(); begin = end) {  // those of a node are neighbours
    double workers = 0;
    for (; end < remote.size() && remote[end].node == remote[begin].node; ++end) workers += remote[end].workers;
    if (job == nullptr) continue;
    const std::span node{&remote[begin], end - begin};
    const auto name = history_name(node);
    const auto lock = lock_soon(mutex_);
    const auto speed = history_.speed(history_key_of(*job, name));
    for (auto& info : node) info.speed = speed * info.workers / workers;
  }
  for (auto& info : remote) {
    info.id = {static_cast<std::uint32_t>(infos.size())};
    infos.push_back(std::move(info));
  }
  return infos;
}

void cluster_core::note_speed(device_id device, const job_data& job, double indices_per_second)
{
  const auto now = date_s();
  const auto lock = lock_soon(mutex_);
  const auto key = history_key_of(job, history_names_.at(device.value));
  history_.note(key, indices_per_second, now);
  last_speeds_.at(device.value) = history_.speed(key);
}

void cluster_core::note_speed(const std::string& name, const job_data& job, double indices_per_second)
{
  const auto now = date_s();
  const auto lock = lock_soon(mutex_);
  history_.note(history_key_of(job, name), indices_per_second, now);
}

/// Before anybody else knows of this object.
void cluster_core::load_history()
{
  if (options_.history.empty()) return;
  const auto read = read_history(options_.history, this_machine(), date_s());
  if (!read.refused.empty()) {
    // A worker's parent has warned.
    const auto level = board_of_this_worker() == nullptr ? log_level::warning : log_level::info;
    log_line(level, "history '" + options_.history + "' is not used: " + read.refused);
  }
  for (auto e = read.entries.rbegin(); e != read.entries.rend(); ++e) history_.take(*e);
}

void cluster_core::save_history() noexcept
{
  if (options_.history.empty()) return;
  try {
    std::vector<history_entry> entries;
    {
      const auto lock = lock_soon(mutex_);
      if (!history_.changed()) return;
      entries = history_.entries();
    }
    const auto why = write_history(options_.history, entries, this_machine(), date_s());
    if (why.empty()) {
      const auto lock = lock_soon(mutex_);
      history_.mark_written();
    } else {
      log_line(log_level::warning, "history '" + options_.history + "' is not written: " + why);
    }
  } catch (const std::exception& e) {
    log_line(log_level::warning, std::string{"the history is not written: "} + e.what());
  }
}

}  // namespace fastgpu::inline v0::detail
