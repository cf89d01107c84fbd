#pragma once

#include <cstdarg>
#include <charconv>
#include <cstdio>
#include <string>

/// @file
/// Text from numbers.

namespace fastgpu::inline v0::detail {

/// As printf, of any length.
[[gnu::format(printf, 1, 2)]] inline std::string format(const char* pattern, ...)
{
  std::va_list values;
  va_start(values, pattern);
  std::va_list again;
  va_copy(again, values);
  std::string text(static_cast<std::size_t>(std::vsnprintf(nullptr, 0, pattern, values)), '\0');
  va_end(values);
  std::vsnprintf(text.data(), text.size() + 1, pattern, again);
  va_end(again);
  return text;
}

/// With `digits` digits behind a point, whatever the locale.
inline std::string fixed(double number, int digits)
{
  char text[340];  // the largest double has 309 digits before its point
  const auto end = std::to_chars(text, text + sizeof text, number, std::chars_format::fixed, digits).ptr;
  return {text, end};
}

}  // namespace fastgpu::inline v0::detail
