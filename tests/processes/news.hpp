#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <fastgpu/observe/log.hpp>

/// @file
/// The library's log with the time of each line: when what was noticed.

namespace oracle {

/// While it lives, the log goes to it.
class news {
 public:
  using clock = std::chrono::steady_clock;

  news() { fastgpu::set_log(fastgpu::log_level::info, &news::take, this); }
  ~news() { fastgpu::set_log(fastgpu::log_level::warning); }
  news(const news&) = delete;
  news& operator=(const news&) = delete;

  /// When a line with `words` came, from `since` on; nothing where none comes in time.
  [[nodiscard]] std::optional<clock::time_point> await(const std::string& words, clock::time_point since,
                                                       std::chrono::seconds patience) const
  {
    const auto give_up = clock::now() + patience;
    while (clock::now() < give_up) {
      {
        const std::scoped_lock lock{mutex_};
        for (const auto& [when, line] : lines_) {
          if (when >= since && line.find(words) != std::string::npos) return when;
        }
      }
      std::this_thread::sleep_for(std::chrono::microseconds{500});
    }
    return std::nullopt;
  }
  [[nodiscard]] std::string all() const
  {
    const std::scoped_lock lock{mutex_};
    std::string text;
    for (const auto& [when, line] : lines_) {
      const auto s = std::chrono::duration<double>(when - begin_).count();
      text += std::to_string(s).append(" ").append(line).append("\n");
    }
    return text;
  }

 private:
  static void take(void* context, fastgpu::log_level, std::string_view line)
  {
    auto& self = *static_cast<news*>(context);
    const std::scoped_lock lock{self.mutex_};
    self.lines_.emplace_back(clock::now(), line);
  }

  mutable std::mutex mutex_;
  std::vector<std::pair<clock::time_point, std::string>> lines_;  // guarded by mutex_
  clock::time_point begin_ = clock::now();
};

}  // namespace oracle
