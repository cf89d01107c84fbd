#include "nccl/communicator.hpp"

#include <algorithm>

#include <gsl/assert>

namespace fastgpu::inline v0::detail {

bool is_member(const membership& group, member_id who)
{
  return std::find(group.members.begin(), group.members.end(), who) != group.members.end();
}

std::uint32_t rank_of(const membership& group, member_id who)
{
  const auto at = std::find(group.members.begin(), group.members.end(), who);
  Expects(at != group.members.end());
  return static_cast<std::uint32_t>(at - group.members.begin());
}

}  // namespace fastgpu::inline v0::detail
