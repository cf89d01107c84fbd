#include "nccl/reduction_plan.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include <gsl/assert>

#include <fastgpu/aggregate/operations.hpp>

namespace fastgpu::inline v0::detail {
namespace {

/// Numbers may lie at any address.
template <class T, class Op>
void merge_numbers(payload& total, std::span<const std::byte> input, Op operation)
{
  for (std::size_t at = 0; at < total.size(); at += sizeof(T)) {
    T left;
    T right;
    std::memcpy(&left, total.data() + at, sizeof left);
    std::memcpy(&right, input.data() + at, sizeof right);
    left = operation(left, right);
    std::memcpy(total.data() + at, &left, sizeof left);
  }
}

template <class T>
void merge_numbers(payload& total, std::span<const std::byte> input, merge_kind how)
{
  switch (how) {
    case merge_kind::sum: merge_numbers<T>(total, input, sum<T>{}); break;
    case merge_kind::minimum: merge_numbers<T>(total, input, minimum<T>{}); break;
    case merge_kind::maximum: merge_numbers<T>(total, input, maximum<T>{}); break;
    case merge_kind::other: Expects(false);
  }
}

void merge_numbers(payload& total, std::span<const std::byte> input, const reduction_plan& plan)
{
  switch (plan.scalar) {
    case scalar_kind::int32: merge_numbers<std::int32_t>(total, input, plan.merge); break;
    case scalar_kind::uint32: merge_numbers<std::uint32_t>(total, input, plan.merge); break;
    case scalar_kind::int64: merge_numbers<std::int64_t>(total, input, plan.merge); break;
    case scalar_kind::uint64: merge_numbers<std::uint64_t>(total, input, plan.merge); break;
    case scalar_kind::float32: merge_numbers<float>(total, input, plan.merge); break;
    case scalar_kind::float64: merge_numbers<double>(total, input, plan.merge); break;
    case scalar_kind::none: Expects(false);
  }
}

failure wrong_size(std::size_t bytes)
{
  return {make_error_code(errc::device_failed), "a member's input of " + std::to_string(bytes) + " bytes does not fit"};
}

}  // namespace

result<payload> merge_on_host(const reduction_plan& plan, std::span<const std::span<const std::byte>> inputs)
{
  Expects(!inputs.empty());
  for (const auto& input : inputs) {
    if (!plan.fits(input.size())) return wrong_size(input.size());
  }
  if (plan.how == reduction_plan::method::gather) return plan.merger->merge(inputs);
  payload total{inputs[0].begin(), inputs[0].end()};
  for (const auto& input : inputs.subspan(1)) merge_numbers(total, input, plan);
  return total;
}

std::size_t gather_block_bytes(std::size_t bytes_max) noexcept
{
  return (bytes_max + 7) / 8 * 8 + sizeof(std::uint64_t);
}

result<std::vector<std::span<const std::byte>>> gathered_inputs(std::span<const std::byte> gathered,
                                                                std::size_t members, std::size_t bytes_max)
{
  const auto block = gather_block_bytes(bytes_max);
  Expects(gathered.size() == members * block);
  std::vector<std::span<const std::byte>> inputs;
  for (std::size_t m = 0; m < members; ++m) {
    const auto of_member = gathered.subspan(m * block, block);
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, of_member.data() + block - sizeof bytes, sizeof bytes);
    if (bytes > bytes_max) return wrong_size(bytes);
    inputs.push_back(of_member.first(bytes));
  }
  return inputs;
}

reduction_plan plan_for(const value_table& values, fold_kind fold, std::int64_t width) noexcept
{
  reduction_plan plan;
  plan.how = reduction_plan::method::gather;
  if (fold == fold_kind::exact) {
    // Limbs wrap around as their sum's should, and exact_merge() settles the carries afterwards.
    plan.how = reduction_plan::method::reduce;
    plan.count = values.exact_bytes / sizeof(std::int64_t);
  } else if (fold == fold_kind::single && values.kind != merge_kind::other && values.scalar != scalar_kind::none) {
    plan.how = reduction_plan::method::reduce;
    plan.scalar = values.scalar;
    plan.merge = values.kind;
    plan.count = static_cast<std::size_t>(width);
  }
  return plan;
}

std::size_t measured_threshold(std::vector<reduction_timing> timings)
{
  constexpr auto never = std::numeric_limits<std::size_t>::max();
  if (timings.size() < 2) return never;
  std::sort(timings.begin(), timings.end(), [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  auto threshold = never;
  for (const auto& t : timings) {
    if (t.group_s >= t.host_s) break;
    threshold = t.bytes;
  }
  return threshold;
}

}  // namespace fastgpu::inline v0::detail
