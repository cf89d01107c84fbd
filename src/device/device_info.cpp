#include <fastgpu/device/device_info.hpp>

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>

#include <fastgpu/error.hpp>

namespace fastgpu::inline v0 {
namespace {

bool has_label(const device_info& device, const std::string& label)
{
  return std::find(device.labels.begin(), device.labels.end(), label) != device.labels.end();
}

bool has_memory(const device_info& device, const requirements& need)
{
  return device.memory_bytes == 0 || device.memory_bytes >= need.memory_bytes;
}

bool meets(const device_info& device, const requirements& need)
{
  return has_memory(device, need) && device.compute_capability >= need.compute_capability &&
         std::all_of(need.labels.begin(), need.labels.end(), [&](const auto& l) { return has_label(device, l); });
}

/// Why `device` does not meet `need`. `score` counts the requirements met.
std::string shortfall(const device_info& device, const requirements& need, int& score)
{
  std::string first;
  const auto check = [&](bool met, const std::string& what) {
    if (met) {
      ++score;
    } else if (first.empty()) {
      first = what;
    }
  };
  check(has_memory(device, need),
        "needs " + std::to_string(need.memory_bytes) + " bytes of memory and has " +
            std::to_string(device.memory_bytes));
  check(device.compute_capability >= need.compute_capability,
        "needs compute capability " + std::to_string(need.compute_capability) + " and has " +
            std::to_string(device.compute_capability));
  for (const auto& label : need.labels) {
    check(has_label(device, label), "needs label '" + label + "' and has it not");
  }
  return first;
}

/// Cores of a cgroup quota given as "QUOTA PERIOD" in microseconds; 0 where there is none.
std::uint32_t cores_of_quota(double quota, double period)
{
  if (!(quota > 0) || !(period > 0)) return 0;
  return static_cast<std::uint32_t>(std::max(1.0, std::ceil(quota / period)));
}

/// The tightest quota between this process's group of cgroup v2 and the root, or that of v1.
std::uint32_t cgroup_cores()
{
  std::uint32_t cores = 0;
  const auto tighten = [&](std::uint32_t found) {
    if (found != 0 && (cores == 0 || found < cores)) cores = found;
  };
  std::ifstream groups{"/proc/self/cgroup"};
  std::string line;
  while (std::getline(groups, line)) {
    if (line.rfind("0::", 0) != 0) continue;
    for (auto path = line.substr(3);; path.resize(path.rfind('/'))) {
      std::ifstream limit{"/sys/fs/cgroup" + path + "/cpu.max"};
      std::string quota;
      double period = 0;
      if (limit >> quota >> period && quota != "max") {
        double microseconds = 0;
        std::from_chars(quota.data(), quota.data() + quota.size(), microseconds);
        tighten(cores_of_quota(microseconds, period));
      }
      if (path.empty() || path.rfind('/') == std::string::npos) break;
    }
  }
  std::ifstream quota{"/sys/fs/cgroup/cpu/cpu.cfs_quota_us"};
  std::ifstream period{"/sys/fs/cgroup/cpu/cpu.cfs_period_us"};
  double q = 0;
  double p = 0;
  if (quota >> q && period >> p) tighten(cores_of_quota(q, p));
  return cores;
}

}  // namespace

std::vector<device_info> match(std::span<const device_info> devices, const requirements& need)
{
  std::vector<device_info> fit;
  std::string nearest;
  int nearest_score = -1;
  for (const auto& device : devices) {
    if (meets(device, need)) {
      fit.push_back(device);
      continue;
    }
    int score = 0;
    const auto lacks = shortfall(device, need, score);
    if (score > nearest_score) {
      nearest_score = score;
      nearest = "the nearest, device " + std::to_string(device.id.value) + " (" + device.name + "), " + lacks;
    }
  }
  if (fit.empty()) {
    throw error{errc::no_matching_device,
                nearest.empty() ? "there is no device" : "no device meets the job's requirements; " + nearest};
  }
  return fit;
}

std::uint32_t allowed_cores()
{
  std::uint32_t cores = std::max(1u, std::thread::hardware_concurrency());
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) > 0) {
    cores = static_cast<std::uint32_t>(CPU_COUNT(&allowed));
  }
  if (const auto quota = cgroup_cores(); quota != 0) cores = std::min(cores, quota);
  return cores;
}

}  // namespace fastgpu::inline v0
