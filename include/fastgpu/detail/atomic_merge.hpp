#pragma once

#include <fastgpu/config.hpp>

#if defined(__CUDACC__) || defined(FASTGPU_DETAIL_EMULATED_CUDA)

#include <cstdint>
#include <cstring>
#include <type_traits>

#include <fastgpu/aggregate/operations.hpp>

/// @file
/// Merging into memory that other threads of the GPU merge into at the same time. Empty but for nvcc.

namespace fastgpu::inline v0::detail {

template <class Word>
__device__ Word atomic_load(const Word* at)
{
#if defined(__CUDACC__)
  return *static_cast<const volatile Word*>(at);
#else
  return __atomic_load_n(at, __ATOMIC_RELAXED);
#endif
}

/// *at = op(*at, value), in one step for all threads of the GPU. Of 4 or 8 bytes: no GPU does more in one.
template <class Op, class V>
__device__ void atomic_merge(V* at, const V& value, const Op& op)
{
  static_assert(sizeof(V) == 4 || sizeof(V) == 8);
  if constexpr (std::is_same_v<Op, sum<V>> && (std::is_same_v<V, float> || std::is_same_v<V, double> ||
                                              std::is_same_v<V, int> || std::is_same_v<V, unsigned>)) {
    atomicAdd(at, value);
  } else if constexpr (std::is_same_v<Op, sum<V>> && std::is_integral_v<V> && sizeof(V) == 8) {
    atomicAdd(reinterpret_cast<unsigned long long*>(at), static_cast<unsigned long long>(value));
  } else {
    using word = std::conditional_t<sizeof(V) == 4, unsigned, unsigned long long>;
    auto* words = reinterpret_cast<word*>(at);
    auto seen = atomic_load(words);
    for (;;) {
      V old;
      memcpy(&old, &seen, sizeof old);
      const V merged = op(old, value);
      word wanted;
      memcpy(&wanted, &merged, sizeof wanted);
      const auto found = atomicCAS(words, seen, wanted);
      if (found == seen) return;
      seen = found;
    }
  }
}

}  // namespace fastgpu::inline v0::detail

#endif
