#include <fastgpu/team.hpp>

#include <stdexcept>
#include <string>

namespace fastgpu::inline v0::detail {

void refuse_team_memory(std::size_t wanted, std::size_t there)
{
  throw std::length_error{"a team's kernel uses " + std::to_string(wanted) + " bytes of shared memory, and its " +
                          "shared_bytes are " + std::to_string(there)};
}

}  // namespace fastgpu::inline v0::detail
