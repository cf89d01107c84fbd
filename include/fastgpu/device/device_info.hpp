#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <fastgpu/config.hpp>
#include <fastgpu/ids.hpp>

/// @file
/// What a device says of itself, and what a job may ask of devices.

namespace fastgpu::inline v0 {

/// One GPU, or one group of CPU threads. A snapshot: speeds change as runs measure them.
struct device_info {
  device_id id{};
  node_id node{};
  std::string name;                  ///< As in the device list: "host:4", "paced:100", "cuda:0".
  std::string kind;                  ///< "host", "paced", "faulty", "cuda".
  std::string backend = "host";      ///< Whose entry of a program it runs: "host" or "cuda".
  std::uint32_t workers = 1;         ///< Threads that take batches: a host device's threads; 1 for a GPU.
  std::uint64_t memory_bytes = 0;    ///< Memory for data and kernels; 0: unknown.
  std::int32_t compute_capability = 0;  ///< Of a GPU, 10 x major + minor; 0 for others.
  std::string model{};               ///< Of a GPU: "NVIDIA H200".
  std::uint32_t multiprocessors = 0; ///< Of a GPU.
  std::uint64_t memory_bytes_a_second = 0;  ///< Of a GPU: peak bandwidth of its memory; 0: unknown.
  std::string pci_address{};         ///< Of a GPU: "0000:17:00.0".
  std::int32_t driver = 0;           ///< Of a GPU: 1000 x major + 10 x minor of the CUDA version its driver supports.
  std::vector<std::string> labels;   ///< Free words that requirements can ask for.
  /// Devices of one class give the same bits for the same kernel: "host x86-64-v3 glibc-2.36", "cuda sm_90".
  std::string numeric_class;
  /// Iteration indices a second, of the kernel that it ran last; 0: none. Placements that execute() makes go by the
  /// speed at the job's own kernel.
  double speed = 0;
  std::uint64_t load = 0;            ///< Subtasks of unfinished runs that it holds.
};

/// What a job needs of a device. Devices that do not meet it get no subtasks.
struct requirements {
  std::uint64_t memory_bytes = 0;       ///< At least so much; devices of unknown memory pass.
  std::int32_t compute_capability = 0;  ///< At least this; 0 also admits devices that are no GPUs.
  std::vector<std::string> labels{};    ///< All of these.
};

/// The devices that meet `need`, in their order.
///
/// @throws error  errc::no_matching_device, naming the requirement that failed and the device that came nearest.
[[nodiscard]] FASTGPU_API std::vector<device_info> match(std::span<const device_info> devices,
                                                         const requirements& need);

/// CPU cores that this process may use: the smaller of its affinity mask and its cgroup's quota rounded up, at least 1.
[[nodiscard]] FASTGPU_API std::uint32_t allowed_cores();

}  // namespace fastgpu::inline v0
