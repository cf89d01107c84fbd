#include <cstdint>
#include <string>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/on_gpu.hpp"
#include "support/paired.hpp"
#include "support/spin.cuh"

/// @file
/// Many subtasks of one thread block each, and what batches and subtasks cost the host.
///
/// Bounds  Busy share of at least 0.90 from 20 microseconds up: time of all subtasks / (wall time x blocks that are on
///         the GPU at a time). 10,000 blocks on 1,056 places are ten rounds, the last one half empty: 0.947 is the most
///         there is on a GPU of 132 multiprocessors, and the same by one launch of a hand-written kernel stands beside.
///         10 microseconds a batch: the slope of the wall time over the number of batches of one subtask that does
///         nothing. 100 ns a subtask: its slope over the subtasks of as many batches.

namespace gpu_bench {

/// 256 threads of a row of 256 indices: a block.
struct spin {
  std::int64_t cycles;
  FASTGPU_HD void operator()(fastgpu::index<2>) const
  {
#if defined(__CUDA_ARCH__)
    bench::spin_for(cycles);
#endif
  }
};
FASTGPU_REGISTER("benchmark.spin", spin)

struct nothing {
  FASTGPU_HD void operator()(std::uint64_t) const {}
};
FASTGPU_REGISTER("benchmark.nothing", nothing)

}  // namespace gpu_bench

namespace {

constexpr double busy_share_min = 0.90;
constexpr double bounded_from_us = 20;
constexpr double batch_us_max = 10;
constexpr double subtask_ns_max = 100;
constexpr unsigned threads = 256;

__global__ void __launch_bounds__(threads) spin_all(std::uint32_t subtasks, std::int64_t cycles)
{
  for (auto s = blockIdx.x; s < subtasks; s += gridDim.x) bench::spin_for(cycles);
}

void busy_share(benchmark::State& state, double us)
{
  const auto n = bench::sized(10'000u, 100u);
  const auto cycles = static_cast<std::int64_t>(us * bench::cycles_a_microsecond());
  const auto places = bench::resident_blocks(spin_all, threads);
  const fastgpu::space<2> rows{fastgpu::extents{std::int64_t{n}, std::int64_t{threads}},
                               fastgpu::by_size{1, std::int64_t{threads}}};
  fastgpu::cluster cluster{"cuda:0"};
  const bench::gpu_stream stream;

  bench::paired contest{1, bench::sized(us < 50 ? 20 : 4, 1)};
  contest.add("fastgpu", [&] { (void)fastgpu::for_each(cluster, rows, gpu_bench::spin{cycles}); });
  contest.add("one launch", [&] {
    spin_all<<<static_cast<unsigned>(places), threads, 0, stream.get()>>>(n, cycles);
    bench::check(cudaGetLastError(), "launching a kernel");
    stream.wait();
  });
  contest.run(25);

  const auto share = [&](std::size_t who) {
    return contest.each_round([=](const std::vector<double>& s) { return n * us * 1e-6 / (s[who] * places); });
  };
  bench::figure ours{.what = "busy share, fastgpu",
                     .key = "busy_share/fastgpu",
                     .value = share(0),
                     .kind = bench::bound_kind::at_least};
  if (us >= bounded_from_us) ours.bound = busy_share_min;
  bench::report(state, contest,
                {ours,
                 {.what = "busy share, one launch", .key = "busy_share/one_launch", .value = share(1)},
                 {.what = "time over one launch's", .key = "time_over_one_launch", .value = contest.ratio(0, 1)}});
}

void host_costs(benchmark::State& state)
{
  const auto few = bench::sized(1'000u, 10u);
  const auto many = 5 * few;
  constexpr std::uint32_t in_a_batch = 1'024;
  fastgpu::cluster cluster{"cuda:0"};
  const auto run = [&](std::uint32_t batches, std::uint32_t subtasks_a_batch) {
    fastgpu::run_options options;
    options.batches = fastgpu::batching::fixed(subtasks_a_batch);
    const fastgpu::space<1> over{std::uint64_t{batches} * subtasks_a_batch, fastgpu::by_size{1}};
    return fastgpu::for_each(cluster, options, over, gpu_bench::nothing{}).summary().batches;
  };
  if (run(few, 1) != few || run(few, in_a_batch) != few) return bench::fail(state, "batches are cut otherwise");

  bench::paired contest;
  contest.add("few batches", [&] { (void)run(few, 1); });
  contest.add("many batches", [&] { (void)run(many, 1); });
  contest.add("few batches of many", [&] { (void)run(few, in_a_batch); });
  contest.run(25);

  bench::report(
      state, contest,
      {{.what = "a batch",
        .key = "batch_us",
        .value = contest.each_round([=](const std::vector<double>& s) { return (s[1] - s[0]) / (many - few) * 1e6; }),
        .bound = batch_us_max,
        .unit = "us"},
       {.what = "a subtask in a batch",
        .key = "subtask_ns",
        .value = contest.each_round(
            [=](const std::vector<double>& s) { return (s[2] - s[0]) / few / (in_a_batch - 1) * 1e9; }),
        .bound = subtask_ns_max,
        .unit = "ns"}});
}

const bench::registration all{[] {
  for (const int us : {5, 20, 100, 500}) {
    bench::add_on_gpu("gpu/busy_share/" + std::to_string(us) + "us",
                      [us](benchmark::State& state) { busy_share(state, us); });
  }
  bench::add_on_gpu("gpu/host_costs", host_costs);
}};

}  // namespace
