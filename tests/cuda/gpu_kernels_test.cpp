#include "support/threaded_backend.hpp"  // first: these jobs have the kernels of GPUs

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/device_list.hpp"
#include "cuda/cuda_device.hpp"
#include "image/edges.hpp"
#include "support/splitmix.hpp"

/// @file
/// The kernels of <fastgpu/cuda/runner.cuh> and their launches, on threads of the host, against the host's own loops.

namespace {

using fastgpu::by_size;
using fastgpu::extents;
using fastgpu::index;
using fastgpu::make_job;
using fastgpu::reduced;
using fastgpu::reduction;
using fastgpu::space;
using fastgpu::sum;
using support::mix;

/// `fakegpu` in device lists: a small one, so that blocks of modest jobs come to their second share of work.
const bool small_gpu_added = [] {
  fastgpu::detail::add_device_kind(
      {"fakegpu",
       [](std::string_view, fastgpu::device_id first, const fastgpu::gpu_options& options) {
         support::gpu_faults plain;
         plain.multiprocessors = 1;
         std::vector<std::unique_ptr<fastgpu::detail::device>> devices;
         devices.push_back(std::make_unique<fastgpu::detail::cuda_device>(
             first, std::make_unique<support::fake_gpu>(plain), "fakegpu", options));
         return devices;
       },
       nullptr});
  return true;
}();

/// A double over many powers of two: additions in another order give other bits.
double rough(std::uint64_t i)
{
  const auto bits = mix(i + 1);
  return std::ldexp(static_cast<double>(static_cast<std::int64_t>(bits) >> 11), static_cast<int>(bits % 61) - 80);
}

struct doubles {
  double operator()(std::uint64_t i) const { return rough(i); }
};

/// The value on the GPU, in batches of some sizes, is that of the host, bit by bit.
/// @param resident_from  gpu_options::resident_bytes_min
template <class Job>
void expect_same(const Job& job, reduction mode = reduction::ordered, std::uint64_t resident_from = 0)
{
  fastgpu::cluster cores{"host:1"};
  auto on_cores = fastgpu::execute(cores, job, {.reduction = mode});
  const auto expected = fastgpu::aggregate(on_cores).get();
  using fastgpu::batching;
  const auto some = std::max(job.data().shape.count / 7, 5u);
  for (const auto batches : {batching::fixed(some), batching::fixed(1'000'000)}) {
    fastgpu::cluster_options one{.devices = "fakegpu:1"};
    one.gpu.resident_bytes_min = resident_from;
    fastgpu::cluster gpu{one};
    fastgpu::run_options options;
    options.reduction = mode;
    options.batches = batches;
    auto run = fastgpu::execute(gpu, job, options);
    const auto value = fastgpu::aggregate(run);
    ASSERT_EQ(value.summary().devices.front().name, "fakegpu");
    if constexpr (requires { value.get().size(); }) {
      EXPECT_EQ(value.get(), expected);
    } else {
      EXPECT_EQ(std::memcmp(&value.get(), &expected, sizeof expected), 0) << fastgpu::to_string(mode);
    }
  }
}

TEST(GpuKernels, FoldOneValueOverBlocks)
{
  const auto integer = [](std::uint64_t i) { return mix(i); };
  for (const std::int64_t n : {1, 2, 255, 256, 257, 3000}) {
    expect_same(make_job(space(n, by_size{n < 10 ? 1 : n / 9}), integer, reduced(sum<std::uint64_t>{})));
    expect_same(make_job(space(n, by_size{n < 10 ? 1 : n / 9}), integer, reduced(fastgpu::minimum<std::uint64_t>{})));
  }
}

TEST(GpuKernels, FoldLanesInOrder)
{
  for (const std::int64_t n : {1, 2, 255, 256, 257, 5000}) {
    for (const std::int64_t granule : {1, 7, 300, 2000}) {
      if (n / granule > 60 || (n < 200 && granule > 7)) continue;
      expect_same(make_job(space(n, by_size{granule}), doubles{}, reduced(sum<double>{})));
    }
  }
  expect_same(make_job(space(35 * 256, by_size{256}), doubles{}, reduced(sum<double>{})));  // some blocks have two
}

TEST(GpuKernels, FoldTilesOfTwoAndThreeDimensions)
{
  const auto flat = [](index<2> at) { return rough(static_cast<std::uint64_t>(at[0] * 1000 + at[1])); };
  const auto deep = [](index<3> at) { return mix(static_cast<std::uint64_t>((at[0] * 50 + at[1]) * 50 + at[2])); };
  expect_same(make_job(space(extents{31, 53}, by_size{7, 11}), flat, reduced(sum<double>{})));
  expect_same(make_job(space(extents{13, 17, 19}, by_size{5, 6, 7}), deep, reduced(sum<std::uint64_t>{})));
}

TEST(GpuKernels, FoldExactly)
{
  for (const std::int64_t granule : {1, 30, 1000}) {
    expect_same(make_job(space(granule == 1 ? 40 : 3000, by_size{granule}), doubles{}, reduced(sum<double>{})),
                reduction::exact);
  }
}

/// Integers modulo 2^64 under x -> a x + b: associative and anything but commutative.
struct affine {
  std::uint64_t a = 1, b = 0;
};
struct compose {
  using value_type = affine;
  static constexpr const char* name = "compose";
  affine operator()(const affine& l, const affine& r) const { return {l.a * r.a, l.b * r.a + r.b}; }
};

TEST(GpuKernels, FoldWhatDoesNotCommute)
{
  const auto maps = [](std::uint64_t i) { return affine{mix(i) | 1, i}; };
  const auto blocks = [](fastgpu::block<1> b) { return affine{mix(b.subtask) | 1, b.subtask}; };
  expect_same(make_job(space(2000, by_size{33}), maps, reduced(compose{})));
  expect_same(make_job(space(60, by_size{1}), maps, reduced(compose{})));
  expect_same(make_job(space(2000, by_size{33}), blocks, reduced(compose{})));
}

/// 512 bytes: blocks of fewer threads, and no lanes.
struct large {
  std::uint64_t part[64] = {};
};
struct add_large {
  using value_type = large;
  static constexpr const char* name = "add_large";
  static constexpr bool commutative = true;
  large operator()(const large& l, const large& r) const
  {
    large s;
    for (int i = 0; i < 64; ++i) s.part[i] = l.part[i] + r.part[i];
    return s;
  }
};

TEST(GpuKernels, FoldLargeValues)
{
  const auto fill = [](std::uint64_t i) {
    large v;
    for (int k = 0; k < 64; ++k) v.part[k] = mix(i * 64 + static_cast<std::uint64_t>(k));
    return v;
  };
  for (const auto mode : {reduction::ordered, reduction::fast}) {
    expect_same(make_job(space(500, by_size{40}), fill, reduced(add_large{})), mode);
  }
}

TEST(GpuKernels, TallyInSharedMemoryAndBesideIt)
{
  const auto count = [](std::uint64_t i, fastgpu::tally<sum<std::uint64_t>> bins) {
    bins.merge(static_cast<std::int64_t>(mix(i) % static_cast<std::uint64_t>(bins.width())), i);
  };
  const auto mark = [](std::uint64_t i, fastgpu::tally<fastgpu::bit_or<std::uint32_t>> bins) {
    bins.merge(static_cast<std::int64_t>(i % static_cast<std::uint64_t>(bins.width())), 1u << mix(i) % 32);
  };
  const auto whole = [](std::uint64_t i, fastgpu::tally<sum<double>> bins) {  // no order shows in sums of whole numbers
    bins.merge(static_cast<std::int64_t>(mix(i) % static_cast<std::uint64_t>(bins.width())), static_cast<double>(i));
  };
  for (const std::int64_t width : {1, 10, 2048, 2049, 5000}) {
    expect_same(make_job(space(3000, by_size{250}), count, reduced(sum<std::uint64_t>{}, width)));
    expect_same(make_job(space(3000, by_size{250}), mark, reduced(fastgpu::bit_or<std::uint32_t>{}, width)));
    expect_same(make_job(space(3000, by_size{250}), whole, reduced(sum<double>{}, width)), reduction::fast);
  }
}

TEST(GpuKernels, TallyInOrder)
{
  const auto bin = [](std::uint64_t i, fastgpu::tally<sum<double>> bins) {
    bins.merge(static_cast<std::int64_t>(mix(i) % static_cast<std::uint64_t>(bins.width())), rough(i));
  };
  for (const std::uint64_t resident_from : {0, 1}) {
    expect_same(make_job(space(3000, by_size{77}), bin, reduced(sum<double>{}, 13)), reduction::ordered, resident_from);
  }
}

/// A vector for each subtask, by launches of its own; on cores by a tally.
struct gradient {
  std::int64_t width;

  static double element(std::int64_t i, std::int64_t k) { return rough(static_cast<std::uint64_t>(i * 1009 + k)); }

  void operator()(fastgpu::cuda_context& gpu, const fastgpu::cuda_batch<1>& batch, double* values) const
  {
    gpu.enqueue([n = width, batch, values] {
      for (std::uint32_t s = 0; s < batch.size(); ++s) {
        for (std::int64_t k = 0; k < n; ++k) values[s * n + k] = element(batch[s].begin[0], k);
      }
    });
  }
  void operator()(fastgpu::block<1> b, fastgpu::tally<sum<double>> to) const
  {
    for (std::int64_t k = 0; k < width; ++k) to.merge(k, element(b.begin[0], k));
  }
};
/// Whole numbers, whose sum any order gives.
struct whole_gradient : gradient {
  void operator()(fastgpu::cuda_context& gpu, const fastgpu::cuda_batch<1>& batch, double* values) const
  {
    gpu.enqueue([n = width, batch, values] {
      for (std::uint32_t s = 0; s < batch.size(); ++s) {
        for (std::int64_t k = 0; k < n; ++k) values[s * n + k] = static_cast<double>(batch[s].begin[0] * 7 + k);
      }
    });
  }
  void operator()(fastgpu::block<1> b, fastgpu::tally<sum<double>> to) const
  {
    for (std::int64_t k = 0; k < width; ++k) to.merge(k, static_cast<double>(b.begin[0] * 7 + k));
  }
};

TEST(GpuKernels, FoldTheVectorsOfOwnLaunches)
{
  for (const std::int64_t width : {1, 3, 300, 9000}) {
    for (const std::int64_t subtasks : {1, 40, 40'000}) {  // of the most, a span is several
      if (subtasks * width > 100'000) continue;
      const auto rough_job = make_job(space(subtasks, by_size{1}), gradient{width}, reduced(sum<double>{}, width));
      ASSERT_EQ(rough_job.data().shape.span_log2 > 0, subtasks > 40);
      expect_same(rough_job, reduction::ordered, 0);
      expect_same(rough_job, reduction::ordered, 1);
      expect_same(make_job(space(subtasks, by_size{1}), whole_gradient{{width}}, reduced(sum<double>{}, width)),
                  reduction::fast);
    }
  }
}

TEST(GpuKernels, FindTheLowestIndexOfTheSmallest)
{
  fastgpu::cluster gpu{"fakegpu:1"};
  fastgpu::cluster cores{"host:1"};
  const auto cost = [](std::uint64_t i) { return mix(i) % 100; };
  fastgpu::run_options all_at_once;
  all_at_once.batches = fastgpu::batching::fixed(1'000'000);
  const auto found = fastgpu::arg_min(gpu, 3000, cost, all_at_once).get();
  const auto expected = fastgpu::arg_min(cores, 3000, cost).get();
  EXPECT_EQ(found.index, expected.index);
  EXPECT_EQ(found.value, expected.value);
}

TEST(GpuKernels, FillOutputs)
{
  std::vector<std::uint32_t> in(61 * 83);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::uint32_t>(mix(i));
  const auto blur = [](index<2> at, fastgpu::in2<std::uint32_t> from, fastgpu::out2<std::uint32_t> to) {
    std::uint32_t sum = 0;
    for (int y = -1; y <= 1; ++y) {
      for (int x = -1; x <= 1; ++x) sum = sum * 31 + from(at[0] + y, at[1] + x);
    }
    to(at) = sum;
  };
  const auto filtered = [&](const char* devices) {
    std::vector<std::uint32_t> out(in.size());
    fastgpu::cluster cluster{devices};
    fastgpu::for_each(cluster, space(extents{61, 83}, by_size{9, 20}), blur,
                      fastgpu::slices(fastgpu::matrix(in.data(), 61, 83), 1, fastgpu::border::reflect_101),
                      fastgpu::gather(fastgpu::matrix(out.data(), 61, 83)));
    return out;
  };
  EXPECT_EQ(filtered("fakegpu:1"), filtered("host:1"));
}

/// Turns blocks round through the memory that a team shares, and yields what came out, summed in order.
struct turned {
  static constexpr std::size_t shared_bytes = 600 * sizeof(double);

  double operator()(const fastgpu::team& t, fastgpu::block<1> b, fastgpu::in1<double> in, fastgpu::out1<double> out) const
  {
    auto* there = t.shared<double>(b.count());
    t.for_each(b, [&](index<1> i) { there[b.end[0] - 1 - i[0]] = in(i); });
    t.sync();
    t.for_each(b, [&](index<1> i) { out(i) = there[i[0] - b.begin[0]]; });
    if (t.rank() != 0) return -1;
    double sum = 0;
    for (std::int64_t k = 0; k < b.count(); ++k) sum += there[k];
    return sum;
  }
};

TEST(GpuKernels, RunTeams)
{
  std::vector<double> in(1800);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = rough(i);
  std::vector<double> out(in.size());
  for (const std::int64_t granule : {40, 100, 600}) {  // of the smallest, some thread blocks have two
    const auto job = make_job(space(1800, by_size{granule}), turned{}, fastgpu::slices(in), fastgpu::gather(out),
                              reduced(sum<double>{}));
    expect_same(job);
    expect_same(job, reduction::exact);
    const auto g = static_cast<std::size_t>(granule);
    for (std::size_t i = 0; i < in.size(); ++i) ASSERT_EQ(out[i], in[i / g * g + g - 1 - i % g]) << i;
  }
}

/// In tiles: what a team found for each place in the first step, others read in the second.
struct neighbours {
  static constexpr std::size_t shared_bytes = 32 * 32 * sizeof(std::uint64_t);

  void operator()(const fastgpu::team& t, fastgpu::block<2> b, fastgpu::out2<std::uint64_t> out) const
  {
    const fastgpu::out2<std::uint64_t> there{
        t.shared<std::uint64_t>(b.count()), b.begin, {b.size(0), b.size(1)}, {b.size(1), 1}};
    t.for_each(b, [&](index<2> at) { there(at) = mix(static_cast<std::uint64_t>(at[0] * 4096 + at[1])); });
    t.sync();
    t.for_each(b, [&](index<2> at) {
      const auto below = at[0] + 1 < b.end[0] ? at[0] + 1 : b.begin[0];
      const auto beside = at[1] + 1 < b.end[1] ? at[1] + 1 : b.begin[1];
      out(at) = there(at) ^ (there(below, at[1]) << 1) ^ (there(at[0], beside) << 2);
    });
  }
};

TEST(GpuKernels, RunTeamsThatReduceNothing)
{
  const auto crossed = [](const char* devices) {
    std::vector<std::uint64_t> to(101 * 207);
    fastgpu::cluster cluster{devices};
    fastgpu::for_each(cluster, space(extents{101, 207}, by_size{32, 20}), neighbours{},
                      fastgpu::gather(fastgpu::matrix(to.data(), 101, 207)));
    return to;
  };
  EXPECT_EQ(crossed("fakegpu:1"), crossed("host:1"));
}

/// Rows that are joined at one end in turn: one component, whose last pixel is the farthest from its first one.
TEST(GpuKernels, LabelTheLongestComponentThatATileHas)
{
  constexpr std::int64_t edge = 63;
  for (const int pattern : {0, 1, 2}) {
    std::vector<std::uint8_t> classes(edge * edge);
    for (std::int64_t y = 0; y < edge; ++y) {
      for (std::int64_t x = 0; x < edge; ++x) {
        const bool snake = y % 2 == 0 || x == (y % 4 == 1 ? edge - 1 : 0);
        const bool is_there = pattern == 0 ? snake : pattern == 1 ? (x + y) % 2 == 0 : mix(y * edge + x) % 5 < 2;
        classes[static_cast<std::size_t>(y * edge + x)] =
            is_there ? (mix(y * edge + x) % 97 == 0 ? image::strong : image::weak) : image::none;
      }
    }
    const auto labelled = [&](const char* devices) {
      std::vector<std::int32_t> labels(classes.size(), -1);
      fastgpu::cluster cluster{devices};
      fastgpu::for_each(cluster, space(extents{edge, edge}, by_size{edge}), image::label_tile{edge},
                        fastgpu::slices(fastgpu::matrix(classes.data(), edge, edge)),
                        fastgpu::gather(fastgpu::matrix(labels.data(), edge, edge)));
      return labels;
    };
    EXPECT_EQ(labelled("fakegpu:1"), labelled("host:1")) << "pattern " << pattern;
  }
}

/// Kernels beside a run's batches, of the sum of some accumulators.
template <class S, class T>
void merge_three(void (*kernel)(typename S::totals), std::vector<T>& first, std::size_t stride,
                 const fastgpu::detail::job_data& job, unsigned threads)
{
  fastgpu::detail::gpu_totals totals;
  totals.job = &job;
  totals.first = first.data();
  totals.stride = stride;
  totals.count = 3;
  emulated_cuda::run_grid(kernel, threads > 1 ? 3 : 1, threads, typename S::totals{totals});
}

TEST(GpuKernels, MergeTheVectorsOfLanes)
{
  using S = fastgpu::detail::gpu_subtasks<1, doubles, fastgpu::detail::vector_reduction<sum<double>>>;
  constexpr std::size_t width = 1000;
  const sum<double> op;
  fastgpu::detail::job_data job;
  job.width = width;
  job.operation = &op;
  std::vector<double> lanes(3 * width);
  for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i] = static_cast<double>(i);
  merge_three<S>(&fastgpu::detail::gpu_merge_vectors<S>, lanes, width * sizeof(double), job, 256);
  for (std::size_t i = 0; i < width; ++i) {
    ASSERT_EQ(lanes[i], static_cast<double>(3 * i + 3 * width));
    ASSERT_EQ(lanes[i + width], 0);
    ASSERT_EQ(lanes[i + 2 * width], 0);
  }
}

TEST(GpuKernels, MergeTheValuesOfLanesThatHaveOne)
{
  using S = fastgpu::detail::gpu_subtasks<1, doubles, fastgpu::detail::value_reduction<sum<double>, double>>;
  struct lane {
    double value;
    std::uint64_t none = 0;
    std::uint32_t present;
    std::uint32_t arrivals = 0;
    std::uint64_t none2 = 0;
  };
  static_assert(offsetof(lane, present) == fastgpu::detail::gpu_present_offset(sizeof(double)));
  const sum<double> op;
  fastgpu::detail::job_data job;
  job.operation = &op;
  std::vector<lane> lanes{{.value = 99, .present = 0}, {.value = 2, .present = 1}, {.value = 3, .present = 1}};
  merge_three<S>(&fastgpu::detail::gpu_merge_scalars<S, false>, lanes, sizeof(lane), job, 1);
  EXPECT_EQ(lanes[0].value, 5);
  EXPECT_EQ(lanes[0].present, 1u);
  EXPECT_EQ(lanes[1].present, 0u);
  EXPECT_EQ(lanes[2].present, 0u);
}

TEST(GpuKernels, MergeAndNormalizeExactStates)
{
  using S = fastgpu::detail::gpu_subtasks<1, doubles, fastgpu::detail::value_reduction<sum<double>, double>>;
  using state = fastgpu::detail::exact_state<sum<double>>;
  const sum<double> op;
  fastgpu::detail::job_data job;
  job.operation = &op;
  state all;
  std::vector<state> lanes(3);
  for (std::uint64_t i = 0; i < 300; ++i) {
    lanes[i % 3].add(rough(i));
    all.add(rough(i));
  }
  all.normalize();
  merge_three<S>(&fastgpu::detail::gpu_merge_scalars<S, true>, lanes, sizeof(state), job, 1);
  EXPECT_EQ(std::memcmp(&lanes[0], &all, sizeof all), 0);
  lanes[0].add(rough(300));
  all.add(rough(300));
  all.normalize();
  const auto sum_of_doubles = make_job(10, doubles{}, reduced(sum<double>{}));
  fastgpu::detail::gpu_batch batch;
  batch.job = &sum_of_doubles.data();
  batch.total = lanes.data();
  emulated_cuda::run_grid(&fastgpu::detail::gpu_normalize_exact<S>, 1, 1, typename S::params{batch});
  EXPECT_EQ(std::memcmp(&lanes[0], &all, sizeof all), 0);
}

TEST(GpuKernels, MergeTheNodesOfAForest)
{
  using S = fastgpu::detail::gpu_subtasks<1, doubles, fastgpu::detail::vector_reduction<sum<double>>>;
  constexpr std::int64_t width = 700;
  const sum<double> op;
  fastgpu::detail::job_data job;
  job.width = width;
  job.operation = &op;
  std::vector<std::vector<double>> values(4);
  for (std::size_t v = 0; v < 4; ++v) {
    for (std::int64_t i = 0; i < width; ++i) values[v].push_back(rough(v * 1000 + static_cast<std::uint64_t>(i)));
  }
  const auto before = values;
  using step = fastgpu::detail::gpu_node_step;
  const std::vector<step> steps{{values[0].data(), values[1].data(), true},
                                {values[2].data(), values[3].data(), true},
                                {values[0].data(), values[2].data(), true},
                                {values[3].data(), values[0].data(), false}};
  fastgpu::detail::gpu_node_steps all;
  all.job = &job;
  all.steps = steps.data();
  all.count = static_cast<std::uint32_t>(steps.size());
  emulated_cuda::run_grid(&fastgpu::detail::gpu_merge_nodes<S>, 2, 256, typename S::node_steps{all});
  for (std::size_t i = 0; i < width; ++i) {
    ASSERT_EQ(values[3][i], (before[0][i] + before[1][i]) + (before[2][i] + before[3][i]));
  }
}

}  // namespace
