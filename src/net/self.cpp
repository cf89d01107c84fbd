#include "net/self.hpp"

#include <cstddef>
#include <utility>

#include <fastgpu/version.hpp>

namespace fastgpu::inline v0::detail {
namespace {

std::string build_of_this_library()
{
  std::string build;
#if defined(__clang__)
  build = "clang " + std::to_string(__clang_major__);
#elif defined(__GNUC__)
  build = "g++ " + std::to_string(__GNUC__);
#endif
#if defined(__FAST_MATH__)
  build += ", -ffast-math";
#endif
#if defined(__FMA__)
  build += ", fma";
#endif
#if defined(__AVX512F__)
  build += ", avx512";
#elif defined(__AVX2__)
  build += ", avx2";
#endif
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
