#pragma once

#include <charconv>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/device_list.hpp"
#include "cuda/cuda_device.hpp"
#include "support/fake_gpu.hpp"

/// @file
/// `fakegpu:SEED` in device lists: a GPU device over a fake_gpu.

namespace support {

inline std::vector<std::unique_ptr<fastgpu::detail::device>> make_fake_gpu(std::string_view seed,
                                                                           fastgpu::device_id first,
                                                                           const fastgpu::gpu_options& options)
{
  gpu_faults faults;
  std::from_chars(seed.data(), seed.data() + seed.size(), faults.seed);
  faults.seed += first.value;
  std::vector<std::unique_ptr<fastgpu::detail::device>> devices;
  devices.push_back(std::make_unique<fastgpu::detail::cuda_device>(first, std::make_unique<fake_gpu>(faults),
                                                                   "fakegpu:" + std::string{seed}, options));
  return devices;
}

inline const bool fake_gpu_kind_added = [] {
  fastgpu::detail::add_device_kind({"fakegpu", &make_fake_gpu, nullptr});
  return true;
}();

}  // namespace support
