#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "cluster/cluster_core.hpp"

/// @file
/// Clusters of devices that no list of devices can name: a test's fakes.

namespace support {

/// The cluster's inside, for there is no outside to it. Devices are numbered as they stand.
///
/// @param list  What the user would have named the devices by; empty if they were found.
inline fastgpu::detail::ref<fastgpu::detail::cluster_core> cluster_of(
    std::vector<std::unique_ptr<fastgpu::detail::device>> devices, const std::string& list = {})
{
  return fastgpu::detail::ref<fastgpu::detail::cluster_core>{
      new fastgpu::detail::cluster_core{std::move(devices), {.devices = list}}};
}

/// As fastgpu::execute().
template <class Value, int N>
fastgpu::run<Value> start(const fastgpu::detail::ref<fastgpu::detail::cluster_core>& on,
                          const fastgpu::job<Value, N>& job, const fastgpu::run_options& options = {})
{
  return fastgpu::run<Value>{fastgpu::detail::start_run(on, job.storage(), nullptr, options)};
}

}  // namespace support
