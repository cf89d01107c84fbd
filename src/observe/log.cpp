#include <fastgpu/observe/log.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <mutex>
#include <new>
#include <string>

#include <fastgpu/error.hpp>

namespace fastgpu::inline v0 {
namespace {

constexpr const char* level_names[] = {"trace", "debug", "info", "warning", "error", "off"};

struct log_state {
  std::atomic<log_level> level = log_level::warning;
  std::mutex mutex;
  log_sink sink = nullptr;  // guarded by mutex
  void* context = nullptr;  // guarded by mutex
};

/// Never destroyed: threads may log while static objects go.
log_state& the_log()
{
  alignas(log_state) static std::byte storage[sizeof(log_state)];
  static auto& state = *new (storage) log_state;
  return state;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// What others sent may be in it: it must not begin new lines, nor tell a terminal what to do.
std::string without_controls(std::string_view line)
{
  constexpr char digits[] = "0123456789abcdef";
  std::string clean;
  for (const char c : line) {
    if (is_control(c)) {
      const auto byte = static_cast<unsigned char>(c);
      clean.append("\\x").push_back(digits[byte / 16]);
      clean.push_back(digits[byte % 16]);
    } else {
      clean.push_back(c);
    }
  }
  return clean;
}

}  // namespace

void set_log(log_level level, log_sink sink, void* context) noexcept
{
  auto& log = the_log();
  const std::scoped_lock lock{log.mutex};
  log.level.store(level, std::memory_order_relaxed);
  log.sink = sink;
  log.context = context;
}

log_level log_level_named(std::string_view name)
{
  for (int i = 0; i <= static_cast<int>(log_level::off); ++i) {
    if (name == level_names[i]) return static_cast<log_level>(i);
  }
  throw error{errc::invalid_argument,
              "log level '" + std::string{name} + "': expected trace, debug, info, warning, error or off"};
}

namespace detail {

bool log_enabled(log_level level) noexcept { return level >= the_log().level.load(std::memory_order_relaxed); }

void log_line(log_level level, std::string_view line) noexcept
{
  if (!log_enabled(level)) return;
  if (std::any_of(line.begin(), line.end(), is_control)) {
    try {
      const auto clean = without_controls(line);
      return log_line(level, clean);
    } catch (const std::bad_alloc&) {
      return log_line(level, "a line with control characters, and no memory to write it without them");
    }
  }
  auto& log = the_log();
  const std::scoped_lock lock{log.mutex};
  if (log.sink != nullptr) {
    log.sink(log.context, level, line);
  } else {
    std::fprintf(stderr, "fastgpu: %s: %.*s\n", level_names[static_cast<int>(level)], static_cast<int>(line.size()),
                 line.data());
  }
}

}  // namespace detail
}  // namespace fastgpu::inline v0
