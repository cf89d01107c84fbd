#include <cmath>
#include <cstdlib>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <cuda_runtime_api.h>
#include <fastgpu/cuda/streams.hpp>
#include <fastgpu/fastgpu.hpp>

#include "cuda/registered_kernels.hpp"

/// @file
/// Jobs on a GPU against the same jobs on the CPU's cores: same program, same bits where arithmetic is portable.

namespace {

using namespace gpu_jobs;  // what is registered has a name outside of this file

/// Skips where there is no GPU.
class GpuJobs : public testing::Test {
 protected:
  void SetUp() override
  {
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) GTEST_SKIP() << "no CUDA GPU";
  }

  /// Under a sanitizer a launch takes a hundred times as long.
  static bool brief() { return std::getenv("FASTGPU_TEST_BRIEF") != nullptr; }

  static std::vector<fastgpu::run_options> ways(fastgpu::reduction mode)
  {
    using fastgpu::batching;
    std::vector<fastgpu::run_options> all;
    if (brief()) return {{.reduction = mode}};
    for (const auto batches : {batching::adaptive(), batching::fixed(1), batching::fixed(7), batching::guided(3)}) {
      fastgpu::run_options options;
      options.reduction = mode;
      options.batches = batches;
      all.push_back(options);
    }
    return all;
  }

  /// A job's value on the GPU, however batches are cut, is that of the cores.
  template <class Job>
  static void expect_same(const Job& job, fastgpu::reduction mode)
  {
    fastgpu::cluster cores{"host:2"};
    auto on_cores = fastgpu::execute(cores, job, {.reduction = mode});
    const auto expected = fastgpu::aggregate(on_cores);
    for (const auto& options : ways(mode)) {
      fastgpu::cluster gpu{"cuda:0"};
      auto run = fastgpu::execute(gpu, job, options);
      const auto value = fastgpu::aggregate(run);
      EXPECT_EQ(value.summary().committed, value.summary().subtasks);
      EXPECT_EQ(std::memcmp(&value.get(), &expected.get(), sizeof value.get()), 0) << fastgpu::to_string(mode);
    }
  }
};

TEST_F(GpuJobs, SumIntegersAsTheHostDoes)
{
  for (const std::int64_t n : {1, 255, 256, 257, 1'000'003}) {
    expect_same(fastgpu::make_job(n, integers{}, fastgpu::reduced(fastgpu::sum<std::uint64_t>{})),
                fastgpu::reduction::ordered);
    expect_same(fastgpu::make_job(n, integers{}, fastgpu::reduced(fastgpu::minimum<std::uint64_t>{})),
                fastgpu::reduction::ordered);
  }
}

TEST_F(GpuJobs, SumDoublesInOrderAsTheHostDoes)
{
  for (const std::int64_t n : {1, 2, 255, 256, 257, 1'000'003}) {
    for (const std::int64_t granule : {1, 7, 300, 100'000}) {
      if (n / granule > (brief() ? 2'000 : 200'000)) continue;
      expect_same(fastgpu::make_job(fastgpu::space(n, fastgpu::by_size{granule}), doubles{},
                                    fastgpu::reduced(fastgpu::sum<double>{})),
                  fastgpu::reduction::ordered);
    }
  }
  expect_same(fastgpu::make_job(fastgpu::space(fastgpu::extents{301, 503}, fastgpu::by_size{17, 31}), doubles_2d{},
                                fastgpu::reduced(fastgpu::sum<double>{})),
              fastgpu::reduction::ordered);
}

TEST_F(GpuJobs, SumDoublesExactlyAsTheHostDoes)
{
  for (const std::int64_t granule : {1, 7, 300, 100'000}) {
    expect_same(fastgpu::make_job(fastgpu::space(200'003, fastgpu::by_size{granule}), doubles{},
                                  fastgpu::reduced(fastgpu::sum<double>{})),
                fastgpu::reduction::exact);
  }
}

TEST_F(GpuJobs, SumFastAboutAsTheHostDoes)
{
  fastgpu::cluster gpu{"cuda:0"};
  fastgpu::cluster cores{"host:2"};
  const fastgpu::run_options fast{.reduction = fastgpu::reduction::fast};
  const auto value = fastgpu::reduce(gpu, 1'000'003, doubles{}, fastgpu::sum<double>{}, fast);
  const auto expected = fastgpu::reduce(cores, 1'000'003, doubles{}, fastgpu::sum<double>{}, fast);
  EXPECT_NEAR(value.get(), expected.get(), 1e-9 * 1'000'003 * 1e9);
}

TEST_F(GpuJobs, MergeInOrderWhatDoesNotCommute)
{
  expect_same(fastgpu::make_job(fastgpu::space(100'003, fastgpu::by_size{33}), matrices{},
                                fastgpu::reduced(matrix_product{})),
              fastgpu::reduction::ordered);
}

TEST_F(GpuJobs, CountAndSumIntoBins)
{
  fastgpu::cluster gpu{"cuda:0"};
  fastgpu::cluster cores{"host:2"};
  for (const std::uint64_t bins : {1u, 10u, 5000u}) {
    const auto width = static_cast<std::int64_t>(bins);
    EXPECT_EQ(fastgpu::histogram(gpu, 300'000, width, bin_of{bins}).get(),
              fastgpu::histogram(cores, 300'000, width, bin_of{bins}).get());
  }
  const auto job = fastgpu::make_job(fastgpu::space(50'000, fastgpu::by_size{77}), binned{},
                                     fastgpu::reduced(fastgpu::sum<double>{}, 13));
  auto on_gpu = fastgpu::execute(gpu, job);
  auto on_cores = fastgpu::execute(cores, job);
  EXPECT_EQ(fastgpu::aggregate(on_gpu).get(), fastgpu::aggregate(on_cores).get());
}

/// Vectors of 40,000 bytes stay on the GPU until they are sealed, unless that is forbidden.
TEST_F(GpuJobs, SumIntoManyBinsInOrderWhereverSiblingsMerge)
{
  const auto job = fastgpu::make_job(fastgpu::space(60'000, fastgpu::by_size{300}), binned{},
                                     fastgpu::reduced(fastgpu::sum<double>{}, 5000));
  fastgpu::cluster cores{"host:2"};
  auto on_cores = fastgpu::execute(cores, job);
  const auto expected = fastgpu::aggregate(on_cores).get();
  for (const std::uint64_t resident_from : {std::uint64_t{0}, std::uint64_t{32768}}) {
    fastgpu::cluster_options one{.devices = "cuda:0"};
    one.gpu.resident_bytes_min = resident_from;
    fastgpu::cluster gpu{one};
    for (const auto& options : ways(fastgpu::reduction::ordered)) {
      auto run = fastgpu::execute(gpu, job, options);
      EXPECT_EQ(fastgpu::aggregate(run).get(), expected);
    }
  }
}

TEST_F(GpuJobs, FindTheLowestIndexOfTheSmallest)
{
  fastgpu::cluster gpu{"cuda:0"};
  fastgpu::cluster cores{"host:2"};
  const auto found = fastgpu::arg_min(gpu, 1'000'003, bin_of{1000}).get();
  const auto expected = fastgpu::arg_min(cores, 1'000'003, bin_of{1000}).get();
  EXPECT_EQ(found.index, expected.index);
  EXPECT_EQ(found.value, expected.value);
}

TEST_F(GpuJobs, RunStencilsOverEveryBorder)
{
  for (const auto edge : {fastgpu::border::reflect_101, fastgpu::border::replicate, fastgpu::border::constant}) {
    std::vector<std::uint32_t> in(123 * 211);
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::uint32_t>(mixed(i));
    const auto filtered = [&](const char* devices) {
      std::vector<std::uint32_t> out(in.size());
      fastgpu::cluster cluster{devices};
      fastgpu::for_each(cluster, fastgpu::space(fastgpu::extents{123, 211}, fastgpu::by_size{16, 32}), stencil{2},
                        fastgpu::slices(fastgpu::matrix(in.data(), 123, 211), 2, edge, 9u),
                        fastgpu::gather(fastgpu::matrix(out.data(), 123, 211)));
      return out;
    };
    EXPECT_EQ(filtered("cuda:0"), filtered("host:2"));
  }
}

TEST_F(GpuJobs, TakeValuesBroadcastsAndSlices)
{
  const std::vector<double> all{1, 2, 4};
  std::vector<double> in(100'003);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<double>(i);
  std::vector<double> out(in.size());
  fastgpu::cluster gpu{"cuda:0"};
  fastgpu::for_each(gpu, static_cast<std::int64_t>(in.size()), scaled{}, 0.5, fastgpu::broadcast(all),
                    fastgpu::slices(in), fastgpu::gather(out));
  for (std::size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], in[i] * 0.5 + all[i % 3]) << i;
}

TEST_F(GpuJobs, RunBlocksInThreeDimensions)
{
  expect_same(fastgpu::make_job(fastgpu::space(fastgpu::extents{20, 30, 40}, fastgpu::by_size{7, 8, 9}), block_sum{},
                                fastgpu::reduced(fastgpu::sum<std::uint64_t>{})),
              fastgpu::reduction::ordered);
}

TEST_F(GpuJobs, RunTeamsOfThreads)
{
  std::vector<double> in(100'003);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = rough(i);
  std::vector<double> out(in.size());
  for (const std::int64_t granule : {1, 255, 2000}) {
    const auto job = fastgpu::make_job(fastgpu::space(100'003, fastgpu::by_size{granule}), turned{}, fastgpu::slices(in),
                                       fastgpu::gather(out), fastgpu::reduced(fastgpu::sum<double>{}));
    expect_same(job, fastgpu::reduction::ordered);
    expect_same(job, fastgpu::reduction::exact);
    for (std::size_t i = 0; i < in.size(); ++i) {
      const auto g = static_cast<std::size_t>(granule);
      const auto begin = i / g * g;
      const auto end = begin + g < in.size() ? begin + g : in.size();
      ASSERT_EQ(out[i], in[end - 1 - (i - begin)]) << i;
    }
  }
  const auto crossed = [](const char* devices) {
    std::vector<std::uint64_t> to(401 * 307);
    fastgpu::cluster cluster{devices};
    fastgpu::for_each(cluster, fastgpu::space(fastgpu::extents{401, 307}, fastgpu::by_size{32, 20}), neighbours{},
                      fastgpu::gather(fastgpu::matrix(to.data(), 401, 307)));
    return to;
  };
  EXPECT_EQ(crossed("cuda:0"), crossed("host:2"));
}

TEST_F(GpuJobs, ReadAndWriteTheGpusOwnMemoryBetweenAUsersLaunches)
{
  constexpr std::int64_t n = 1 << 22;
  double* in = nullptr;
  double* out = nullptr;
  double* copy = nullptr;
  cudaStream_t stream = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  ASSERT_EQ(cudaMalloc(&in, n * sizeof *in), cudaSuccess);
  ASSERT_EQ(cudaMalloc(&out, n * sizeof *out), cudaSuccess);
  ASSERT_EQ(cudaMalloc(&copy, n * sizeof *copy), cudaSuccess);
  std::vector<double> ones(n, 1.0);
  const std::vector<double> all{1, 2, 4};
  fastgpu::cluster gpu{"cuda:0"};
  const fastgpu::memory here{fastgpu::memory_kind::device, 0};
  const auto of = [&](double* data) { return fastgpu::data_view<double, 1>{data, fastgpu::extents<1>{{n}}, here}; };
  const auto job = fastgpu::make_job(n, scaled{}, 0.5, fastgpu::broadcast(all), fastgpu::slices(of(in)),
                                     fastgpu::gather(of(out)));
  for (int round = 0; round < 20; ++round) {
    ASSERT_EQ(cudaMemsetAsync(in, 0, n * sizeof *in, stream), cudaSuccess);
    ASSERT_EQ(cudaMemcpyAsync(in, ones.data(), n * sizeof *in, cudaMemcpyHostToDevice, stream), cudaSuccess);
    fastgpu::start_after(gpu, stream);  // else the job could read zeros
    auto run = fastgpu::execute(gpu, job);
    fastgpu::make_wait(stream, run);    // else the copy could come too early
    ASSERT_EQ(cudaMemcpyAsync(copy, out, n * sizeof *copy, cudaMemcpyDeviceToDevice, stream), cudaSuccess);
    ASSERT_EQ(cudaMemsetAsync(out, 0, n * sizeof *out, stream), cudaSuccess);
    std::vector<double> result(n);
    ASSERT_EQ(cudaMemcpyAsync(result.data(), copy, n * sizeof *copy, cudaMemcpyDeviceToHost, stream), cudaSuccess);
    ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    for (std::size_t i = 0; i < result.size(); ++i) ASSERT_EQ(result[i], 0.5 + all[i % 3]) << i;
    (void)run.wait();
  }
  EXPECT_EQ(cudaFree(in), cudaSuccess);
  EXPECT_EQ(cudaFree(out), cudaSuccess);
  EXPECT_EQ(cudaFree(copy), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

TEST_F(GpuJobs, FillTheBordersOfSlicesInEveryKindOfMemory)
{
  constexpr std::int64_t rows = 61;
  constexpr std::int64_t columns = 83;
  const fastgpu::extents<2> shape{{rows, columns}};
  std::vector<std::uint32_t> in(rows * columns);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::uint32_t>(mixed(i));
  const auto bytes = in.size() * sizeof in[0];
  std::uint32_t* on_gpu = nullptr;
  std::uint32_t* pinned = nullptr;
  ASSERT_EQ(cudaMalloc(&on_gpu, bytes), cudaSuccess);
  ASSERT_EQ(cudaHostAlloc(&pinned, bytes, cudaHostAllocDefault), cudaSuccess);
  ASSERT_EQ(cudaMemcpy(on_gpu, in.data(), bytes, cudaMemcpyHostToDevice), cudaSuccess);
  std::memcpy(pinned, in.data(), bytes);
  fastgpu::cluster gpu{"cuda:0"};
  for (const auto edge : {fastgpu::border::reflect_101, fastgpu::border::replicate, fastgpu::border::constant}) {
    const auto filtered = [&](std::uint32_t* data, fastgpu::memory_kind kind) {
      std::vector<std::uint32_t> out(in.size());
      fastgpu::for_each(gpu, fastgpu::space(shape, fastgpu::by_size{9, 20}), stencil{3},
                        fastgpu::slices(fastgpu::data_view<std::uint32_t, 2>{data, shape, {kind, 0}}, 3, edge, 9u),
                        fastgpu::gather(fastgpu::matrix(out.data(), rows, columns)));
      return out;
    };
    const auto expected = filtered(in.data(), fastgpu::memory_kind::host);
    EXPECT_EQ(filtered(on_gpu, fastgpu::memory_kind::device), expected);
    EXPECT_EQ(filtered(pinned, fastgpu::memory_kind::pinned), expected);
  }
  EXPECT_EQ(cudaFree(on_gpu), cudaSuccess);
  EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
}

TEST_F(GpuJobs, LetAUsersStreamGoOnAfterASum)
{
  std::vector<double> in(3'000'000, 1.0);
  cudaStream_t stream = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  fastgpu::cluster gpu{"cuda:0"};
  for (const std::size_t n : {std::size_t{1000}, in.size()}) {  // the second time the buffers grow
    const fastgpu::data_view<double, 1> some{in.data(), fastgpu::extents<1>{{static_cast<std::int64_t>(n)}}};
    const auto job = fastgpu::make_job(static_cast<std::int64_t>(n), element{}, fastgpu::slices(some),
                                       fastgpu::reduced(fastgpu::sum<double>{}));
    auto run = fastgpu::execute(gpu, job, {.reduction = fastgpu::reduction::exact});
    fastgpu::make_wait(stream, run);  // while the run takes and gives memory
    EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    EXPECT_EQ(fastgpu::aggregate(run).get(), static_cast<double>(n));
  }
  EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
}

TEST_F(GpuJobs, CopyPinnedMemoryWithoutStaging)
{
  constexpr std::int64_t rows = 700;
  constexpr std::int64_t columns = 900;
  std::uint32_t* in = nullptr;
  std::uint32_t* out = nullptr;
  ASSERT_EQ(cudaHostAlloc(&in, rows * columns * sizeof *in, cudaHostAllocDefault), cudaSuccess);
  ASSERT_EQ(cudaHostAlloc(&out, rows * columns * sizeof *out, cudaHostAllocDefault), cudaSuccess);
  for (std::int64_t i = 0; i < rows * columns; ++i) in[i] = static_cast<std::uint32_t>(mixed(static_cast<std::uint64_t>(i)));
  const fastgpu::extents<2> shape{{rows, columns}};
  const fastgpu::memory pinned{fastgpu::memory_kind::pinned};
  fastgpu::cluster gpu{"cuda:0"};
  fastgpu::for_each(gpu, fastgpu::space(shape, fastgpu::by_size{31, 57}), stencil{0},
                    fastgpu::slices(fastgpu::data_view<std::uint32_t, 2>{in, shape, pinned}),
                    fastgpu::gather(fastgpu::data_view<std::uint32_t, 2>{out, shape, pinned}));
  EXPECT_EQ(std::memcmp(in, out, rows * columns * sizeof *in), 0);  // without a halo it is the identity
  EXPECT_EQ(cudaFreeHost(in), cudaSuccess);
  EXPECT_EQ(cudaFreeHost(out), cudaSuccess);
}

/// Also where there is no GPU: nvcc has made the entries.
TEST(GpuPrograms, AreRegisteredForBothBackEnds)
{
  for (const auto* name : {"test.integers", "test.doubles", "test.doubles_2d", "test.matrices", "test.bin_of", "test.binned",
                           "test.stencil", "test.scaled", "test.block_sum", "test.turned", "test.neighbours"}) {
    EXPECT_GE(fastgpu::registered_programs(name, "cuda"), 1u) << name;
    EXPECT_EQ(fastgpu::registered_programs(name, "cuda"), fastgpu::registered_programs(name, "host")) << name;
  }
}

#if defined(FASTGPU_TEST_PTX)
TEST(GpuPrograms, HaveTheKernelsThatTheyAreRegisteredWith)
{
  // The other file's are not in this one's PTX: an accumulator's and that of lanes into one, for each of the two programs
  // there that reduce, and those of spans and of siblings, for the one of them whose vectors merge in order.
  constexpr std::size_t of_other_files = 6;
  std::ifstream ptx{FASTGPU_TEST_PTX};
  if (!ptx) GTEST_SKIP() << "not where it was built";
  std::size_t entries = 0;
  for (std::string line; std::getline(ptx, line);) entries += line.find(".entry") != std::string::npos;
  EXPECT_GT(entries, 0u);
  EXPECT_EQ(fastgpu::detail::registered_gpu_kernels("cuda"), entries + of_other_files);
}
#endif

TEST(GpuPrograms, SayWhyThereIsNoGpu)
{
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess && count > 0) GTEST_SKIP() << "there is one";
  try {
    fastgpu::cluster gpu{"cuda:0"};
    FAIL();
  } catch (const fastgpu::error& e) {
    EXPECT_EQ(e.code(), fastgpu::errc::no_usable_device);
    EXPECT_EQ(std::string{e.what()}.find('\n'), std::string::npos);
  }
  fastgpu::cluster all;  // takes the cores
  EXPECT_EQ(fastgpu::reduce(all, 1000, integers{}, fastgpu::sum<std::uint64_t>{}).summary().devices.size(), 1u);
}

}  // namespace
