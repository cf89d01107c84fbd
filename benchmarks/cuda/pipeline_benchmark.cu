#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/on_gpu.hpp"
#include "support/paired.hpp"

/// @file
/// Three stages that can overlap: a gibibyte is copied in from page-locked memory, worked on, and copied out. The
/// kernel is made as long as the copy.
///
/// Bound  1.15 of the longest stage's time, each stage alone and in one piece.

namespace gpu_bench {

struct polynomial {
  std::uint32_t terms;

  FASTGPU_HD float at(float x) const
  {
    float sum = 1;
    for (std::uint32_t t = 0; t < terms; ++t) sum = sum * x + 1;
    return sum;
  }
  FASTGPU_HD void operator()(std::uint64_t i, fastgpu::in1<float> in, fastgpu::out1<float> out) const
  {
    const auto here = static_cast<std::int64_t>(i);
    out(here) = at(in(here));
  }
};
FASTGPU_REGISTER("benchmark.polynomial", polynomial)

}  // namespace gpu_bench

namespace {

using gpu_bench::polynomial;

constexpr double time_over_longest_stage_max = 1.15;
constexpr unsigned threads = 256;

__global__ void __launch_bounds__(threads) evaluate(polynomial p, const float* in, float* out, std::size_t n)
{
  const auto stride = std::size_t{gridDim.x} * blockDim.x;
  for (auto i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += stride) out[i] = p.at(in[i]);
}

void pipeline(benchmark::State& state)
{
  const auto n = bench::sized(std::size_t{1} << 28, std::size_t{1} << 16);
  const bench::pinned_array<float> in{n};
  const bench::pinned_array<float> out{n};
  const bench::gpu_array<float> gpu_in{n};
  const bench::gpu_array<float> gpu_out{n};
  for (std::size_t i = 0; i < n; ++i) in.data()[i] = static_cast<float>(i % 1000) / 1000;
  const bench::gpu_stream stream;
  const auto blocks = static_cast<unsigned>(bench::resident_blocks(evaluate, threads));

  const auto copy_in = [&] {
    bench::check(cudaMemcpyAsync(gpu_in.data(), in.data(), in.bytes(), cudaMemcpyDefault, stream.get()), "copying in");
    stream.wait();
  };
  const auto compute = [&](std::uint32_t terms) {
    evaluate<<<blocks, threads, 0, stream.get()>>>(polynomial{terms}, gpu_in.data(), gpu_out.data(), n);
    bench::check(cudaGetLastError(), "launching a kernel");
    stream.wait();
  };
  copy_in();
  compute(1);
  const auto copied = bench::measure(copy_in).seconds;
  constexpr std::uint32_t tried = 1024;
  const auto computed = bench::measure([&] { compute(tried); }).seconds;
  const auto terms = static_cast<std::uint32_t>(std::max(1.0, tried * copied / computed));

  fastgpu::cluster cluster{"cuda:0"};
  const fastgpu::extents<1> size{{static_cast<std::int64_t>(n)}};
  const fastgpu::memory pinned{fastgpu::memory_kind::pinned};
  const fastgpu::data_view<const float, 1> from{in.data(), size, pinned};
  const fastgpu::data_view<float, 1> to{out.data(), size, pinned};

  bench::paired contest;
  contest.add("fastgpu", [&] {
    (void)fastgpu::for_each(cluster, size, polynomial{terms}, fastgpu::slices(from), fastgpu::gather(to));
  });
  contest.add("copy in", copy_in);
  contest.add("kernel", [&] { compute(terms); });
  contest.add("copy out", [&] {
    bench::check(cudaMemcpyAsync(out.data(), gpu_out.data(), out.bytes(), cudaMemcpyDefault, stream.get()),
                 "copying out");
    stream.wait();
  });
  std::fill_n(out.data(), n, -1.0f);
  (void)fastgpu::for_each(cluster, size, polynomial{terms}, fastgpu::slices(from), fastgpu::gather(to));
  const std::vector<float> ours{out.data(), out.data() + n};
  contest.run(15);
  compute(terms);
  bench::check(cudaMemcpy(out.data(), gpu_out.data(), out.bytes(), cudaMemcpyDefault), "copying out");
  if (!std::equal(ours.begin(), ours.end(), out.data())) {
    return bench::fail(state, "fastgpu and the hand-written kernel have different values");
  }

  bench::report(
      state, contest,
      {{.what = "time over the longest stage's",
        .key = "time_over_longest_stage",
        .value = contest.each_round([](const std::vector<double>& s) {
          return s[0] / std::max({s[1], s[2], s[3]});
        }),
        .bound = time_over_longest_stage_max},
       {.what = "time over that of all stages",
        .key = "time_over_all_stages",
        .value = contest.each_round([](const std::vector<double>& s) { return s[0] / (s[1] + s[2] + s[3]); })}});
}

const bench::registration all{[] { bench::add_on_gpu("gpu/pipeline", pipeline); }};

}  // namespace
