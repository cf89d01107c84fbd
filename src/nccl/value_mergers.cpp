#include "nccl/value_mergers.hpp"

#include <cstring>

#include "aggregate/forest.hpp"
#include "detail/memory.hpp"

namespace fastgpu::inline v0::detail {

result<payload> forest_merger::merge(std::span<const std::span<const std::byte>> inputs) const
{
  forest all{values_, operation_, width_, spans_};
  for (const auto& input : inputs) {
    if (!all.unpack(input)) {
      return failure{make_error_code(errc::device_failed), "a member's forest does not fit with the others"};
    }
    all.compact();
  }
  return all.pack();
}

result<payload> value_merger::merge(std::span<const std::span<const std::byte>> inputs) const
{
  const auto bytes = values_.bytes * static_cast<std::size_t>(width_);
  const auto total = allocate_aligned(bytes, heap());  // payloads are not aligned as values are
  const auto next = allocate_aligned(bytes, heap());
  bool present = false;
  for (const auto& input : inputs) {
    if (input.empty()) continue;
    if (input.size() != bytes) return failure{make_error_code(errc::device_failed), "a member's value is cut short"};
    std::memcpy(present ? next.get() : total.get(), input.data(), bytes);
    if (present) values_.merge(operation_, total.get(), next.get(), width_);
    present = true;
  }
  if (!present) return payload{};
  return payload{total.get(), total.get() + bytes};
}

}  // namespace fastgpu::inline v0::detail
