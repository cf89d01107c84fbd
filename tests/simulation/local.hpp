#pragma once

#include <cstdint>
#include <memory>

#include "execute/coordinator.hpp"
#include "simulation/checker.hpp"
#include "simulation/executor.hpp"

/// @file
/// The program's own devices as a participant, without a session.

namespace simulation {

class program_core;

class local_participant final : public fastgpu::detail::participant, public fastgpu::detail::executor_owner {
 public:
  local_participant(world& where, program_core& core, fastgpu::detail::coordinator& boss, checker& watch,
                    run_facts& facts, fastgpu::device_id device, const participant_plan& plan);

  void join();
  void lose_child();
  /// The coordinator wants it out.
  void cut_off(const failure& why);
  /// The run is over.
  void stop();
  [[nodiscard]] bool lost() const noexcept { return lost_; }
  [[nodiscard]] machine& hardware() noexcept { return machine_; }

  // participant
  void grant(std::span<const interval> ranges) override;
  void stage(interval) override;
  void take_back(std::uint32_t request, std::uint64_t subtasks) override;
  void seal(std::uint64_t request, const interval_set& revoked) override;
  void acknowledge(std::uint64_t) override {}

  // executor_owner
  void look(job_number number) override;
  void backup_done(job_number, interval, std::shared_ptr<const payload>) override;
  void backup_failed(job_number, interval, const failure&) override;

 private:
  void later(world::action what);
  void tell_seal(std::uint64_t answers);
  void tell_progress();
  void leave(const interval_set& in_flight, const failure& why);

  world& world_;
  program_core& core_;
  fastgpu::detail::coordinator& boss_;
  checker& checker_;
  fastgpu::device_id device_;
  machine machine_;
  run_facts& facts_;
  owned events_;
  std::unique_ptr<model_executor> executor_;
  std::uint64_t granted_ = 0;
  std::uint64_t seals_ = 0;
  bool told_hungry_ = false;
  bool lost_ = false;
};

}  // namespace simulation
