#pragma once

#include <cstdint>

#include <fastgpu/fastgpu.hpp>

/// @file
/// What nodes run in benchmarks.

namespace bench {

/// Nothing.
struct one {
  FASTGPU_HD std::uint64_t operator()(std::uint64_t) const { return 1; }
};
FASTGPU_REGISTER("bench.one", one, fastgpu::sum<std::uint64_t>)

/// Some nanoseconds.
struct hash {
  FASTGPU_HD std::uint64_t operator()(std::uint64_t i) const
  {
    for (int round = 0; round < 8; ++round) i = (i ^ (i >> 29)) * 0xbf58476d1ce4e5b9;
    return i;
  }
};
FASTGPU_REGISTER("bench.hash", hash, fastgpu::sum<std::uint64_t>)

}  // namespace bench
