#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/job.hpp>

#include "device/device.hpp"

/// @file
/// The fixture of what every device does, in conformance_test.cpp, where they are listed, and its neighbours.

namespace support {

/// The id that a device under test is made with.
inline constexpr fastgpu::device_id number_of_device{3};

struct device_case {
  std::string name;
  std::function<std::unique_ptr<fastgpu::detail::device>()> make;
  std::string backend = "host";
};
inline void PrintTo(const device_case& c, std::ostream* out) { *out << c.name; }

/// A device of the case, and how its sessions are used. One class for all files: their tests are one suite.
class DeviceConformance : public testing::TestWithParam<device_case> {
 protected:
  using batch_status = fastgpu::detail::batch_status;
  using device_session = fastgpu::detail::device_session;

  std::unique_ptr<device_session> open(const fastgpu::detail::job_data& job, fastgpu::detail::fold_kind fold,
                                       std::uint32_t worker = 0)
  {
    return device_->open({&job, fold, &stop_, worker});
  }

  /// Runs one batch to its end, again as long as the device refuses it.
  static batch_status run(device_session& on, fastgpu::interval batch)
  {
    for (int attempt = 0; attempt < 100; ++attempt) {
      auto status = on.launch(batch);
      if (status == batch_status::queued) {
        fastgpu::interval done;
        for (int polls = 0; polls < 1000 && status == batch_status::queued; ++polls) status = on.poll(done);
        EXPECT_EQ(done, batch);
      }
      if (status != batch_status::failed) return status;
      EXPECT_EQ(on.why().code, fastgpu::errc::device_failed);
    }
    return batch_status::failed;
  }
  static void run_all(device_session& on, const std::vector<fastgpu::interval>& batches)
  {
    for (const auto& batch : batches) ASSERT_EQ(run(on, batch), batch_status::done);
  }

  /// Launches `batch` and expects the kernel to fail at `subtask`.
  static void expect_kernel_failure(device_session& on, fastgpu::interval batch, std::uint32_t subtask,
                                    const std::string& detail)
  {
    ASSERT_EQ(run(on, batch), batch_status::kernel_failed);
    EXPECT_EQ(on.failed_subtask(), subtask);
    EXPECT_EQ(on.why().code, fastgpu::errc::kernel_failed);
    EXPECT_EQ(on.why().detail, detail);
  }

  std::unique_ptr<fastgpu::detail::device> device_ = GetParam().make();
  int stop_ = 0;
};

/// What only devices do that run kernels on the host: kernels for GPUs cannot throw, and get no host_context.
class HostDeviceConformance : public DeviceConformance {};

}  // namespace support
