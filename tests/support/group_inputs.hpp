#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "nccl/group_messages.hpp"
#include "nccl/value_mergers.hpp"

/// @file
/// Inputs of group reductions in which every contribution shows.

namespace support {

template <class T>
fastgpu::detail::payload bytes_of(const std::vector<T>& numbers)
{
  fastgpu::detail::payload bytes(numbers.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), numbers.data(), bytes.size());
  return bytes;
}
template <class T>
std::vector<T> numbers_in(const fastgpu::detail::payload& bytes)
{
  std::vector<T> numbers(bytes.size() / sizeof(T));
  if (!numbers.empty()) std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(T));
  return numbers;
}

/// Member i: 16^i, so that each hexadecimal digit of the sum tells how often a member is in it; and a number below 0.
inline std::vector<std::int64_t> marks_of(std::uint32_t member) { return {std::int64_t{1} << (4 * member), -5}; }

inline std::vector<fastgpu::detail::payload> marks_of_all(std::uint32_t members)
{
  std::vector<fastgpu::detail::payload> all;
  for (std::uint32_t m = 0; m < members; ++m) all.push_back(bytes_of(marks_of(m)));
  return all;
}

/// What the marks of `members` sum up to; nothing of nobody.
inline fastgpu::detail::payload sum_of_marks(const std::vector<fastgpu::detail::member_id>& members)
{
  if (members.empty()) return {};
  std::int64_t digits = 0;
  for (const auto m : members) digits += std::int64_t{1} << (4 * m.value);
  return bytes_of<std::int64_t>({digits, -5 * static_cast<std::int64_t>(members.size())});
}

inline fastgpu::detail::reduction_plan plan_of_marks()
{
  fastgpu::detail::reduction_plan plan;
  plan.count = 2;
  return plan;
}

/// The same value, by bytes that the root merges.
inline fastgpu::detail::reduction_plan plan_of_gathered_marks()
{
  static constexpr fastgpu::sum<std::int64_t> add;
  static const fastgpu::detail::value_merger merger{
      fastgpu::detail::value_table_of<fastgpu::sum<std::int64_t>, std::int64_t>, &add, 2};
  fastgpu::detail::reduction_plan plan;
  plan.how = fastgpu::detail::reduction_plan::method::gather;
  plan.bytes_max = 2 * sizeof(std::int64_t);
  plan.merger = &merger;
  return plan;
}

}  // namespace support
