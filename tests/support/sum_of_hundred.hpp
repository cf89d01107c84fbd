#pragma once

#include <cstdint>

#include <fastgpu/job.hpp>

/// @file
/// The job that devices are tried with.

namespace support {

/// The sum of the numbers below a hundred, `granule` of them a subtask. A function for each back end that files bring.
template <class = fastgpu::detail::this_backend>
auto sum_of_hundred(std::int64_t granule = 10)
{
  return fastgpu::make_job(
      fastgpu::space{100, fastgpu::by_size{granule}}, [](std::uint64_t i) { return i; },
      fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
}

}  // namespace support
