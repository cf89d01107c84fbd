#pragma once

#include <cstddef>
#include <cstdint>

#include <fastgpu/config.hpp>

/// @file
/// The description of a data argument that back ends read: plain data, the same for every element type.

namespace fastgpu::inline v0 {

/// Where bytes lie.
enum class memory_kind : std::uint8_t {
  host = 0,    ///< Pageable host memory.
  pinned = 1,  ///< Page-locked host memory: a GPU can copy from it without staging.
  device = 2,  ///< Memory of GPU `memory::device`; the host cannot read it.
};

/// A kind of memory, and its GPU where it is a GPU's.
struct memory {
  memory_kind kind = memory_kind::host;
  std::int32_t device = 0;  ///< CUDA ordinal; meaningful for memory_kind::device only.
};

namespace detail {

inline constexpr std::size_t fill_bytes_max = 64;
inline constexpr std::int64_t halo_max = 1 << 20;

enum class argument_kind : std::uint8_t { broadcast, slices, gather, value, tally };

struct argument {
  argument_kind kind = argument_kind::value;
  std::uint8_t edge = 0;  ///< A fastgpu::border; slices only.
  bool free_shape = false;  ///< gather only: the data need not have the shape of the iteration space.
  memory where{};
  std::int32_t rank = 0;
  std::uint32_t element_bytes = 0;
  void* data = nullptr;
  std::int64_t extent[3] = {1, 1, 1};
  std::int64_t stride[3] = {1, 1, 1};  ///< In elements.
  std::int64_t halo = 0;               ///< Elements on every side; slices only.
  alignas(16) std::byte fill[fill_bytes_max] = {};
};

/// Half-open box of global indices.
struct box {
  std::int64_t begin[3] = {0, 0, 0};
  std::int64_t end[3] = {1, 1, 1};
};

/// Bytes that stage_slice() needs for a block of `tile` indices a side.
[[nodiscard]] FASTGPU_API std::size_t staging_bytes(const argument& slices, const std::int64_t (&tile)[3]) noexcept;

/// True where `region` reaches outside the data, so that it has to be staged.
[[nodiscard]] FASTGPU_API bool needs_staging(const argument& slices, const box& region) noexcept;

/// Copies `region` of the data into `to`, dense and row-major, positions outside filled by the border.
FASTGPU_API void stage_slice(const argument& slices, const box& region, std::byte* to) noexcept;

}  // namespace detail
}  // namespace fastgpu::inline v0
