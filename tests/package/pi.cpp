#include <cstdint>
#include <cstdio>

#include <fastgpu/fastgpu.hpp>

/// @file
/// A program as outside projects have them: pi by chance.

struct inside_circle {
  FASTGPU_HD std::uint64_t operator()(std::uint64_t i) const
  {
    const auto [x, y] = fastgpu::uniform2(42, i);
    return x * x + y * y < 1.0 ? 1 : 0;
  }
};

int main()
{
  fastgpu::cluster cluster;
  const std::uint64_t n = 1'000'000;
  const auto hits = fastgpu::reduce(cluster, n, inside_circle{}, fastgpu::sum<std::uint64_t>{});
  const double pi = 4.0 * static_cast<double>(hits) / static_cast<double>(n);
  std::printf("pi is about %.6f\n", pi);
  return pi > 3.13 && pi < 3.15 ? 0 : 1;
}
