#include "simulation/value.hpp"

#include <cstring>

#include "support/splitmix.hpp"

namespace simulation {

value& value::operator+=(const value& other)
{
  sum += other.sum;
  parity ^= other.parity;
  count += other.count;
  return *this;
}

reference::reference(std::uint32_t subtasks) : sums_(subtasks + 1), parities_(subtasks + 1)
{
  for (std::uint32_t s = 0; s < subtasks; ++s) {
    const auto mixed = support::splitmix64(s);
    sums_[s + 1] = sums_[s] + mixed;
    parities_[s + 1] = parities_[s] ^ mixed;
  }
}

value reference::of(interval range) const
{
  return {sums_[range.end] - sums_[range.begin], parities_[range.end] ^ parities_[range.begin], range.size()};
}

value reference::of(const interval_set& set) const
{
  value all;
  for (const auto& range : set.intervals()) all += of(range);
  return all;
}

payload pack(const stamped_value& v, std::size_t bytes_more)
{
  payload bytes(sizeof v + bytes_more);
  std::memcpy(bytes.data(), &v, sizeof v);
  return bytes;
}

stamped_value unpack(const payload& bytes)
{
  stamped_value v;
  if (bytes.size() >= sizeof v) std::memcpy(&v, bytes.data(), sizeof v);
  return v;
}

}  // namespace simulation
