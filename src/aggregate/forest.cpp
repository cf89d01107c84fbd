#include "aggregate/forest.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include <gsl/assert>

namespace fastgpu::inline v0::detail {

forest::forest(const value_table& values, const void* operation, std::int64_t width, std::uint32_t spans,
               memory_source& memory)
    : table_{&values},
      operation_{operation},
      width_{width},
      value_bytes_{(values.bytes * static_cast<std::size_t>(width) + sizeof(cell) - 1) / sizeof(cell) * sizeof(cell)},
      nodes_{spans},
      values_{source_allocator<cell>{memory}}
{
}

std::uint32_t forest::take_slot()
{
  if (!free_slots_.empty()) {
    const auto slot = free_slots_.back();
    free_slots_.pop_back();
    return slot;
  }
  const auto cells = value_bytes_ / sizeof(cell);
  const auto slot = static_cast<std::uint32_t>(values_.size() / cells);
  values_.resize(values_.size() + cells);
  return slot;
}

void forest::push(std::uint32_t index, std::uint32_t level, const void* value_of_node)
{
  Expects(level < 32 && index <= (nodes_.spans() - 1) >> level);
  const auto slot = take_slot();
  std::memcpy(value(slot), value_of_node, table_->bytes * static_cast<std::size_t>(width_));
  nodes_.add({index, level, slot}, merge());
}

void forest::compact() { nodes_.compact(merge()); }

void forest::absorb(forest&& other)
{
  Expects(other.nodes_.spans() == nodes_.spans() && other.value_bytes_ == value_bytes_);
  if (empty() && values_.empty()) {
    nodes_ = std::move(other.nodes_);
    values_ = std::move(other.values_);
    free_slots_ = std::move(other.free_slots_);
  } else {
    for (const auto& n : other.nodes_.all()) {
      const auto slot = take_slot();
      std::memcpy(value(slot), other.value(n.slot), value_bytes_);
      nodes_.append({n.index, n.level, slot});
    }
    nodes_.compact_if_many(merge());
  }
  other.clear();
}

namespace {

/// Before the nodes of a packed forest, and each of them: in the byte order of the machine.
struct packed_head {
  std::uint32_t spans;
  std::uint32_t nodes;
  std::uint64_t value_bytes;
};
struct packed_node {
  std::uint32_t index;
  std::uint32_t level;
};

}  // namespace

std::vector<std::byte> forest::pack() const
{
  const auto bytes = packed_value_bytes();
  std::vector<std::byte> packed(sizeof(packed_head) + node_count() * (sizeof(packed_node) + bytes));
  auto* to = packed.data();
  const auto put = [&to](const void* from, std::size_t size) {
    std::memcpy(to, from, size);
    to += size;
  };
  const packed_head head{nodes_.spans(), static_cast<std::uint32_t>(node_count()), bytes};
  put(&head, sizeof head);
  for (const auto& n : nodes_.all()) {
    const packed_node packed_n{n.index, n.level};
    put(&packed_n, sizeof packed_n);
    put(value(n.slot), bytes);
  }
  return packed;
}

bool forest::unpack(std::span<const std::byte> packed)
{
  const auto bytes = packed_value_bytes();
  packed_head head{};
  if (packed.size() < sizeof head) return false;
  std::memcpy(&head, packed.data(), sizeof head);
  const auto rest = packed.subspan(sizeof head);
  const auto each = sizeof(packed_node) + bytes;
  if (head.spans != nodes_.spans() || head.value_bytes != bytes || rest.size() != head.nodes * each) return false;

  auto all = nodes_.all();
  for (std::size_t i = 0; i < head.nodes; ++i) {
    packed_node n{};
    std::memcpy(&n, rest.data() + i * each, sizeof n);
    if (n.level >= 32 || n.index > (nodes_.spans() - 1) >> n.level) return false;
    all.push_back({n.index, n.level, 0});
  }
  std::sort(all.begin(), all.end(),
            [](const forest_node& a, const forest_node& b) { return a.first_span() < b.first_span(); });
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (all[i].first_span() < all[i - 1].end_span()) return false;
  }

  for (std::size_t i = 0; i < head.nodes; ++i) {
    packed_node n{};
    std::memcpy(&n, rest.data() + i * each, sizeof n);
    const auto slot = take_slot();
    std::memcpy(value(slot), rest.data() + i * each + sizeof n, bytes);
    nodes_.append({n.index, n.level, slot});
  }
  return true;
}

interval_set forest::spans() const
{
  std::vector<interval> held;
  held.reserve(node_count());
  for (const auto& n : nodes_.all()) {  // the last one may reach beyond the leaves
    held.push_back({static_cast<std::uint32_t>(n.first_span()),
                    static_cast<std::uint32_t>(std::min<std::uint64_t>(n.end_span(), nodes_.spans()))});
  }
  std::sort(held.begin(), held.end());  // sets take what is ascending in no time
  interval_set spans;
  for (const auto& i : held) spans.insert(i);
  return spans;
}

const void* forest::root()
{
  compact();
  Ensures(node_count() == 1 && nodes_.is_root(nodes_.all()[0]));
  return value(nodes_.all()[0].slot);
}

void forest::clear() noexcept
{
  nodes_.all().clear();
  values_.clear();
  free_slots_.clear();
}

std::size_t forest::nodes_max(std::uint32_t spans, std::size_t runs) noexcept
{
  // A run of consecutive leaves is made of at most two complete subtrees of each height.
  const auto heights = static_cast<std::size_t>(std::bit_width(spans));
  return std::min<std::size_t>(spans, 2 * heights * runs);
}

}  // namespace fastgpu::inline v0::detail
