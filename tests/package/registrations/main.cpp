#include <cstdio>

#include <fastgpu/fastgpu.hpp>

int main()
{
  const auto found = fastgpu::registered_programs("outside.square");
  std::printf("%zu programs of outside.square\n", found);
  return found == 2 && fastgpu::registered_programs("outside.cube") == 0 ? 0 : 1;
}
