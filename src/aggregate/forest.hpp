#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <fastgpu/detail/value_table.hpp>

#include "aggregate/forest_nodes.hpp"
#include "detail/interval_set.hpp"
#include "detail/memory.hpp"

/// @file
/// A device's partial in mode `ordered`: values of nodes of one fixed binary tree over span numbers.

namespace fastgpu::inline v0::detail {

/// Some nodes of the merge tree over `spans` leaves, each with its value in the host's memory. See forest_nodes.
///
/// @par Threads  As for a vector.
class forest {
 public:
  /// Values are `width` elements that `values` describes; `operation` outlives the forest.
  forest(const value_table& values, const void* operation, std::int64_t width, std::uint32_t spans,
         memory_source& memory = heap());

  /// Adds the value of one span, which is copied. Each span comes once.
  void push(std::uint32_t span, const void* value) { push(span, 0, value); }
  /// Adds the value of node (level, index), which has none of this forest's spans.
  void push(std::uint32_t index, std::uint32_t level, const void* value);

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

  [[nodiscard]] std::size_t node_count() const noexcept { return nodes_.all().size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return node_count() * (value_bytes_ + sizeof(forest_node)); }
  [[nodiscard]] bool empty() const noexcept { return nodes_.all().empty(); }

  /// The root's value. @pre  Every span was pushed or absorbed.
  [[nodiscard]] const void* root();

  void clear() noexcept;

  /// Bound of a forest's nodes after `runs` separate runs of consecutive spans.
  [[nodiscard]] static std::size_t nodes_max(std::uint32_t spans, std::size_t runs) noexcept;

 private:
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
  [[nodiscard]] auto merge()
  {
    return [this](std::uint32_t left, std::uint32_t right) {
      table_->merge(operation_, value(left), value(right), width_);
      free_slots_.push_back(right);
    };
  }

  const value_table* table_;
  const void* operation_;
  std::int64_t width_;
  std::size_t value_bytes_;
  forest_nodes nodes_;
  std::vector<cell, source_allocator<cell>> values_;
  std::vector<std::uint32_t> free_slots_;
};

}  // namespace fastgpu::inline v0::detail
