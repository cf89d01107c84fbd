#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <string>

#include <fastgpu/fastgpu.hpp>

#include "support/chain.hpp"
#include "support/peers.hpp"

/// @file
/// subtask_instructions MODE COUNT: runs COUNT subtasks that do nothing, on one thread, once. To be run under an
/// instruction counter at two counts: the slope is what a subtask costs.

namespace {

void nothing(std::uint64_t i) { bench::keep(i); }

template <class F>
void run_fastgpu(std::uint64_t n, fastgpu::batching batches, F f)
{
  fastgpu::cluster cluster{"host:1"};
  fastgpu::run_options options;
  options.batches = batches;
  (void)fastgpu::for_each(cluster, options, fastgpu::space{n, fastgpu::by_size{1}}, f);
}

/// Runs the loop that `add` adds to a contest, without one. @return false where the peer is not installed.
template <class Add>
bool run_peer(const Add& add)
{
  bench::paired contest;
  add(contest);
  if (contest.size() == 0) return false;
  contest.run_once();
  return true;
}

}  // namespace

int main(int argc, char** argv)
{
  const std::string mode = argc == 3 ? argv[1] : "";
  const auto n = argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 0;
  const auto f = [](std::uint64_t i) { nothing(i); };
  const auto f_of_block = [](fastgpu::block<1> b) { nothing(static_cast<std::uint64_t>(b.begin[0])); };
  const auto peer = [&](bench::schedule how) {
    return run_peer([&](bench::paired& contest) { bench::add_loop(contest, how, 1, n, f); });
  };
  bool ran = true;
  if (mode == "fastgpu_in_batches") {
    run_fastgpu(n, fastgpu::batching::adaptive(), f);
  } else if (mode == "fastgpu_blocks_in_batches") {
    run_fastgpu(n, fastgpu::batching::adaptive(), f_of_block);
  } else if (mode == "fastgpu_one_by_one") {
    run_fastgpu(n, fastgpu::batching::fixed(1), f);
  } else if (mode == "tbb_auto") {
    ran = peer(bench::schedule::tbb_auto);
  } else if (mode == "tbb_grain_1") {
    ran = peer(bench::schedule::tbb_grain_1);
  } else if (mode == "omp_static") {
    ran = peer(bench::schedule::omp_static);
  } else if (mode == "omp_dynamic_1") {
    ran = peer(bench::schedule::omp_dynamic_1);
  } else if (mode == "plain_loop") {
    run_peer([&](bench::paired& contest) { bench::add_plain_loop(contest, n, f); });
  } else {
    std::cerr << "subtask_instructions: expected MODE COUNT; modes: fastgpu_in_batches fastgpu_blocks_in_batches "
                 "fastgpu_one_by_one tbb_auto tbb_grain_1 omp_static omp_dynamic_1 plain_loop\n";
    return 2;
  }
  return ran ? 0 : 3;
}
