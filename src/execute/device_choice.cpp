#include "execute/device_choice.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <fastgpu/error.hpp>
#include <fastgpu/observe/log.hpp>
#include <fastgpu/register.hpp>

namespace fastgpu::inline v0::detail {
namespace {

bool on_host(const device_info& device) { return device.backend == "host"; }

/// Why `device` cannot run the job.
std::optional<failure> obstacle(const device_info& device, const job_data& job)
{
  const auto named = [&] { return "device " + std::to_string(device.id.value) + " (" + device.name + ")"; };
  for (std::uint32_t i = 0; i < job.argument_count; ++i) {
    const auto& a = job.arguments[i];
    if (on_host(device) && a.where.kind == memory_kind::device) {
      return failure{make_error_code(errc::no_usable_device),
                     "argument " + std::to_string(i) + " lies in GPU memory, which " + named() + " cannot read"};
    }
    if (!on_host(device) && a.free_shape && a.where.kind == memory_kind::host) {
      return failure{make_error_code(errc::no_usable_device),
                     "argument " + std::to_string(i) + " (scatter) lies in pageable memory, which " + named() +
                         " cannot write piece by piece: give it pinned or GPU memory"};
    }
  }
  if (!on_host(device) && !is_registered(*job.code, device.backend)) {
    const auto name = *job.code->kernel == '\0' ? std::string{"this kernel, which has no registered name,"}
                                                : "kernel '" + std::string{job.code->kernel} + "'";
    return failure{make_error_code(errc::kernel_not_registered),
                   name + " has no entry for back end '" + device.backend + "' of " + named()};
  }
  return std::nullopt;
}

/// By measurement where all were measured, else a guess: a multiprocessor does the work of some cores.
double strength(const device_info& device, bool measured)
{
  constexpr double cores_of_a_multiprocessor = 4;
  if (measured) return device.speed;
  return on_host(device) ? device.workers : std::max(1u, device.multiprocessors) * cores_of_a_multiprocessor;
}

}  // namespace

std::vector<device_info> able_devices(std::vector<device_info> devices, const job_data& job, bool by_name)
{
  std::optional<failure> first;
  std::erase_if(devices, [&](const device_info& d) {
    auto why = obstacle(d, job);
    if (why && !first) first = std::move(why);
    return why.has_value();
  });
  if (first) {
    if (by_name || devices.empty()) throw error{*first};
    log_line(log_level::info, first->detail + "; it is left out");
  }
  if (!by_name && !std::all_of(devices.begin(), devices.end(), on_host)) std::erase_if(devices, on_host);
  return devices;
}

std::vector<device_info> of_one_class(std::vector<device_info> devices, const job_data& job, fold_kind fold,
                                      const run_options& options)
{
  if (fold != fold_kind::ordered || job.code->portable || options.mix_numeric_classes) return devices;
  std::map<std::string, double> classes;
  const bool measured = std::all_of(devices.begin(), devices.end(), [](const device_info& d) { return d.speed > 0; });
  for (const auto& d : devices) classes[d.numeric_class] += strength(d, measured);
  if (classes.size() < 2) return devices;
  const auto best = std::max_element(classes.begin(), classes.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  log_line(log_level::info, "an ordered reduction uses devices of numeric class " + best->first + " alone");
  std::erase_if(devices, [&](const device_info& d) { return d.numeric_class != best->first; });
  return devices;
}

}  // namespace fastgpu::inline v0::detail
