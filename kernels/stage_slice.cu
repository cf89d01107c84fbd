#include "stage_slice.hpp"

#include <algorithm>
#include <cstdint>

#include <fastgpu/detail/border.hpp>

namespace fastgpu::inline v0::kernels {
namespace {

constexpr unsigned threads_per_block = 256;
constexpr std::int64_t blocks_max = 4096;  // grid-stride: more would only wait

/// A thread an element, as words of `Word`: as wide as data and element allow.
template <class Word>
__global__ void __launch_bounds__(threads_per_block)
    stage(const __grid_constant__ detail::argument slices, const __grid_constant__ detail::box region, Word* to,
          std::int64_t count)
{
  const auto words = static_cast<std::int64_t>(slices.element_bytes / sizeof(Word));
  const auto* data = static_cast<const Word*>(slices.data);
  const auto* fill = reinterpret_cast<const Word*>(slices.fill);
  const auto stride = std::int64_t{gridDim.x} * blockDim.x;
  for (auto k = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; k < count; k += stride) {
    const auto from = detail::source_of_slice(slices, region, k);
    const auto* element = from < 0 ? fill : data + from * words;
    for (std::int64_t w = 0; w < words; ++w) to[k * words + w] = element[w];
  }
}

template <class Word>
cudaError_t launch(const detail::argument& slices, const detail::box& region, std::byte* to, std::int64_t count,
                   cudaStream_t stream)
{
  const auto blocks = std::clamp<std::int64_t>((count + threads_per_block - 1) / threads_per_block, 1, blocks_max);
  stage<Word><<<static_cast<unsigned>(blocks), threads_per_block, 0, stream>>>(slices, region,
                                                                               reinterpret_cast<Word*>(to), count);
  return cudaGetLastError();
}

}  // namespace

cudaError_t stage_slice(const detail::argument& slices, const detail::box& region, std::byte* to, cudaStream_t stream)
{
  std::int64_t count = 1;
  for (int d = 0; d < slices.rank; ++d) count *= region.end[d] - region.begin[d];
  if (count == 0) return cudaSuccess;
  const auto bits = reinterpret_cast<std::uintptr_t>(slices.data) | slices.element_bytes;
  if (bits % 8 == 0) return launch<std::uint64_t>(slices, region, to, count, stream);
  if (bits % 4 == 0) return launch<std::uint32_t>(slices, region, to, count, stream);
  if (bits % 2 == 0) return launch<std::uint16_t>(slices, region, to, count, stream);
  return launch<std::uint8_t>(slices, region, to, count, stream);
}

}  // namespace fastgpu::inline v0::kernels
