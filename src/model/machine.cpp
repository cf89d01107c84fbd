#include "model/machine.hpp"

#include <sys/utsname.h>

#include <fstream>
#include <string>

#include <fastgpu/device/device_info.hpp>
#include <fastgpu/model/calibrate.hpp>

namespace fastgpu::inline v0 {
namespace detail {

std::string processor_name()
{
  std::ifstream file{"/proc/cpuinfo"};
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  utsname name{};
  return ::uname(&name) == 0 ? name.machine : "unknown processor";
}

}  // namespace detail

std::string machine_name()
{
  const auto cores = allowed_cores();
  return detail::processor_name() + ", " + std::to_string(cores) + (cores == 1 ? " core" : " cores");
}

}  // namespace fastgpu::inline v0
