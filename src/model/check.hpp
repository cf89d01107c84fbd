#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>

#include <fastgpu/error.hpp>

/// @file
/// Arguments of formulas: in range, or refused as "t_total: N = 0: expected at least 1".

namespace fastgpu::inline v0::detail {

/// The shortest text that reads back as `number`.
inline std::string shortest(double number)
{
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

[[noreturn]] inline void refuse_argument(const char* formula, const std::string& symbol, const std::string& value,
                                         const std::string& expected)
{
  throw error{errc::invalid_argument, std::string{formula} + ": " + symbol + " = " + value + ": expected " + expected};
}

/// A count, as the floating-point number to calculate with. One of more than 2^53 is rounded.
inline double checked_count(const char* formula, const char* symbol, std::int64_t value, std::int64_t least = 1)
{
  if (value < least) refuse_argument(formula, symbol, std::to_string(value), "at least " + std::to_string(least));
  return static_cast<double>(value);
}

inline double checked_amount(const char* formula, const std::string& symbol, double value)
{
  if (value >= 0 && std::isfinite(value)) return value;
  refuse_argument(formula, symbol, shortest(value), "a finite number, at least 0");
}

inline double checked_divisor(const char* formula, const char* symbol, double value)
{
  if (value > 0 && std::isfinite(value)) return value;
  refuse_argument(formula, symbol, shortest(value), "a finite number above 0");
}

/// What came out: finite, or the arguments were absurd.
inline double checked_result(const char* formula, const std::string& symbol, double value)
{
  if (std::isfinite(value)) return value;
  refuse_argument(formula, symbol, shortest(value), "arguments that give a finite number");
}

}  // namespace fastgpu::inline v0::detail
