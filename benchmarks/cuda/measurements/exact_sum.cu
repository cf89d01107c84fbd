#include <cstdint>
#include <cstring>
#include <string>

#include <fastgpu/fastgpu.hpp>

#include "cuda/measurements/measurement.hpp"

/// @file
/// What the modes of aggregation cost an element, and whether `ordered` and `exact` keep their promise of the same bits.

namespace measured_kernels {

/// Over many powers of two: additions in another order give other bits.
struct rough {
  static constexpr bool portable_arithmetic = true;
  FASTGPU_HD double operator()(std::uint64_t i) const
  {
    auto x = (i + 1) * 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = x ^ (x >> 27);
    const auto bits = ((1023 - 30 + x % 61) << 52) | (x >> 12);
    double value = 0;
    static_assert(sizeof value == sizeof bits);
    std::memcpy(&value, &bits, sizeof value);
    return (x & 1024) != 0 ? -value : value;
  }
};
FASTGPU_REGISTER("measurement.rough", rough)

}  // namespace measured_kernels

namespace {

using fastgpu::reduction;
using measured_kernels::rough;

double sum(fastgpu::cluster& on, std::uint64_t n, reduction mode, fastgpu::batching batches)
{
  fastgpu::run_options options;
  options.reduction = mode;
  options.batches = batches;
  return fastgpu::reduce(on, n, rough{}, fastgpu::sum<double>{}, options).get();
}

void exact_sum(measured::figures& found)
{
  fastgpu::cluster gpu{"cuda:0"};
  constexpr std::uint64_t n = std::uint64_t{1} << 30;
  double fast_us = 0;
  for (const auto mode : {reduction::fast, reduction::ordered, reduction::exact}) {
    const auto us = measured::median_us(5, [&] { (void)sum(gpu, n, mode, fastgpu::batching::adaptive()); });
    if (mode == reduction::fast) fast_us = us;
    const std::string name = fastgpu::to_string(mode);
    found.add(name + "_ns_an_element", us * 1e3 / static_cast<double>(n));
    found.add(name + "_over_fast", us / fast_us);
  }

  fastgpu::cluster cores{"host:2"};
  constexpr std::uint64_t few = 4'000'003;
  for (const auto mode : {reduction::ordered, reduction::exact}) {
    const auto expected = sum(cores, few, mode, fastgpu::batching::adaptive());
    for (const auto batches :
         {fastgpu::batching::adaptive(), fastgpu::batching::fixed(7), fastgpu::batching::fixed(1000)}) {
      const auto got = sum(gpu, few, mode, batches);
      if (std::memcmp(&got, &expected, sizeof got) != 0) {
        throw std::runtime_error{std::string{"GPU and CPU differ in bits of mode "} + fastgpu::to_string(mode)};
      }
    }
  }
  found.add("same_bits", std::string{"ordered and exact: on GPU and CPU, for three ways to cut batches"});
}

const measured::registration added{7,
                                   {"exact_sum", "ns an element in each mode; same bits on GPU and CPU", &exact_sum}};

}  // namespace
