#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <fastgpu/detail/gpu_entry.hpp>

#include "cuda/gpu.hpp"
#include "cuda/gpu_lanes.hpp"
#include "device/device.hpp"

/// @file
/// One GPU as a device.

namespace fastgpu::inline v0::detail {

/// One worker, its driver: the only thread that issues work to the GPU.
class FASTGPU_API cuda_device final : public device {
 public:
  cuda_device(device_id id, std::unique_ptr<gpu> on, std::string name);

  [[nodiscard]] const device_info& info() const noexcept override { return info_; }
  [[nodiscard]] bool one_thread() const noexcept override { return true; }
  [[nodiscard]] std::unique_ptr<device_session> open(const session_request& request) override;

  // For its sessions, on the driver's thread.
  [[nodiscard]] gpu& on() noexcept { return *on_; }
  [[nodiscard]] gpu_lanes& lanes() { return *lanes_; }
  void mark_lost(const std::string& why) { lost_ = why; }  ///< A fault that stays.

 private:
  std::unique_ptr<gpu> on_;
  device_info info_;
  std::optional<gpu_lanes> lanes_;  // made by the driver, with its first session
  std::optional<std::string> lost_;
};

}  // namespace fastgpu::inline v0::detail
