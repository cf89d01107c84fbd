#pragma once

#include <exception>

#include <gtest/gtest.h>
#include <fastgpu/error.hpp>

/// @file
/// What a call fails with, to look at.

namespace support {

/// The failure that the fastgpu::error of `call()` carries. A call that throws none fails the test.
template <class Call>
fastgpu::failure failure_of(Call call)
{
  try {
    call();
  } catch (const fastgpu::error& e) {
    return e.why();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

/// The same of what a completion handler was given.
inline fastgpu::failure failure_of(const std::exception_ptr& failed)
{
  return failure_of([&] {
    if (failed) std::rethrow_exception(failed);
  });
}

}  // namespace support
