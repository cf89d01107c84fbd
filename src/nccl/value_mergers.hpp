#pragma once

#include <cstdint>

#include <fastgpu/detail/value_table.hpp>

#include "nccl/reduction_plan.hpp"

/// @file
/// Merges of what no communicator can merge: the nodes of `ordered` trees, and values of custom operations.

namespace fastgpu::inline v0::detail {

/// Payloads are packed forests over `spans` spans; so is what they merge to, as small as it can be.
///
/// @par Ownership  `values` and `operation` outlive it.
class forest_merger final : public payload_merger {
 public:
  forest_merger(const value_table& values, const void* operation, std::int64_t width, std::uint32_t spans)
      : values_{values}, operation_{operation}, width_{width}, spans_{spans}
  {
  }
  [[nodiscard]] result<payload> merge(std::span<const std::span<const std::byte>> inputs) const override;

 private:
  const value_table& values_;
  const void* operation_;
  std::int64_t width_;
  std::uint32_t spans_;
};

/// Payloads are `width` values, or nothing from who has none. Merged in the order of members: for operations that are
/// order-free, and for mode `fast`.
///
/// @par Ownership  `values` and `operation` outlive it.
class value_merger final : public payload_merger {
 public:
  value_merger(const value_table& values, const void* operation, std::int64_t width)
      : values_{values}, operation_{operation}, width_{width}
  {
  }
  [[nodiscard]] result<payload> merge(std::span<const std::span<const std::byte>> inputs) const override;

 private:
  const value_table& values_;
  const void* operation_;
  std::int64_t width_;
};

}  // namespace fastgpu::inline v0::detail
