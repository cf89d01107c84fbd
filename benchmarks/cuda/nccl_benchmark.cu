#include <cstdint>
#include <string>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/on_gpu.hpp"
#include "support/paired.hpp"

/// @file
/// A histogram over all GPUs, whose parts they reduce among themselves by NCCL, against merging them on the host, over
/// the histogram's size: from where on NCCL pays is what gpu_options::reduce_bytes_min should be. Nothing bounds it.

namespace gpu_bench {

/// A few counts anywhere: the histogram's size is what matters.
struct scattered {
  std::uint64_t bins;
  FASTGPU_HD void operator()(std::uint64_t i, fastgpu::tally<fastgpu::sum<std::uint64_t>> counts) const
  {
    counts.merge(static_cast<std::int64_t>(i * 0x9e3779b97f4a7c15 % bins), 1);
  }
};
FASTGPU_REGISTER("benchmark.scattered", scattered)

}  // namespace gpu_bench

namespace {

fastgpu::cluster all_gpus(std::uint64_t reduce_bytes_min)
{
  fastgpu::cluster_options options;
  options.devices = "cuda:all";
  options.gpu.reduce_bytes_min = reduce_bytes_min;
  return fastgpu::cluster{options};
}

void nccl_aggregate(benchmark::State& state, std::size_t bytes)
{
  auto by_nccl = all_gpus(1);
  auto on_host = all_gpus(0);
  const auto gpus = by_nccl.devices().size();
  if (gpus < 2) return state.SkipWithError("skipped: needs two GPUs, and there is one");

  const auto bins = bench::sized(bytes / sizeof(std::uint64_t), std::size_t{1} << 10);
  const auto job = fastgpu::make_job(
      fastgpu::space<1>{std::int64_t{1} << 20, fastgpu::by_count{64 * static_cast<std::int64_t>(gpus)}},
      gpu_bench::scattered{bins}, fastgpu::reduced(fastgpu::sum<std::uint64_t>{}, static_cast<std::int64_t>(bins)));
  std::vector<std::uint64_t> reduced;
  std::vector<std::uint64_t> merged;
  std::uint64_t in_groups = 0;
  bench::paired contest{1, 1};
  contest.add("reduced by NCCL", [&] {
    auto value = fastgpu::aggregate(fastgpu::execute(by_nccl, job));
    in_groups += value.summary().seals_in_groups;
    reduced = value.get();
  });
  contest.add("merged on the host", [&] { merged = fastgpu::aggregate(fastgpu::execute(on_host, job)).get(); });
  contest.run(15);
  if (reduced != merged) return bench::fail(state, "NCCL and the host have different sums");
  if (in_groups == 0) return bench::fail(state, "the GPUs never reduced among themselves");
  bench::report(state, contest,
                {{.what = "time over the host's", .key = "time_over_host", .value = contest.ratio(0, 1)}});
}

const bench::registration all{[] {
  for (const std::size_t mib : {std::size_t{1}, std::size_t{16}, std::size_t{256}}) {
    bench::add_on_gpu("gpu/nccl_aggregate/" + std::to_string(mib) + "MiB",
                      [mib](benchmark::State& state) { nccl_aggregate(state, mib << 20); });
  }
}};

}  // namespace
