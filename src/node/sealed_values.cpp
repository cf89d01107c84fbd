#include "node/sealed_values.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "detail/batch_region.hpp"
#include "node/job_description.hpp"

namespace fastgpu::inline v0::detail {
namespace {

/// Calls `each(argument, box)` for every block of outputs, in the order in which they travel.
template <class Each>
void for_each_block(const job_data& job, const interval_set& fold_set, const Each& each)
{
  for (std::uint32_t i = 0; i < job.argument_count; ++i) {
    const auto& a = job.arguments[i];
    if (a.kind != argument_kind::gather) continue;
    for (const auto& range : fold_set.intervals()) {
      for (const auto& part : boxes_of(job.shape, range.begin, range.end)) each(a, part);
    }
  }
}

std::size_t bytes_of(const argument& a, const box& part)
{
  return static_cast<std::size_t>(count_of(part)) * a.element_bytes;
}

std::size_t block_bytes(const job_data& job, const interval_set& fold_set)
{
  std::size_t bytes = 0;
  for_each_block(job, fold_set, [&](const argument& a, const box& part) { bytes += bytes_of(a, part); });
  return bytes;
}

failure wrong(const std::string& why)
{
  return {make_error_code(errc::protocol_error), "a node sent a partial that is none: " + why};
}

}  // namespace

payload pack_partial(const job_data& job, partial& sealed)
{
  const auto values = sealed.pack();
  const std::uint64_t value_bytes = values.size();
  payload bytes(sizeof value_bytes + values.size() + block_bytes(job, sealed.fold_set()));
  auto* to = bytes.data();
  std::memcpy(to, &value_bytes, sizeof value_bytes);
  to += sizeof value_bytes;
  if (!values.empty()) std::memcpy(to, values.data(), values.size());
  to += values.size();
  for_each_block(job, sealed.fold_set(), [&](const argument& a, const box& part) {
    copy_in(a, part, part, to);
    to += bytes_of(a, part);
  });
  return bytes;
}

result<arrived_partial> unpack_partial(const job_data& job, fold_kind fold, memory_source& memory,
                                       interval_set fold_set, payload bytes)
{
  const auto& said = fold_set.intervals();
  if (said.empty() || !std::all_of(said.begin(), said.end(), [&](interval range) { return is_range_of(job, range); })) {
    return wrong("its subtasks are no spans of the job");
  }
  std::uint64_t value_bytes = 0;
  if (bytes.size() < sizeof value_bytes) return wrong("it is cut short");
  std::memcpy(&value_bytes, bytes.data(), sizeof value_bytes);
  const auto rest = bytes.size() - sizeof value_bytes;
  const auto blocks = block_bytes(job, fold_set);
  if (value_bytes > rest || rest - value_bytes != blocks) {
    return wrong("it has " + std::to_string(bytes.size()) + " bytes, its outputs alone " + std::to_string(blocks));
  }
  arrived_partial arrived;
  arrived.values = std::make_unique<partial>(job, fold, memory);
  const auto values = std::span{bytes}.subspan(sizeof value_bytes, static_cast<std::size_t>(value_bytes));
  if (!arrived.values->unpack(values, std::move(fold_set))) return wrong("its values are not those of its subtasks");
  arrived.blocks_at = sizeof value_bytes + static_cast<std::size_t>(value_bytes);
  arrived.bytes = std::move(bytes);
  return arrived;
}

void commit_blocks(const job_data& job, const arrived_partial& from) noexcept
{
  const auto* at = from.bytes.data() + from.blocks_at;
  for_each_block(job, from.values->fold_set(), [&](const argument& a, const box& part) {
    copy_out(a, part, part, at);
    at += bytes_of(a, part);
  });
}

}  // namespace fastgpu::inline v0::detail
