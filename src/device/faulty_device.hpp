#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "device/device.hpp"

/// @file
/// The faulty device: right answers, but it fails, stalls and dies. For tests of everything that copes with that.

namespace fastgpu::inline v0::detail {

/// How often things go wrong, drawn from the seed: each run is another draw of the same sequence.
struct fault_plan {
  std::uint64_t seed = 0;
  double fail_share = 0.05;   ///< Of batches: refused before anything is folded.
  double stall_share = 0.02;  ///< Of batches: late by up to `stall_ms`.
  double stall_ms = 3;
  double die_share = 0.5;     ///< Of runs: the device dies in one of its first batches, having computed a part of it.
  std::uint32_t die_within = 256;  ///< Subtasks that it has started at most when it dies.
};

/// One thread of the host behind a fault plan. When it dies, it is gone for the rest of the run and its open partial
/// with it; it is back for the next run.
class faulty_device final : public device {
 public:
  faulty_device(device_id id, fault_plan plan, std::string name);

  [[nodiscard]] const device_info& info() const noexcept override { return info_; }
  [[nodiscard]] std::unique_ptr<device_session> open(const session_request& request) override;

 private:
  device_info info_;
  fault_plan plan_;
  std::uint64_t runs_ = 0;  // touched through std::atomic_ref
};

}  // namespace fastgpu::inline v0::detail
