#include <fastgpu/detail/argument.hpp>

#include <algorithm>
#include <cstring>

#include <fastgpu/detail/border.hpp>

namespace fastgpu::inline v0::detail {

std::size_t staging_bytes(const argument& slices, const std::int64_t (&tile)[3]) noexcept
{
  std::size_t elements = 1;
  for (int d = 0; d < slices.rank; ++d) elements *= static_cast<std::size_t>(tile[d] + 2 * slices.halo);
  return elements * slices.element_bytes;
}

bool needs_staging(const argument& slices, const box& region) noexcept
{
  for (int d = 0; d < slices.rank; ++d) {
    if (region.begin[d] < 0 || region.end[d] > slices.extent[d]) return true;
  }
  return false;
}

void stage_slice(const argument& slices, const box& region, std::byte* to) noexcept
{
  const auto edge = static_cast<border>(slices.edge);
  const auto bytes = std::size_t{slices.element_bytes};
  const auto* data = static_cast<const std::byte*>(slices.data);
  const int last = slices.rank - 1;

  // Loops over the dimensions before the last; absent ones have one round.
  std::int64_t begin[2] = {0, 0};
  std::int64_t end[2] = {1, 1};
  for (int d = 0; d < last; ++d) {
    begin[d] = region.begin[d];
    end[d] = region.end[d];
  }
  const auto row_begin = region.begin[last];
  const auto row_end = region.end[last];
  const auto row_size = slices.extent[last];

  for (auto p = begin[0]; p < end[0]; ++p) {
    for (auto q = begin[1]; q < end[1]; ++q) {
      std::int64_t offset = 0;
      bool outside = false;
      const std::int64_t at[2] = {p, q};
      for (int d = 0; d < last; ++d) {
        const auto from = source_position(at[d], slices.extent[d], edge);
        outside = outside || from < 0;
        offset += from * slices.stride[d];
      }
      for (auto x = row_begin; x < row_end;) {
        if (!outside && x >= 0 && x < row_size) {
          const auto run = static_cast<std::size_t>(std::min(row_end, row_size) - x);
          std::memcpy(to, data + static_cast<std::size_t>(offset + x) * bytes, run * bytes);
          to += run * bytes;
          x += static_cast<std::int64_t>(run);
          continue;
        }
        const auto from = outside ? -1 : source_position(x, row_size, edge);
        const auto* element = from < 0 ? slices.fill : data + static_cast<std::size_t>(offset + from) * bytes;
        std::memcpy(to, element, bytes);
        to += bytes;
        ++x;
      }
    }
  }
}

}  // namespace fastgpu::inline v0::detail
