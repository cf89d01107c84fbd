#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#if defined(FASTGPU_TEST_NCCL)
#include <nccl.h>
#endif

// An old CMake passes no -std to nvcc and says nothing: see cmake/fastgpu_cuda.cmake.
static_assert(__cplusplus >= 202002L, "CUDA sources are C++20");

TEST(Toolkit, LinksTheRuntimeThatItsHeaderDescribes)
{
  int version = 0;
  ASSERT_EQ(cudaRuntimeGetVersion(&version), cudaSuccess);
  EXPECT_EQ(version, CUDART_VERSION);
}

#if defined(FASTGPU_TEST_NCCL)
TEST(Toolkit, LoadsTheNcclThatItsHeaderDescribes)
{
  int version = 0;
  ASSERT_EQ(ncclGetVersion(&version), ncclSuccess);
  EXPECT_EQ(version, NCCL_VERSION_CODE);
}
#endif
