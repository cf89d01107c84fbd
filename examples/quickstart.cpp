#include <cstdio>
#include <fastgpu/fastgpu.hpp>

struct inside_circle {                                   // trivially copyable: its bytes travel, not pointers
  FASTGPU_HD std::uint64_t operator()(std::uint64_t i) const {
    const auto [x, y] = fastgpu::uniform2(/*seed*/ 42, i);   // counter-based: the i-th draw, on any device
    return x * x + y * y < 1.0 ? 1 : 0;
  }
};
FASTGPU_REGISTER("example.inside_circle", inside_circle)   // the name that other nodes know it by

int main() {
  fastgpu::cluster cluster;                              // every GPU of this machine, or its CPU cores
  const std::uint64_t n = 1'000'000'000;
  const auto hits = fastgpu::reduce(cluster, n, inside_circle{}, fastgpu::sum<std::uint64_t>{});
  std::printf("pi is about %.6f\n", 4.0 * static_cast<double>(hits) / n);
}
