#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <fastgpu/fastgpu.hpp>

#if FASTGPU_BENCHMARK_TBB
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>
#include <tbb/partitioner.h>
#include <tbb/task_arena.h>
#endif

#include "paired.hpp"

/// @file
/// The others: a plain loop, oneTBB and OpenMP, each as its manual says. What is not installed does not take part.
///
/// Loops are written here once, as templates over the body, so that every contestant's compiler sees the body alike;
/// all of them are compiled with the same flags.

namespace bench {

/// How a peer shares out the iterations of a loop.
enum class schedule { tbb_auto, tbb_grain_1, omp_static, omp_dynamic_1, omp_dynamic_16, omp_guided };

/// Adds `for (i = 0; i < n; ++i) f(i)`, as it stands.
template <class F>
void add_plain_loop(paired& contest, std::uint64_t n, F f)
{
  contest.add("plain loop", [n, f] {
    for (std::uint64_t i = 0; i < n; ++i) f(i);
  });
}

/// Adds the same loop on `threads` threads of a peer.
template <class F>
void add_loop([[maybe_unused]] paired& contest, schedule how, [[maybe_unused]] int threads,
              [[maybe_unused]] std::uint64_t n, [[maybe_unused]] F f)
{
#if FASTGPU_BENCHMARK_TBB
  const auto body = [f](const tbb::blocked_range<std::uint64_t>& r) {
    for (auto i = r.begin(); i < r.end(); ++i) f(i);
  };
  const auto arena = std::make_shared<tbb::task_arena>(threads);
#endif
  switch (how) {
#if FASTGPU_BENCHMARK_TBB
    case schedule::tbb_auto:
      return contest.add("oneTBB auto", [=] {
        arena->execute([&] { tbb::parallel_for(tbb::blocked_range<std::uint64_t>{0, n}, body); });
      });
    case schedule::tbb_grain_1:
      return contest.add("oneTBB grain 1", [=] {
        arena->execute(
            [&] { tbb::parallel_for(tbb::blocked_range<std::uint64_t>{0, n, 1}, body, tbb::simple_partitioner{}); });
      });
#endif
#ifdef _OPENMP
    case schedule::omp_static:
      return contest.add("OpenMP static", [=] {
#pragma omp parallel for schedule(static) num_threads(threads)
        for (std::uint64_t i = 0; i < n; ++i) f(i);
      });
    case schedule::omp_dynamic_1:
      return contest.add("OpenMP dynamic,1", [=] {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
        for (std::uint64_t i = 0; i < n; ++i) f(i);
      });
    case schedule::omp_dynamic_16:
      return contest.add("OpenMP dynamic,16", [=] {
#pragma omp parallel for schedule(dynamic, 16) num_threads(threads)
        for (std::uint64_t i = 0; i < n; ++i) f(i);
      });
    case schedule::omp_guided:
      return contest.add("OpenMP guided", [=] {
#pragma omp parallel for schedule(guided) num_threads(threads)
        for (std::uint64_t i = 0; i < n; ++i) f(i);
      });
#endif
    default: return;
  }
}

/// Adds the sum of f(i) over [0, n) by a plain loop and by the peers' own reductions, each into `*total`.
template <class V, class F>
void add_sums(paired& contest, [[maybe_unused]] int threads, std::uint64_t n, F f, V* total)
{
#if FASTGPU_BENCHMARK_TBB
  const auto arena = std::make_shared<tbb::task_arena>(threads);
  contest.add("oneTBB", [=] {
    arena->execute([&] {
      *total = tbb::parallel_reduce(
          tbb::blocked_range<std::uint64_t>{0, n}, V{},
          [f](const tbb::blocked_range<std::uint64_t>& r, V sum) {
            for (auto i = r.begin(); i < r.end(); ++i) sum += f(i);
            return sum;
          },
          std::plus<V>{});
    });
  });
#endif
#ifdef _OPENMP
  contest.add("OpenMP", [=] {
    V sum{};
#pragma omp parallel for reduction(+ : sum) num_threads(threads)
    for (std::uint64_t i = 0; i < n; ++i) sum += f(i);
    *total = sum;
  });
  contest.add("OpenMP simd", [=] {  // may add in another order, as fastgpu's lanes do
    V sum{};
#pragma omp parallel for simd reduction(+ : sum) num_threads(threads)
    for (std::uint64_t i = 0; i < n; ++i) sum += f(i);
    *total = sum;
  });
#endif
  contest.add("plain loop", [=] {
    V sum{};
    for (std::uint64_t i = 0; i < n; ++i) sum += f(i);
    *total = sum;
  });
}

}  // namespace bench
