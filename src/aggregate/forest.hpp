#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <fastgpu/detail/value_table.hpp>

#include "detail/interval_set.hpp"
#include "detail/memory.hpp"

/// @file
/// A device's partial in mode `ordered`: values of nodes of one fixed binary tree over span numbers.

namespace fastgpu::inline v0::detail {

/// Some nodes of the merge tree over `spans` leaves, each with its value. Siblings merge as soon as both are next to
/// each other; a node without a right sibling passes its value up unchanged. Node (level, index) stands for spans
/// [index << level, (index + 1) << level).
///
/// @par Threads  As for a vector.
class forest {
 public:
  /// Values are `width` elements that `values` describes; `operation` outlives the forest.
  forest(const value_table& values, const void* operation, std::int64_t width, std::uint32_t spans,
         memory_source& memory = heap());

  /// Adds the value of one span, which is copied. Each span comes once.
  void push(std::uint32_t span, const void* value);

  /// Takes over all nodes of `other`, which must hold none of this forest's spans.
  void absorb(forest&& other);

  /// Nodes and values as bytes, for a process of the same numeric class.
  [[nodiscard]] std::vector<std::byte> pack() const;
  /// Takes over what pack() gave elsewhere.
  /// @return  False, with nothing taken over, where those bytes are none of a forest like this one, or hold spans that
  ///          are here already.
  [[nodiscard]] bool unpack(std::span<const std::byte> packed);

  /// The spans that it holds.
  [[nodiscard]] interval_set spans() const;

  /// Merges whatever siblings there are. Afterwards the forest has as few nodes as it can.
  void compact();

  [[nodiscard]] std::size_t node_count() const noexcept { return nodes_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return nodes_.size() * (value_bytes_ + sizeof(node)); }
  [[nodiscard]] bool empty() const noexcept { return nodes_.empty(); }

  /// The root's value. @pre  Every span was pushed or absorbed.
  [[nodiscard]] const void* root();

  void clear() noexcept;

  /// Bound of a forest's nodes after `runs` separate runs of consecutive spans.
  [[nodiscard]] static std::size_t nodes_max(std::uint32_t spans, std::size_t runs) noexcept;

 private:
  struct node {
    std::uint32_t index;
    std::uint32_t level;
    std::uint32_t slot;  // where its value is
    [[nodiscard]] std::uint64_t first_span() const noexcept { return std::uint64_t{index} << level; }
    [[nodiscard]] std::uint64_t end_span() const noexcept { return (std::uint64_t{index} + 1) << level; }
  };

  /// Values are whole cells, so that they are aligned as values may ask for.
  struct alignas(64) cell {
    std::byte bytes[64];
  };

  [[nodiscard]] std::byte* value(std::uint32_t slot) noexcept
  {
    return values_[slot * (value_bytes_ / sizeof(cell))].bytes;
  }
  [[nodiscard]] const std::byte* value(std::uint32_t slot) const noexcept
  {
    return values_[slot * (value_bytes_ / sizeof(cell))].bytes;
  }
  [[nodiscard]] std::size_t packed_value_bytes() const noexcept
  {
    return table_->bytes * static_cast<std::size_t>(width_);
  }
  [[nodiscard]] std::uint32_t take_slot();
  void settle();

  const value_table* table_;
  const void* operation_;
  std::int64_t width_;
  std::uint32_t spans_;
  std::size_t value_bytes_;
  std::vector<node> nodes_;
  std::vector<cell, source_allocator<cell>> values_;
  std::vector<std::uint32_t> free_slots_;
  std::size_t compact_at_ = 256;  // nodes at which push() looks for siblings that are not neighbours
};

}  // namespace fastgpu::inline v0::detail
