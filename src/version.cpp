#include <fastgpu/version.hpp>

namespace fastgpu::inline v0 {

const char* version() noexcept
{
  return FASTGPU_VERSION;
}

}  // namespace fastgpu::inline v0
