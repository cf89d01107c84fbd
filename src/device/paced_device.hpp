#pragma once

#include <memory>
#include <string>

#include "device/device.hpp"

/// @file
/// The paced device: a device of a known speed, for demonstrations, tests and the model.

namespace fastgpu::inline v0::detail {

/// Runs the kernel on one thread of the host, then sleeps until the batch's stated time is up: so it is as fast as
/// `rate` says, or as the host where that is slower. Pacing is by absolute times, so that sleeping late is made good.
class paced_device final : public device {
 public:
  /// @param rate  Subtasks a second, > 0.
  paced_device(device_id id, double rate, std::string name);

  [[nodiscard]] const device_info& info() const noexcept override { return info_; }
  [[nodiscard]] std::unique_ptr<device_session> open(const session_request& request) override;

 private:
  device_info info_;
  double rate_;
};

}  // namespace fastgpu::inline v0::detail
