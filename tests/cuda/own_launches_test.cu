#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <cuda_runtime_api.h>
#include <fastgpu/fastgpu.hpp>

#include "support/cublas.hpp"

/// @file
/// Kernels that launch for themselves: `__global__` functions and cuBLAS on the context's stream.

namespace own_launches {

/// One thread block a subtask: the sum of its squares.
__global__ void sum_squares(fastgpu::cuda_batch<1> batch, fastgpu::in1<std::uint32_t> in, const std::uint64_t* zero,
                            std::uint64_t* values)
{
  __shared__ unsigned long long total;
  if (threadIdx.x == 0) total = *zero;
  __syncthreads();
  const auto b = batch[blockIdx.x];
  unsigned long long mine = 0;
  for (auto i = b.begin[0] + threadIdx.x; i < b.end[0]; i += blockDim.x) {
    mine += static_cast<unsigned long long>(in(i)) * in(i);
  }
  atomicAdd(&total, mine);
  __syncthreads();
  if (threadIdx.x == 0) values[blockIdx.x] = total;
}

struct squares {
  static constexpr bool portable_arithmetic = true;
  int fails_at = -1;  ///< A subtask before whose launch the kernel throws.

  void operator()(fastgpu::cuda_context& gpu, const fastgpu::cuda_batch<1>& batch, fastgpu::in1<std::uint32_t> in,
                  std::uint64_t* values) const
  {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      if (static_cast<int>(batch[i].subtask) == fails_at) throw std::runtime_error{"as it was told to"};
    }
    auto* zero = static_cast<std::uint64_t*>(gpu.scratch(sizeof(std::uint64_t)));
    if (zero == nullptr) throw std::runtime_error{"no scratch memory"};
    if (cudaMemsetAsync(zero, 0, sizeof *zero, gpu.stream()) != cudaSuccess) throw std::runtime_error{"no memset"};
    sum_squares<<<batch.size(), 128, 0, gpu.stream()>>>(batch, in, zero, values);
  }

  std::uint64_t operator()(fastgpu::host_context&, fastgpu::block<1> b, fastgpu::in1<std::uint32_t> in) const
  {
    if (static_cast<int>(b.subtask) == fails_at) throw std::runtime_error{"as it was told to"};
    std::uint64_t total = 0;
    for (auto i = b.begin[0]; i < b.end[0]; ++i) total += std::uint64_t{in(i)} * in(i);
    return total;
  }
};
FASTGPU_REGISTER("test.squares", squares)

/// One thread block a subtask: the gradient of its rows' squared errors at `weights`.
__global__ void add_gradients(fastgpu::cuda_batch<2> batch, fastgpu::in2<double> rows, fastgpu::in1<double> weights,
                              double* gradients)
{
  const auto width = weights.shape()[0];
  const auto b = batch[blockIdx.x];
  for (auto k = std::int64_t{threadIdx.x}; k < width; k += blockDim.x) {
    double sum = 0;
    for (auto i = b.begin[0]; i < b.end[0]; ++i) {
      double error = 0;
      for (std::int64_t j = 0; j < width; ++j) error += rows(i, j) * weights(j);
      sum += error * rows(i, k);
    }
    gradients[blockIdx.x * width + k] = sum;
  }
}

struct gradient {
  static constexpr bool portable_arithmetic = true;

  void operator()(fastgpu::cuda_context& gpu, const fastgpu::cuda_batch<2>& batch, fastgpu::in2<double> rows,
                  fastgpu::in1<double> weights, double* values) const
  {
    add_gradients<<<batch.size(), 64, 0, gpu.stream()>>>(batch, rows, weights, values);
  }

  void operator()(fastgpu::block<2> b, fastgpu::in2<double> rows, fastgpu::in1<double> weights,
                  fastgpu::tally<fastgpu::sum<double>> to) const
  {
    for (auto i = b.begin[0]; i < b.end[0]; ++i) {
      double error = 0;
      for (std::int64_t j = 0; j < weights.shape()[0]; ++j) error += rows(i, j) * weights(j);
      for (std::int64_t k = 0; k < weights.shape()[0]; ++k) to.merge(k, error * rows(i, k));
    }
  }
};
FASTGPU_REGISTER("test.gradient", gradient)

/// Rows of a product of square matrices.
struct matrix_rows {
  void operator()(fastgpu::cuda_context& gpu, const fastgpu::cuda_batch<2>& batch, fastgpu::in2<double> a,
                  fastgpu::in2<double> b, fastgpu::out2<double> c) const
  {
    const auto* blas = support::cublas::find();
    thread_local cublasHandle_t handle = nullptr;  // one for the thread that drives the GPU
    if (blas == nullptr || (handle == nullptr && blas->create(&handle) != CUBLAS_STATUS_SUCCESS)) {
      throw std::runtime_error{"no cuBLAS"};
    }
    const auto first = batch[0].begin[0];
    const auto rows = static_cast<int>(batch[batch.size() - 1].end[0] - first);
    const auto n = static_cast<int>(b.shape()[1]);
    const double one = 1;
    const double zero = 0;
    // Row-major, so to cuBLAS everything is transposed: c' = b' a'.
    if (blas->set_stream(handle, gpu.stream()) != CUBLAS_STATUS_SUCCESS ||
        blas->dgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, n, rows, n, &one, b.data(), static_cast<int>(b.stride()[0]),
                    &a(first, 0), static_cast<int>(a.stride()[0]), &zero, &c(first, 0),
                    static_cast<int>(c.stride()[0])) != CUBLAS_STATUS_SUCCESS) {
      throw std::runtime_error{"cublasDgemm failed"};
    }
  }

  void operator()(fastgpu::host_context&, fastgpu::block<2> rows, fastgpu::in2<double> a, fastgpu::in2<double> b,
                  fastgpu::out2<double> c) const
  {
    for (auto i = rows.begin[0]; i < rows.end[0]; ++i) {
      for (auto j = rows.begin[1]; j < rows.end[1]; ++j) {
        double sum = 0;
        for (std::int64_t k = 0; k < b.shape()[0]; ++k) sum += a(i, k) * b(k, j);
        c(i, j) = sum;
      }
    }
  }
};
FASTGPU_REGISTER("test.matrix_rows", matrix_rows)

}  // namespace own_launches

namespace {

using namespace own_launches;

bool there_is_a_gpu()
{
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

std::vector<double> product(const char* devices, const std::vector<double>& a, const std::vector<double>& b,
                            std::int64_t n, std::int64_t rows)
{
  std::vector<double> c(a.size());
  fastgpu::cluster cluster{devices};
  fastgpu::for_each(cluster, fastgpu::space(fastgpu::extents{n, n}, fastgpu::by_size{rows, n}), matrix_rows{},
                    fastgpu::slices(fastgpu::matrix(a.data(), n, n)), fastgpu::broadcast(fastgpu::matrix(b.data(), n, n)),
                    fastgpu::gather(fastgpu::matrix(c.data(), n, n)));
  return c;
}

void expect_the_documents_product(const char* devices)
{
  const auto c = product(devices, {1, 2, 3, 4}, {0.1, 0.2, 0.3, 0.4}, 2, 1);
  EXPECT_NEAR(c[0], 0.7, 1e-15);
  EXPECT_NEAR(c[1], 1.0, 1e-15);
  EXPECT_NEAR(c[2], 1.5, 1e-15);
  EXPECT_NEAR(c[3], 2.2, 1e-15);
}

std::uint64_t sum_of_squares(const char* devices, fastgpu::reduction mode, int fails_at = -1)
{
  std::vector<std::uint32_t> in(100'003);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::uint32_t>(i);
  fastgpu::cluster cluster{devices};
  const auto job = fastgpu::make_job(fastgpu::space(static_cast<std::int64_t>(in.size()), fastgpu::by_size{100}),
                                     squares{fails_at}, fastgpu::slices(in),
                                     fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  auto run = fastgpu::execute(cluster, job, {.reduction = mode});
  return fastgpu::aggregate(run).get();
}

TEST(OwnLaunches, GiveTheDocumentsProductOnCores) { expect_the_documents_product("host:2"); }

TEST(OwnLaunches, GiveTheDocumentsProductByCublas)
{
  if (!there_is_a_gpu()) GTEST_SKIP() << "no CUDA GPU";
  if (support::cublas::find() == nullptr) GTEST_SKIP() << "no cuBLAS";
  expect_the_documents_product("cuda:0");
}

TEST(OwnLaunches, GiveLargeProductsByCublas)
{
  if (!there_is_a_gpu()) GTEST_SKIP() << "no CUDA GPU";
  if (support::cublas::find() == nullptr) GTEST_SKIP() << "no cuBLAS";
  constexpr std::int64_t n = 129;
  std::vector<double> a(n * n);
  std::vector<double> b(n * n);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<double>(i % 13);
    b[i] = static_cast<double>(i % 7) - 3;
  }
  EXPECT_EQ(product("cuda:0", a, b, n, 16), product("host:2", a, b, n, 16));  // small integers: exact
}

TEST(OwnLaunches, ReduceAValueASubtask)
{
  // The sum of i^2 for i below 100,003.
  constexpr std::uint64_t expected = 100'002ull * 100'003 * 200'005 / 6;
  EXPECT_EQ(sum_of_squares("host:2", fastgpu::reduction::ordered), expected);
  if (!there_is_a_gpu()) GTEST_SKIP() << "no CUDA GPU";
  EXPECT_EQ(sum_of_squares("cuda:0", fastgpu::reduction::ordered), expected);
}

/// Of 999 rows, in subtasks of 4. With `whole`, of whole numbers, whose sums are exact.
std::vector<double> gradient_of(const char* devices, fastgpu::reduction mode, bool whole, std::uint64_t resident_bytes_min)
{
  constexpr std::int64_t n = 999;
  constexpr std::int64_t width = 70;
  std::vector<double> rows(n * width);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<double>(i * 31 % 17) / (whole ? 1.0 : 7.0);
  std::vector<double> weights(width);
  for (std::size_t k = 0; k < weights.size(); ++k) weights[k] = static_cast<double>(k % 5) - 2;
  fastgpu::cluster_options options;
  options.devices = devices;
  options.gpu.resident_bytes_min = resident_bytes_min;
  fastgpu::cluster cluster{options};
  const auto job = fastgpu::make_job(fastgpu::space(fastgpu::extents{n, width}, fastgpu::by_size{4, width}), gradient{},
                                     fastgpu::slices(fastgpu::matrix(rows.data(), n, width)),
                                     fastgpu::broadcast(weights), fastgpu::reduced(fastgpu::sum<double>{}, width));
  auto run = fastgpu::execute(cluster, job, {.reduction = mode});
  return fastgpu::aggregate(run).get();
}

TEST(OwnLaunches, ReduceAVectorASubtask)
{
  const auto ordered = gradient_of("host:2", fastgpu::reduction::ordered, false, 0);
  const auto whole = gradient_of("host:2", fastgpu::reduction::fast, true, 0);
  EXPECT_EQ(gradient_of("host:1", fastgpu::reduction::ordered, false, 0), ordered);
  EXPECT_EQ(gradient_of("host:1", fastgpu::reduction::ordered, true, 0), whole);
  EXPECT_GE(fastgpu::registered_programs("test.gradient", "cuda"), 1u);
  if (!there_is_a_gpu()) GTEST_SKIP() << "no CUDA GPU";
  EXPECT_EQ(gradient_of("cuda:0", fastgpu::reduction::ordered, false, 0), ordered);
  EXPECT_EQ(gradient_of("cuda:0", fastgpu::reduction::ordered, false, 1), ordered);
  EXPECT_EQ(gradient_of("cuda:0", fastgpu::reduction::fast, true, 1), whole);
}

TEST(OwnLaunches, FailTheRunByWhatTheyThrow)
{
  for (const char* devices : {"host:2", "cuda:0"}) {
    if (std::strcmp(devices, "cuda:0") == 0 && !there_is_a_gpu()) GTEST_SKIP() << "no CUDA GPU";
    try {
      (void)sum_of_squares(devices, fastgpu::reduction::ordered, 700);
      FAIL();
    } catch (const fastgpu::error& e) {
      EXPECT_EQ(e.code(), fastgpu::errc::kernel_failed);
      EXPECT_NE(std::string{e.what()}.find("as it was told to"), std::string::npos);
    }
  }
}

}  // namespace
