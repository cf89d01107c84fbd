#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <fastgpu/cluster/cluster.hpp>
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
  cuda_device(device_id id, std::unique_ptr<gpu> on, std::string name, const gpu_options& options = {});

  /// Sessions that are opened from now on begin after `event`, which belongs to the device then.
  /// @par Threads  Any.
  void start_after(gpu_event event);

  [[nodiscard]] const device_info& info() const noexcept override { return info_; }
  [[nodiscard]] bool one_thread() const noexcept override { return true; }
  [[nodiscard]] std::unique_ptr<device_session> open(const session_request& request) override;

  // For its sessions, on the driver's thread.
  [[nodiscard]] gpu& on() noexcept { return *on_; }
  [[nodiscard]] gpu_lanes& lanes() { return *lanes_; }
  /// Buffers that sessions had keep their memory for the next: to free it can wait for everything on the GPU, and a
  /// session ends on any thread.
  [[nodiscard]] gpu_buffer take_buffer(gpu_memory_kind kind);
  void give_buffer(gpu_buffer&& buffer) noexcept;
  void release_buffers() noexcept;
  void mark_lost(const std::string& why) { lost_ = why; }  ///< A fault that stays.

 private:
  void wait_for_others();

  std::unique_ptr<gpu> on_;
  device_info info_;
  gpu_options options_;
  std::optional<gpu_lanes> lanes_;  // made by the driver, with its first session
  std::optional<std::string> lost_;
  std::mutex mutex_;
  std::vector<gpu_handle<gpu_event>> start_after_;  // guarded by mutex_
  std::vector<gpu_buffer> spare_[2];                // guarded by mutex_; by gpu_memory_kind
};

}  // namespace fastgpu::inline v0::detail
