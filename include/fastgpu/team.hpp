#pragma once

#include <cstddef>
#include <cstdint>

#include <fastgpu/config.hpp>
#include <fastgpu/index.hpp>

/// @file
/// Threads that work on one block together.

namespace fastgpu::inline v0 {

/// The most memory that a team can share, in bytes.
inline constexpr std::size_t team_shared_bytes_max = 48 * 1024;

/// The threads of one block and the memory that they share, for kernels that ask for it as their first parameter:
/// `f(const team&, block<N>, views...)`. Every thread calls the kernel with the same block. On a GPU they are a thread block,
/// one for each subtask; on the host there is one thread, for which the same code is plain loops.
///
///   struct blur {
///     static constexpr std::size_t shared_bytes = 32 * 1024;
///     FASTGPU_HD void operator()(const fastgpu::team& t, fastgpu::block<2> b, fastgpu::in2<float> in, fastgpu::out2<float> out) const
///     {
///       t.for_each(b, [&](fastgpu::index<2> at) { t.shared<float>()[...] = ...; });
///       t.sync();
///       t.for_each(b, [&](fastgpu::index<2> at) { out(at) = ...; });
///     }
///   };
///
/// Where the job reduces, the value that rank() 0 returns counts. What one thread writes to shared memory or an output,
/// others read after the next sync().
///
/// @par Threads  Each thread has its own, as long as it is in the kernel.
class team {
 public:
  /// A team of one, or a thread of several on the host, which wait for each other in `arrive(barrier)`.
  /// @param shared  The team's memory.
  FASTGPU_HD constexpr explicit team(std::byte* shared, int rank = 0, int size = 1, void (*arrive)(void*) = nullptr,
                                     void* barrier = nullptr)
      : shared_{shared}, rank_{rank}, size_{size}, arrive_{arrive}, barrier_{barrier}
  {
  }

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

  /// The team's memory: as many bytes as the kernel's `static constexpr std::size_t shared_bytes` says, up to
  /// team_shared_bytes_max. Aligned to 64; the content is undefined when the kernel begins.
  template <class T>
  [[nodiscard]] FASTGPU_HD T* shared(std::size_t at_byte = 0) const
  {
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

  /// Every size()-th index from rank() on. A step is a number of rows and columns, so that nothing is divided on the way.
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

  std::byte* shared_;
  int rank_;
  int size_;
  void (*arrive_)(void*);
  void* barrier_;
};

}  // namespace fastgpu::inline v0
