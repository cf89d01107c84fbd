#pragma once

#include <cstddef>
#include <cstdint>

#include <fastgpu/config.hpp>
#include <fastgpu/index.hpp>

/// @file
/// Threads that work on one block together.

namespace fastgpu::inline v0 {

namespace detail {
struct team_thread;
/// Throws std::length_error.
[[noreturn]] FASTGPU_API void refuse_team_memory(std::size_t wanted, std::size_t there);
}  // namespace detail

/// The most memory that a team can share, in bytes.
inline constexpr std::size_t team_shared_bytes_max = 48 * 1024;

/// The threads of one block and the memory that they share, for kernels that ask for it as their first parameter:
/// `f(const team&, block<N>, views...)`. Every thread calls the kernel with the same block. On a GPU they are a thread
/// block, one for each subtask; on the host there is one thread, for which the same code is plain loops.
///
///   struct turn_round {                                       // blocks of up to 1000
///     static constexpr std::size_t shared_bytes = 1000 * sizeof(int);
///     FASTGPU_HD void operator()(const team& t, block<1> b, in1<int> in, out1<int> out) const
///     {
///       int* there = t.shared<int>(b.count());
///       t.for_each(b, [&](index<1> i) { there[b.end[0] - 1 - i[0]] = in(i); });
///       t.sync();
///       t.for_each(b, [&](index<1> i) { out(i) = there[i[0] - b.begin[0]]; });
///     }
///   };
///
/// The job's granule decides how large blocks are: give one for which the memory is enough, or go through larger blocks
/// in parts, since the default granule knows nothing of it. Where the job reduces, the value that rank() 0 returns counts.
/// What one thread writes to shared memory or an output, others read after the next sync().
///
/// @par Threads  Each thread has its own, as long as it is in the kernel.
class team {
 public:
  /// A team of one, as kernels get it on the host.
  /// @param shared  Its memory, [bytes], aligned to 64. Outlives the team.
  FASTGPU_HD constexpr team(std::byte* shared, std::size_t bytes) : shared_{shared}, bytes_{bytes} {}

  /// This thread's number, from 0 to size() - 1.
  [[nodiscard]] FASTGPU_HD int rank() const
  {
#if defined(FASTGPU_DETAIL_ON_GPU)
    return static_cast<int>(threadIdx.x);
#else
    return rank_;
#endif
  }
  [[nodiscard]] FASTGPU_HD int size() const
  {
#if defined(FASTGPU_DETAIL_ON_GPU)
    return static_cast<int>(blockDim.x);
#else
    return size_;
#endif
  }

  /// Waits until all threads are here. @pre  All of them come here, or none.
  FASTGPU_HD void sync() const
  {
#if defined(FASTGPU_DETAIL_ON_GPU)
    __syncthreads();
#else
    if (arrive_ != nullptr) arrive_(barrier_);
#endif
  }

  /// Room for `count` T in the team's memory, from `at_byte` on. The memory has as many bytes as the kernel's
  /// `static constexpr std::size_t shared_bytes` says, at most team_shared_bytes_max; none where it says nothing, as a
  /// lambda does. It is aligned to 64, and its content is undefined when the kernel begins.
  ///
  /// Where there is not so much, the kernel fails: on the host the run with it, on a GPU as by any other fault.
  template <class T>
  [[nodiscard]] FASTGPU_HD T* shared(std::int64_t count, std::size_t at_byte = 0) const
  {
    const auto wanted = at_byte + static_cast<std::size_t>(count) * sizeof(T);
    if (wanted > bytes_) {
#if defined(__CUDA_ARCH__)
      __trap();
#else
      detail::refuse_team_memory(wanted, bytes_);
#endif
    }
    return reinterpret_cast<T*>(shared_ + at_byte);
  }

  /// Calls each(index<N>) once for every index of `b`, row-major, shared out among the threads: neighbours go to
  /// neighbouring threads. Does not sync().
  template <int N, class Each>
  FASTGPU_HD void for_each(const block<N>& b, const Each& each) const
  {
    if (b.count() <= 0) return;
    if (size() == 1) {
      walk(b, each);
    } else {
      stride(b, each);
    }
  }

 private:
  /// Every index, in loops that a compiler can vectorise.
  template <int N, class Each>
  FASTGPU_HD static void walk(const block<N>& b, const Each& each)
  {
    index<N> at = b.begin;
    if constexpr (N == 1) {
      for (auto i = b.begin[0]; i < b.end[0]; ++i) each(index<1>{{i}});
    } else if constexpr (N == 2) {
      for (at[0] = b.begin[0]; at[0] < b.end[0]; ++at[0]) {
        for (auto x = b.begin[1]; x < b.end[1]; ++x) each(index<2>{{at[0], x}});
      }
    } else {
      for (at[0] = b.begin[0]; at[0] < b.end[0]; ++at[0]) {
        for (at[1] = b.begin[1]; at[1] < b.end[1]; ++at[1]) {
          for (auto x = b.begin[2]; x < b.end[2]; ++x) each(index<3>{{at[0], at[1], x}});
        }
      }
    }
  }

  /// Every size()-th index from rank() on. A step is a number of rows and columns: nothing is divided on the way.
  template <int N, class Each>
  FASTGPU_HD void stride(const block<N>& b, const Each& each) const
  {
    index<N> at;
    index<N> step;
    split(b, rank(), at);
    split(b, size(), step);
    while (at[0] < b.size(0)) {
      index<N> global;
      for (int d = 0; d < N; ++d) global[d] = b.begin[d] + at[d];
      each(global);
      for (int d = N - 1; d >= 0; --d) {
        at[d] += step[d];
        if (d > 0 && at[d] >= b.size(d)) {
          at[d] -= b.size(d);
          ++at[d - 1];
        }
      }
    }
  }

  /// The k-th position of a block, from its first one.
  template <int N>
  FASTGPU_HD static void split(const block<N>& b, std::int64_t k, index<N>& into)
  {
    for (int d = N - 1; d > 0; --d) {
      into[d] = k % b.size(d);
      k /= b.size(d);
    }
    into[0] = k;
  }

  friend struct detail::team_thread;

  std::byte* shared_;
  std::size_t bytes_;
  int rank_ = 0;
  int size_ = 1;
  void (*arrive_)(void*) = nullptr;
  void* barrier_ = nullptr;
};

namespace detail {

/// Makes a thread of a team of several on the host, which wait for each other in `arrive(barrier)`. For tests.
struct team_thread {
  static team make(const team& alone, int rank, int size, void (*arrive)(void*), void* barrier)
  {
    team t = alone;
    t.rank_ = rank;
    t.size_ = size;
    t.arrive_ = arrive;
    t.barrier_ = barrier;
    return t;
  }
};

}  // namespace detail

}  // namespace fastgpu::inline v0
