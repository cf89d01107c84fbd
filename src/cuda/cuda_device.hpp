#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/cluster/cluster.hpp>
#include <fastgpu/detail/gpu_entry.hpp>

#include "cuda/gpu.hpp"
#include "cuda/gpu_lanes.hpp"
#include "device/device.hpp"
#include "nccl/group_member.hpp"

/// @file
/// One GPU as a device.

namespace fastgpu::inline v0::detail {

/// What a GPU has of its own in the group of those that reduce together.
class group_seat {
 public:
  group_seat(member_id me, gpu& on, std::unique_ptr<communicators> makes)
      : stream_{on, on.create_stream()}, makes_{std::move(makes)}, member_{me, on, stream_.get(), *makes_}
  {
  }
  [[nodiscard]] group_member& member() noexcept { return member_; }

 private:
  gpu_handle<gpu_stream> stream_;
  std::unique_ptr<communicators> makes_;
  group_member member_;
};

/// One worker, its driver: the only thread that issues work to the GPU.
class FASTGPU_API cuda_device final : public device {
 public:
  /// How a GPU meets others; null: it does not.
  using communicators_maker = std::function<std::unique_ptr<communicators>(gpu& on)>;

  cuda_device(device_id id, std::unique_ptr<gpu> on, std::string name, const gpu_options& options = {},
              communicators_maker make_communicators = nullptr);

  /// Sessions that are opened from now on begin after `event`, which belongs to the device then.
  /// @par Threads  Any.
  void start_after(gpu_event event);

  [[nodiscard]] const device_info& info() const noexcept override { return info_; }
  [[nodiscard]] bool one_thread() const noexcept override { return true; }
  [[nodiscard]] std::unique_ptr<device_session> open(const session_request& request) override;

  // For its sessions, on the driver's thread.
  [[nodiscard]] gpu& on() noexcept { return *on_; }
  [[nodiscard]] const gpu_options& options() const noexcept { return options_; }
  [[nodiscard]] gpu_lanes& lanes() { return *lanes_; }
  /// Buffers that sessions had keep their memory for the next: to free it can wait for everything on the GPU, and a
  /// session ends on any thread.
  [[nodiscard]] gpu_buffer take_buffer(gpu_memory_kind kind);
  void give_buffer(gpu_buffer&& buffer) noexcept;
  void release_buffers() noexcept;
  /// Until the device ends: somebody may still read it.
  void keep(gpu_buffer&& buffer) noexcept;
  void mark_lost(const std::string& why) { lost_ = why; }  ///< A fault that stays.
  /// Null where the GPU meets no others.
  [[nodiscard]] group_seat* seat();

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
  std::vector<gpu_buffer> kept_;                    // guarded by mutex_
  communicators_maker make_communicators_;
  std::optional<group_seat> seat_;  // made by the driver, when it is first wanted
};

}  // namespace fastgpu::inline v0::detail
