#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <fastgpu/observe/log.hpp>

/// @file
/// What the library logs meanwhile.

namespace support {

/// Takes warnings and errors while it lives. Look at them while no other thread logs.
class log_lines {
 public:
  log_lines() { fastgpu::set_log(fastgpu::log_level::warning, &log_lines::take, this); }
  ~log_lines() { fastgpu::set_log(fastgpu::log_level::warning); }
  log_lines(const log_lines&) = delete;
  log_lines& operator=(const log_lines&) = delete;

  [[nodiscard]] const std::vector<std::string>& all() const { return lines_; }

 private:
  static void take(void* self, fastgpu::log_level, std::string_view line)
  {
    static_cast<log_lines*>(self)->lines_.emplace_back(line);
  }

  std::vector<std::string> lines_;
};

}  // namespace support
