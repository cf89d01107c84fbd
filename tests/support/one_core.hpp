#pragma once

#include <sched.h>

#include <thread>

#include <gtest/gtest.h>

/// @file
/// What it is like on a machine with a single core.

namespace support {

/// Calls `call()` on a thread of its own that may use one core only.
///
/// @return  False where the process may not narrow affinity masks: `call()` has had all cores then.
template <class Call>
bool with_one_core(const Call& call)
{
  bool narrowed = false;
  std::thread narrow{[&] {  // a mask of its own
    cpu_set_t all;
    CPU_ZERO(&all);
    ASSERT_EQ(::sched_getaffinity(0, sizeof all, &all), 0);
    int first = 0;
    while (!CPU_ISSET(first, &all)) ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    narrowed = ::sched_setaffinity(0, sizeof one, &one) == 0;
    call();
  }};
  narrow.join();
  return narrowed;
}

}  // namespace support
