#include "support/emulated_backend.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>

#include <fastgpu/fastgpu.hpp>

#include "support/fake_gpu_kind.hpp"

/// @file
/// Allocations that fail, one after the other: each ends in an exception or in the right answer, whichever thread it
/// meets, and never the process. This program has its own operator new.

namespace {

std::atomic<std::int64_t> allocations_left = -1;  // until one fails; negative: none does
std::atomic<bool> one_failed = false;

void* allocate(std::size_t bytes, std::size_t alignment)
{
  if (allocations_left.load(std::memory_order_relaxed) >= 0 && allocations_left.fetch_sub(1) == 0) {
    one_failed = true;
    throw std::bad_alloc{};
  }
  const auto rounded = (bytes + alignment) / alignment * alignment;
  if (auto* p = std::aligned_alloc(alignment, rounded)) return p;
  throw std::bad_alloc{};
}

}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new(std::size_t bytes, std::align_val_t alignment)
{
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace {

struct setting {
  const char* devices;
  bool callers_work;
  fastgpu::reduction reduction;
  bool vectors = false;  ///< Which GPUs merge.
};

class OutOfMemory : public testing::TestWithParam<setting> {};

TEST_P(OutOfMemory, EndsInAnExceptionOrInTheAnswer)
{
  const auto [devices, callers_work, reduction, vectors] = GetParam();
  int failures = 0;
  int in_a_row = 0;  // runs that did not get as far; how many allocations there are depends on steals
  for (std::int64_t at = 0; in_a_row < 5; ++at) {
    fastgpu::cluster_options options;
    options.devices = devices;
    options.callers_work = callers_work;
    options.gpu.resident_bytes_min = 1;
    fastgpu::cluster cluster{options};
    fastgpu::run_options how;
    how.reduction = reduction;
    how.trace = !callers_work;
    how.seal_every = fastgpu::seconds{callers_work ? 2.0 : 1e-5};
    const auto sum = [&]() -> double {
      if (vectors) {
        const auto job = fastgpu::make_job(
            fastgpu::space(1000, fastgpu::by_size{3}),
            [](std::uint64_t i, fastgpu::tally<fastgpu::sum<double>> to) {
              to.merge(static_cast<std::int64_t>(i % 2), static_cast<double>(i));
            },
            fastgpu::reduced(fastgpu::sum<double>{}, 2));
        const auto bins = fastgpu::aggregate(fastgpu::execute(cluster, job, how)).get();
        return bins[0] + bins[1];
      }
      return fastgpu::reduce(
          cluster, fastgpu::space(1000, fastgpu::by_size{3}), [](std::uint64_t i) { return static_cast<double>(i); },
          fastgpu::sum<double>{}, how);
    };
    one_failed = false;
    allocations_left = at;
    try {
      const auto total = sum();
      allocations_left = -1;
      EXPECT_EQ(total, 499500.0);
    } catch (const std::bad_alloc&) {
      ++failures;
    } catch (const fastgpu::error&) {
      ++failures;
    }
    allocations_left = -1;
    in_a_row = one_failed ? 0 : in_a_row + 1;
    EXPECT_EQ(sum(), 499500.0);  // nothing of it is left behind
  }
  EXPECT_GT(failures, 10);
}

INSTANTIATE_TEST_SUITE_P(All, OutOfMemory,
                         testing::Values(setting{"host:2", true, fastgpu::reduction::ordered},
                                         setting{"host:2", false, fastgpu::reduction::ordered},
                                         setting{"host:2", false, fastgpu::reduction::exact},
                                         setting{"host:1,faulty:44", true, fastgpu::reduction::ordered},
                                         setting{"host:1,faulty:44,faulty:134", false, fastgpu::reduction::fast},
                                         setting{"fakegpu:1", false, fastgpu::reduction::ordered},
                                         setting{"fakegpu:2,host:1", true, fastgpu::reduction::exact},
                                         setting{"fakegpu:3", false, fastgpu::reduction::ordered, true}),
                         [](const auto& one) { return "Setting" + std::to_string(one.index); });

}  // namespace
