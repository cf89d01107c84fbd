#pragma once

#if defined(__CUDACC__)

#include <cstdint>
#include <cstring>
#include <type_traits>

#include <fastgpu/aggregate/operations.hpp>

/// @file
/// Merging into memory that other threads of the GPU merge into at the same time. Empty but for nvcc.

namespace fastgpu::inline v0::detail {

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
    auto seen = *reinterpret_cast<volatile word*>(words);
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
