#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <fastgpu/detail/program.hpp>

#include "aggregate/forest.hpp"
#include "detail/interval_set.hpp"
#include "detail/memory.hpp"

/// @file
/// A partial: what one worker of a device has aggregated, with the exact set of subtasks folded in it.

namespace fastgpu::inline v0::detail {

/// Values and fold-set, filled through target(). Empty when made.
///
/// @par Threads  One writer; handed over whole when sealed.
class partial {
 public:
  /// Values lie in memory of `memory`.
  partial(const job_data& job, fold_kind kind, memory_source& memory = heap());

  /// Where a program's host entry puts values. Stable while the partial is.
  [[nodiscard]] fold_target& target() noexcept { return target_; }

  /// Enters `batch` into the fold-set. @return false where a part of it was there: folded twice.
  [[nodiscard]] bool fold(interval batch) { return fold_set_.try_insert(batch); }

  /// Takes the value of a node of the merge tree. Its subtasks are entered apart, by fold(). @pre  ordered
  void push(std::uint32_t index, std::uint32_t level, const void* value) { forest_->push(index, level, value); }

  [[nodiscard]] const interval_set& fold_set() const noexcept { return fold_set_; }
  [[nodiscard]] bool empty() const noexcept { return fold_set_.empty(); }

  /// Merges the values and fold-set of `other`.
  void absorb(partial&& other);

  /// Copies the aggregated value to `to`: [width] values of the operation. @pre  Every subtask is folded.
  void value(void* to);

  /// The values as bytes, for a process of the same build. The fold-set goes beside them.
  /// @pre  Not empty.
  [[nodiscard]] std::vector<std::byte> pack();
  /// Takes over what pack() gave elsewhere, of a partial with fold-set `folded`.
  /// @return  False, with nothing taken over, where those bytes are none of such a partial.
  /// @pre     This one is empty, `folded` is not, and it ends with the job's subtasks.
  [[nodiscard]] bool unpack(std::span<const std::byte> packed, interval_set folded);
  /// The same for values of this process that were merged number by number: the carries of an exact state are settled.
  [[nodiscard]] bool unpack_merged(std::span<const std::byte> numbers, interval_set folded);

  partial(const partial&) = delete;
  partial& operator=(const partial&) = delete;

 private:
  [[nodiscard]] bool unpack_values(std::span<const std::byte> packed, const interval_set& folded);

  const job_data* job_;
  fold_target target_;
  aligned_bytes value_;
  aligned_bytes span_value_;
  std::optional<forest> forest_;
  interval_set fold_set_;
};

}  // namespace fastgpu::inline v0::detail
