#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// @file
/// CRC-32C, of Castagnoli, as iSCSI has it (RFC 3720, B.4): against damage, not against an enemy.

namespace fastgpu::inline v0::detail {

/// @param before  What came before, for bytes in several pieces; 0 at their beginning.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0) noexcept;

}  // namespace fastgpu::inline v0::detail
