#include "net/self.hpp"

#include <cstddef>
#include <utility>

#include <fastgpu/version.hpp>

namespace fastgpu::inline v0::detail {
namespace {

std::string build_of_this_library()
{
  std::string build = FASTGPU_DETAIL_BUILD;
#if defined(_GLIBCXX_DEBUG)
  build += ", debug containers";
#endif
  return build + ", " + std::to_string(8 * sizeof(std::size_t)) + " bits";
}

}  // namespace

session_self this_process(std::string name)
{
  session_self self;
  self.name = std::move(name);
  self.library = version();
  self.build = build_of_this_library();
  return self;
}

session_self this_node(std::string name, bool listens)
{
  auto self = this_process(std::move(name));
  self.server = listens;
  if (!listens) self.wanted = role::node;
  return self;
}

}  // namespace fastgpu::inline v0::detail
