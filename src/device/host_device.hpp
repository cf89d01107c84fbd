#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "device/device.hpp"

/// @file
/// The host device: a group of CPU threads.

namespace fastgpu::inline v0::detail {

class host_device final : public device {
 public:
  host_device(device_id id, std::uint32_t threads, std::string name);

  [[nodiscard]] const device_info& info() const noexcept override { return info_; }
  [[nodiscard]] std::unique_ptr<device_session> open(const session_request& request) override;

 private:
  device_info info_;
};

/// A session that runs batches on the calling thread. Other devices of this process are made of it.
[[nodiscard]] std::unique_ptr<device_session> open_host_session(device_id device, const session_request& request);

/// What the host says of itself: memory, numeric class.
[[nodiscard]] device_info describe_host(device_id id, std::uint32_t threads, std::string name, std::string kind);

}  // namespace fastgpu::inline v0::detail
