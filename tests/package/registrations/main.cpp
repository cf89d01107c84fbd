#include <fastgpu/index.hpp>

#include "kernels.hpp"

int main()
{
  return registered == 1 ? 0 : 1;
}
