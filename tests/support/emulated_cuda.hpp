#pragma once

#include <barrier>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

/// @file
/// As much of CUDA C++ as fastgpu/cuda/runner.cuh needs, on threads of the host: the very kernels that GPUs run, read by g++.
/// The threads of a block are threads that wait for each other in __syncthreads(), so that a thread sanitizer finds where
/// one is missing. Blocks run one after the other. Include it first, and in every file of an executable: it decides what
/// inline functions do.

#define FASTGPU_DETAIL_EMULATED_CUDA
#define __global__
#define __device__
#define __shared__ static
#define __grid_constant__
#define __launch_bounds__(...)

namespace emulated_cuda {

struct position {
  unsigned x = 0;
};

struct block {
  explicit block(unsigned threads) : barrier{static_cast<std::ptrdiff_t>(threads)} {}
  std::barrier<> barrier;
};
inline thread_local block* current = nullptr;

}  // namespace emulated_cuda

inline thread_local emulated_cuda::position threadIdx;
inline thread_local emulated_cuda::position blockIdx;
inline thread_local emulated_cuda::position blockDim{1};
inline thread_local emulated_cuda::position gridDim{1};

inline void __syncthreads()
{
  if (emulated_cuda::current != nullptr) emulated_cuda::current->barrier.arrive_and_wait();
}
inline void __threadfence() {}  // blocks follow each other, and each ends at the barrier

template <class Word>
Word atomicCAS(Word* at, Word expected, Word wanted)
{
  __atomic_compare_exchange_n(at, &expected, wanted, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
}

template <class T>
T atomicAdd(T* at, T by)
{
  if constexpr (std::is_integral_v<T>) {
    return __atomic_fetch_add(at, by, __ATOMIC_RELAXED);
  } else {
    using word = std::conditional_t<sizeof(T) == 4, unsigned, unsigned long long>;
    auto* words = reinterpret_cast<word*>(at);
    for (auto seen = __atomic_load_n(words, __ATOMIC_RELAXED);;) {
      const auto found = atomicCAS(words, seen, std::bit_cast<word>(std::bit_cast<T>(seen) + by));
      if (found == seen) return std::bit_cast<T>(seen);
      seen = found;
    }
  }
}

/// Wraps round to 0 after `last`.
inline unsigned atomicInc(unsigned* at, unsigned last)
{
  for (auto seen = __atomic_load_n(at, __ATOMIC_RELAXED);;) {
    const auto found = atomicCAS(at, seen, seen >= last ? 0u : seen + 1);
    if (found == seen) return seen;
    seen = found;
  }
}

namespace emulated_cuda {

/// Threads that live as long as the process, since most of a small launch would be making them.
class thread_pool {
 public:
  static constexpr unsigned size = 256;  ///< The most that a block of the library's kernels has.

  static thread_pool& instance()
  {
    static thread_pool pool;
    return pool;
  }
  /// Calls work(t) in thread t, for each t below `threads`.
  void run(unsigned threads, std::function<void(unsigned)> work)
  {
    const std::lock_guard one_at_a_time{mutex_};
    threads_ = threads;
    work_ = std::move(work);
    turn_.arrive_and_wait();
    turn_.arrive_and_wait();
    work_ = nullptr;
  }

 private:
  thread_pool()
  {
    for (unsigned t = 0; t < size; ++t) pool_.emplace_back([this, t] { serve(t); });
  }
  ~thread_pool()
  {
    ending_ = true;
    turn_.arrive_and_wait();
  }
  void serve(unsigned t)
  {
    for (;;) {
      turn_.arrive_and_wait();
      if (ending_) return;
      if (t < threads_) work_(t);
      turn_.arrive_and_wait();
    }
  }

  std::mutex mutex_;
  std::barrier<> turn_{size + 1};
  unsigned threads_ = 0;
  std::function<void(unsigned)> work_;
  bool ending_ = false;
  std::vector<std::jthread> pool_;  // the last: joined before what it uses is gone
};

/// Runs `kernel(arguments...)` in every thread of `blocks` blocks.
template <class... Params, class... Arguments>
void run_grid(void (*kernel)(Params...), unsigned blocks, unsigned threads, const Arguments&... arguments)
{
  block one{threads};
  thread_pool::instance().run(threads, [&](unsigned t) {
    current = &one;
    threadIdx.x = t;
    blockDim.x = threads;
    gridDim.x = blocks;
    for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) {
      kernel(arguments...);
      one.barrier.arrive_and_wait();  // the next block takes the shared memory
    }
  });
}

}  // namespace emulated_cuda
