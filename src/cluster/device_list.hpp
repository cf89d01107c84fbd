#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fastgpu/cluster/cluster.hpp>
#include <fastgpu/ids.hpp>

#include "device/device.hpp"

/// @file
/// Device lists: `host:2,cuda:all`. And how libraries beside this one bring devices.

namespace fastgpu::inline v0::detail {

/// Devices that `list` names, in its order; of an empty one, those that are there. See cluster_options::devices.
/// @throws error  errc::invalid_argument, errc::no_usable_device
[[nodiscard]] std::vector<std::unique_ptr<device>> make_devices(const std::string& list, const gpu_options& gpus = {});

/// A kind of device that is not the core's own.
struct device_kind {
  std::string_view name;  ///< What stands before the colon in a list; a literal.

  /// The devices that `argument` names, which stands behind the colon, numbered from `first`.
  /// @throws error
  std::vector<std::unique_ptr<device>> (*make)(std::string_view argument, device_id first,
                                               const gpu_options& gpus) = nullptr;

  /// All that are there, for lists that name none; null where they are had by name only. Never throws for there being
  /// none.
  std::vector<std::unique_ptr<device>> (*make_all)(device_id first, const gpu_options& gpus) = nullptr;
};

/// @par Threads  Any; before the clusters that are to see it.
FASTGPU_API void add_device_kind(const device_kind& kind);

}  // namespace fastgpu::inline v0::detail
