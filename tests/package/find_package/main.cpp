#include <fastgpu/index.hpp>
#include <fastgpu/version.hpp>

#include <cstdio>

int main()
{
  const fastgpu::extents picture{480, 640};
  std::printf("fastgpu %s, %lld pixels\n", fastgpu::version(), static_cast<long long>(picture.count()));
  return picture.count() == 307'200 ? 0 : 1;
}
