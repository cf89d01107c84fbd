#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <fastgpu/detail/program.hpp>
#include <fastgpu/result.hpp>

#include "nccl/communicator.hpp"

/// @file
/// What a group reduces and how, and when that is worth it.

namespace fastgpu::inline v0::detail {

/// Bytes of one member's input, or of what several merged to.
using payload = std::vector<std::byte>;

/// How payloads merge that no library can merge. Constant; callable from any thread.
class payload_merger {
 public:
  virtual ~payload_merger() = default;
  /// @param inputs  In the order of members, at least one. Come from peers: what does not make sense is a failure.
  [[nodiscard]] virtual result<payload> merge(std::span<const std::span<const std::byte>> inputs) const = 0;
};

/// The same for all members.
struct reduction_plan {
  enum class method {
    reduce,  ///< Number by number, in the communicator.
    gather,  ///< The communicator moves bytes, `merger` merges them on the root.
  };
  method how = method::reduce;
  scalar_kind scalar = scalar_kind::int64;      ///< reduce
  merge_kind merge = merge_kind::sum;           ///< reduce
  std::size_t count = 0;                        ///< reduce: numbers of an input.
  std::size_t bytes_max = 0;                    ///< gather: of one input; they may be shorter.
  const payload_merger* merger = nullptr;       ///< gather; outlives the reduction.

  [[nodiscard]] std::size_t scalar_bytes() const noexcept
  {
    return scalar == scalar_kind::int32 || scalar == scalar_kind::uint32 || scalar == scalar_kind::float32 ? 4 : 8;
  }
  [[nodiscard]] bool fits(std::size_t input_bytes) const noexcept
  {
    return how == method::reduce ? input_bytes == count * scalar_bytes() : input_bytes <= bytes_max;
  }
};

/// What the communicator computes, without one: the same bits, but for floating-point sums of mode `fast`.
/// @param inputs  In the order of members, at least one.
[[nodiscard]] result<payload> merge_on_host(const reduction_plan& plan,
                                            std::span<const std::span<const std::byte>> inputs);

/// Gathered inputs have one size: their own, then 8 bytes for it.
[[nodiscard]] std::size_t gather_block_bytes(std::size_t bytes_max) noexcept;
/// The inputs in `gathered`, [members] blocks of gather_block_bytes().
[[nodiscard]] result<std::vector<std::span<const std::byte>>> gathered_inputs(std::span<const std::byte> gathered,
                                                                              std::size_t members,
                                                                              std::size_t bytes_max);

/// Whether number by number serves values of `values` that were folded as `fold`, and how. Inputs of `width` values, or
/// of one exact state, each without a flag: where nothing was folded stands the operation's identity. Exact states are
/// normalised, so that none of 2^30 of them overflows a limb.
/// @return  A plan by `gather`, without bytes and merger, where it does not.
[[nodiscard]] reduction_plan plan_for(const value_table& values, fold_kind fold, std::int64_t width) noexcept;

/// What both ways took for inputs of a size, each over several reductions.
struct reduction_timing {
  std::size_t bytes = 0;
  double group_s = 0;
  double host_s = 0;
};

/// The smallest measured size from which on the group was faster, at every larger one too; SIZE_MAX where there is
/// none, or only one size was measured.
[[nodiscard]] std::size_t measured_threshold(std::vector<reduction_timing> timings);

/// Of reduction_policy::bytes_min.
inline constexpr std::size_t never_in_group = ~std::size_t{0};

/// When a group reduces at all. Communicators cost seconds, so the first is made when this first says yes.
struct reduction_policy {
  std::size_t bytes_min = never_in_group;  ///< Of one input: measured_threshold(). Never, until it was measured.
  [[nodiscard]] bool use_group(std::size_t members, std::size_t input_bytes) const noexcept
  {
    return members >= 2 && input_bytes >= bytes_min;
  }
};

}  // namespace fastgpu::inline v0::detail
