#pragma once

#include <memory>
#include <utility>

#include "device/host_device.hpp"

/// @file
/// A device that says what a test wants of itself and runs on the calling thread.

namespace support {

class host_like_device final : public fastgpu::detail::device {
 public:
  explicit host_like_device(fastgpu::device_info info, bool one_thread = false)
      : info_{std::move(info)}, one_thread_{one_thread}
  {
  }

  [[nodiscard]] bool one_thread() const noexcept override { return one_thread_; }

  [[nodiscard]] const fastgpu::device_info& info() const noexcept override { return info_; }
  [[nodiscard]] std::unique_ptr<fastgpu::detail::device_session> open(
      const fastgpu::detail::session_request& request) override
  {
    return fastgpu::detail::open_host_session(info_.id, request);
  }

 private:
  fastgpu::device_info info_;
  bool one_thread_;
};

}  // namespace support
