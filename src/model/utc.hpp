#pragma once

#include <chrono>
#include <ctime>
#include <optional>
#include <string>

/// @file
/// Dates as files have them: "2026-11-21T20:30:00Z".

namespace fastgpu::inline v0::detail {

inline std::string utc_text(std::chrono::system_clock::time_point when)
{
  const auto t = std::chrono::system_clock::to_time_t(when);
  std::tm parts{};
  ::gmtime_r(&t, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

inline std::optional<std::chrono::sys_seconds> utc_time(const std::string& text)
{
  std::tm parts{};
  const auto* const end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return std::chrono::sys_seconds{std::chrono::seconds{::timegm(&parts)}};
}

}  // namespace fastgpu::inline v0::detail
