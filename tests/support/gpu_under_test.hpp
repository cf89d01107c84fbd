#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cuda/cuda_device.hpp"
#include "support/fake_gpu.hpp"

/// @file
/// A GPU device over a fake GPU, and how its sessions are used without an executor.

namespace support {

struct gpu_under_test {
  explicit gpu_under_test(const gpu_faults& faults = {}, fastgpu::device_id id = {},
                          const fastgpu::gpu_options& options = {})
  {
    auto made = std::make_unique<fake_gpu>(faults);
    gpu = made.get();
    device = std::make_unique<fastgpu::detail::cuda_device>(id, std::move(made), "gpu", options);
  }

  [[nodiscard]] std::unique_ptr<fastgpu::detail::device_session> open(const fastgpu::detail::job_data& job,
                                                                      fastgpu::detail::fold_kind fold) const
  {
    return device->open({&job, fold, &stop, 0});
  }

  fake_gpu* gpu;
  std::unique_ptr<fastgpu::detail::cuda_device> device;
  int stop = 0;
};

/// Polls until the oldest batch is not queued any more. A batch that never ends fails the test.
inline fastgpu::detail::batch_status poll_to_end(fastgpu::detail::device_session& on, fastgpu::interval& batch)
{
  for (int polls = 0; polls < 100'000; ++polls) {
    const auto status = on.poll(batch);
    if (status != fastgpu::detail::batch_status::queued) return status;
  }
  ADD_FAILURE() << "a batch never ends";
  return fastgpu::detail::batch_status::queued;
}

/// Runs `batches` in their order, up to `in_flight` of them at a time. @return done, or what the first other came to
inline fastgpu::detail::batch_status run_batches(fastgpu::detail::device_session& on,
                                                 const std::vector<fastgpu::interval>& batches,
                                                 std::uint32_t in_flight = 1)
{
  using fastgpu::detail::batch_status;
  std::size_t begun = 0;
  for (std::size_t done = 0; done < batches.size(); ++done) {
    while (begun < batches.size() && begun - done < in_flight) {
      if (const auto status = on.launch(batches[begun++]); status != batch_status::queued) return status;
    }
    fastgpu::interval batch;
    if (const auto status = poll_to_end(on, batch); status != batch_status::done) return status;
    EXPECT_EQ(batch, batches[done]);
  }
  return batch_status::done;
}

/// All `subtasks`, `size` of them a batch, in an order that the seed decides.
inline std::vector<fastgpu::interval> batches_of(std::uint32_t subtasks, std::uint32_t size, std::uint64_t seed = 0)
{
  std::vector<fastgpu::interval> batches;
  for (std::uint32_t begin = 0; begin < subtasks; begin += size) {
    batches.push_back({begin, begin + std::min(size, subtasks - begin)});
  }
  if (seed != 0) std::shuffle(batches.begin(), batches.end(), std::mt19937_64{seed});
  return batches;
}

}  // namespace support
