#pragma once

#include <string>

#include <CLI/CLI.hpp>

/// @file
/// What options may be, with messages of a readable length.

namespace program {

inline CLI::Validator above_zero(const std::string& unit)
{
  return {[](std::string& text) {
            double number = 0;
            return CLI::detail::lexical_cast(text, number) && number > 0 ? std::string{} : "expected a number above 0";
          },
          unit};
}

inline CLI::Validator zero_or_more(const std::string& unit)
{
  return {[](std::string& text) {
            double number = 0;
            return CLI::detail::lexical_cast(text, number) && number >= 0 ? std::string{}
                                                                         : "expected a number, at least 0";
          },
          unit};
}

}  // namespace program
