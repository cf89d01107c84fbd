#include <chrono>
#include <optional>
#include <string>

#include <fastgpu/model/calibrate.hpp>
#include <fastgpu/version.hpp>

#include "model/utc.hpp"

namespace fastgpu::inline v0 {

std::optional<std::string> why_unusable(const calibration& c)
{
  constexpr auto lasts = std::chrono::days{30};
  constexpr auto clocks_differ = std::chrono::hours{1};
  const auto made = detail::utc_time(c.date);
  if (!made) return "its date '" + c.date + "' is none";
  const auto age = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) - *made;
  if (age > lasts) return "it is of " + c.date + ", more than 30 days old";
  if (age < -clocks_differ) return "it is of " + c.date + ", which is yet to come";
  if (c.machine != machine_name()) return "it is of another machine, " + c.machine + ", and this is " + machine_name();
  if (c.version != version()) return "it is of version " + c.version + ", and this is " + version();
  return std::nullopt;
}

}  // namespace fastgpu::inline v0
