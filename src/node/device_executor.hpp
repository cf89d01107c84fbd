#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include <fastgpu/assign/placement.hpp>

#include "cluster/cluster_core.hpp"
#include "execute/run_state.hpp"
#include "net/network.hpp"
#include "node/job_executor.hpp"
#include "node/received_job.hpp"

/// @file
/// A node's own devices at work on a job that came from a coordinator.

namespace fastgpu::inline v0::detail {

/// A granted run whose news come to the network's thread. Once it is let go, it ends, and is freed when its workers have
/// left it.
class watched_run {
 public:
  /// @param devices  A placement that names the devices to be used, without ranges.
  /// @param look     Called on the network's thread when there are news, until this is destroyed.
  watched_run(network& on, const ref<cluster_core>& core, const ref<const job_storage>& job, const placement& devices,
              const run_options& options, fold_kind fold, std::function<void()> look);
  ~watched_run();
  watched_run(const watched_run&) = delete;
  watched_run& operator=(const watched_run&) = delete;

  /// Its outcome is out, and nobody else refers to it. `look` is called when this comes true, too.
  [[nodiscard]] bool ended() const noexcept;

  [[nodiscard]] run_state& operator*() const noexcept { return *run_; }
  [[nodiscard]] run_state* operator->() const noexcept { return run_.get(); }

 private:
  class watch;
  std::shared_ptr<watch> watch_;
  ref<run_state> run_;
};

/// @par Threads  The network's.
class device_executor final : public job_executor {
 public:
  /// `owner` outlives it.
  device_executor(network& on, ref<cluster_core> core, ref<received_job> job, placement devices, run_options options,
                  job_number number, executor_owner& owner);
  ~device_executor() override;

  [[nodiscard]] std::optional<failure> store(const job_data_piece& piece, payload&& bytes) override;
  [[nodiscard]] bool may_run(interval range) const override;
  void grant(std::span<const interval> ranges) override;
  void stage(interval range) override;
  [[nodiscard]] interval_set take_back(std::uint64_t subtasks) override;
  void revoke(const interval_set& part) override;
  [[nodiscard]] sealed_payload take_sealed() override;
  [[nodiscard]] executor_state state() const override;
  [[nodiscard]] failure why() const override;

 private:
  void look_at_backup(std::uint32_t begin);
  [[nodiscard]] sealed_payload pack(sealed_part&& part);

  network& on_;
  ref<cluster_core> core_;
  ref<received_job> job_;
  placement devices_;
  run_options options_;
  job_number number_;
  executor_owner& owner_;
  std::map<std::uint32_t, std::pair<interval, std::unique_ptr<watched_run>>> backups_;  // by their first subtask
  work_report work_of_backups_;       // that are done
  std::unique_ptr<watched_run> run_;  // from the first grant on: devices look at the data when they begin
};

}  // namespace fastgpu::inline v0::detail
