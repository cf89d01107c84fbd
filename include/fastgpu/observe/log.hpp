#pragma once

#include <string_view>

#include <fastgpu/config.hpp>

/// @file
/// The library's log: few lines, with levels, to a sink of the program's choice.

namespace fastgpu::inline v0 {

enum class log_level : int { trace = 0, debug, info, warning, error, off };

/// Takes one line without its end. Called from any thread, one call at a time; must not throw or call set_log().
using log_sink = void (*)(void* context, log_level level, std::string_view line);

/// Sends lines of `level` and above to `sink`; a null sink is standard error. Before the first call: warnings and
/// errors, to standard error.
/// @par Threads  Any. When it returns, the former sink is no longer in use.
FASTGPU_API void set_log(log_level level, log_sink sink = nullptr, void* context = nullptr) noexcept;

/// The level called `name`: trace, debug, info, warning, error or off.
/// @throws error  errc::invalid_argument
[[nodiscard]] FASTGPU_API log_level log_level_named(std::string_view name);

namespace detail {
[[nodiscard]] FASTGPU_API bool log_enabled(log_level level) noexcept;
FASTGPU_API void log_line(log_level level, std::string_view line) noexcept;
}  // namespace detail

}  // namespace fastgpu::inline v0
