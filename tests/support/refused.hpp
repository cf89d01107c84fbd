#pragma once

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/failure_of.hpp"

/// @file
/// Arguments that a function must not take, and what it says of them.

namespace support {

struct refused {
  std::function<void()> call;
  std::string begins;  ///< The detail's beginning: what names the argument and its value.
};

/// Each call is refused as an invalid argument, in one line.
inline void expect_refused(const std::vector<refused>& all)
{
  for (const auto& [call, begins] : all) {
    SCOPED_TRACE(begins);
    const auto why = failure_of(call);
    EXPECT_EQ(why.code, fastgpu::errc::invalid_argument);
    EXPECT_TRUE(why.detail.starts_with(begins)) << why.detail;
    EXPECT_EQ(why.detail.find('\n'), std::string::npos) << why.detail;
  }
}

}  // namespace support
