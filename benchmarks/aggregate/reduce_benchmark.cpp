#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/peers.hpp"
#include "support/report.hpp"

/// @file
/// Sums over an index: elements that cost next to nothing, and elements that come from memory.
///
/// Bound  Median time over that of the best peer, round by round: at most 1.03, the plain loop being a peer too.
///        The memory-bound sum has another bound by nature: bytes against bandwidth.

namespace {

constexpr double over_best_peer_max = 1.03;
constexpr int rounds = 31;

/// 64-bit multiply-xor hash.
struct integer_hash {
  std::uint64_t operator()(std::uint64_t i) const
  {
    i = (i ^ (i >> 31)) * 0x7fb5d329728ea185;
    i = (i ^ (i >> 27)) * 0x81dadef4bc2dd44d;
    return i ^ (i >> 33);
  }
};

struct reciprocal {
  double operator()(std::uint64_t i) const { return 1.0 / (1.0 + static_cast<double>(i)); }
};

template <class V, class F>
void sum_of_computed(benchmark::State& state, int threads, F f)
{
  const auto n = bench::sized<std::uint64_t>(100'000'000, 100'000);
  fastgpu::cluster cluster{"host:" + std::to_string(threads)};
  V total{};
  bench::paired contest;
  contest.add("fastgpu", [&] { total = fastgpu::reduce(cluster, n, f, fastgpu::sum<V>{}).get(); });
  bench::add_sums<V>(contest, threads, n, f, &total);
  contest.run(rounds);
  bench::report(state, contest, {bench::time_over_best_peer(contest, over_best_peer_max)});
}

/// Bytes of the last level of the first core's cache; 32 MiB where it is not told.
std::size_t last_level_cache_bytes()
{
  std::ifstream file{"/sys/devices/system/cpu/cpu0/cache/index3/size"};
  std::size_t kib = 0;
  return file >> kib ? kib * 1024 : std::size_t{32} << 20;
}

void sum_of_loaded(benchmark::State& state, int threads)
{
  const auto n = bench::sized(8 * last_level_cache_bytes() / sizeof(double), std::size_t{100'000});
  std::vector<double> data(n);
  for (std::size_t i = 0; i < n; ++i) data[i] = 1.0 / (1.0 + static_cast<double>(i));
  fastgpu::cluster cluster{"host:" + std::to_string(threads)};
  double total = 0;
  bench::paired contest;
  contest.add("fastgpu", [&] {
    total = fastgpu::map_reduce(cluster, data, [](double x) { return x; }, fastgpu::sum<double>{}).get();
  });
  bench::add_sums<double>(contest, threads, n, [first = data.data()](std::uint64_t i) { return first[i]; }, &total);
  contest.run(rounds);

  const auto gigabytes = static_cast<double>(n * sizeof(double)) * 1e-9;
  const auto bandwidth = contest.each_round([&](const std::vector<double>& s) { return gigabytes / s[0]; });
  bench::report(state, contest,
                {bench::time_over_best_peer(contest, over_best_peer_max),
                 {.what = "bandwidth", .key = "gigabytes_per_second", .value = bandwidth, .unit = "GB/s"}});
}

const bench::registration all{[] {
  for (const int threads : {1, 2}) {
    const auto suffix = "/threads:" + std::to_string(threads);
    bench::add("reduce/integer_hash" + suffix,
               [=](auto& state) { sum_of_computed<std::uint64_t>(state, threads, integer_hash{}); });
    bench::add("reduce/reciprocal" + suffix,
               [=](auto& state) { sum_of_computed<double>(state, threads, reciprocal{}); });
    bench::add("reduce/memory" + suffix, [=](auto& state) { sum_of_loaded(state, threads); });
  }
}};

}  // namespace
