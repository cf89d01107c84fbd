#include "support/emulated_backend.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <fastgpu/aggregate/superaccumulator.hpp>
#include <fastgpu/fastgpu.hpp>

#include "support/fake_gpu_kind.hpp"
#include "support/indices.hpp"
#include "support/ordered_reference.hpp"
#include "support/splitmix.hpp"

/// @file
/// Random jobs (spaces, granules, operations, policies, devices, faults) by seed, each against a sequential reference.
/// FASTGPU_RANDOM_JOBS and FASTGPU_RANDOM_JOBS_FIRST choose how many and from which seed.

namespace {

using fastgpu::index;
using support::indices_of;
using support::mix;
using support::number_of;

/// A double over many powers of two, so that every order of additions has its own bits.
double rough(std::uint64_t i)
{
  const auto bits = mix(i);
  return std::ldexp(static_cast<double>(static_cast<std::int64_t>(bits) >> 11), static_cast<int>(bits % 61) - 80);
}

/// The 2 x 2 integer matrices: associative, anything but commutative, and exact.
struct matrix2 {
  std::uint64_t a = 1, b = 0, c = 0, d = 1;
  friend bool operator==(const matrix2&, const matrix2&) = default;
};
struct matrix_product {
  using value_type = matrix2;
  static constexpr const char* name = "matrix_product";
  matrix2 operator()(const matrix2& l, const matrix2& r) const
  {
    return {l.a * r.a + l.b * r.c, l.a * r.b + l.b * r.d, l.c * r.a + l.d * r.c, l.c * r.b + l.d * r.d};
  }
  static constexpr matrix2 identity() { return {}; }
};
matrix2 matrix_of(std::uint64_t i)
{
  const auto bits = mix(i);
  return {bits & 7, bits >> 3 & 7, bits >> 6 & 7, 1};
}

struct moments {
  double sum = 0;
  float product = 0;
  std::uint32_t count = 0;
  friend bool operator==(const moments&, const moments&) = default;
};
using moments_sum = fastgpu::sum_of<&moments::sum, &moments::product, &moments::count>;
moments moments_of(std::uint64_t i)
{
  return {rough(i), static_cast<float>(static_cast<std::int64_t>(mix(i + 7)) >> 40), static_cast<std::uint32_t>(i & 3)};
}

/// Twenty numbers: a value too large for 256 lanes on the stack.
struct large {
  double part[20];
};
struct large_sum {
  using value_type = large;
  static constexpr bool commutative = true;
  static constexpr const char* name = "large_sum";
  large operator()(const large& l, const large& r) const
  {
    large sum;
    for (int i = 0; i < 20; ++i) sum.part[i] = l.part[i] + r.part[i];
    return sum;
  }
};
large large_of(std::uint64_t i)
{
  large value;
  for (int k = 0; k < 20; ++k) value.part[k] = rough(i * 20 + static_cast<std::uint64_t>(k));
  return value;
}

template <class T>
bool same_bits(const T& a, const T& b)
{
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

/// Everything that a seed decides but the operation.
struct scenario {
  std::mt19937_64 random;
  fastgpu::run_options options;
  std::string devices;
  std::string text;

  explicit scenario(std::uint64_t seed) : random{seed}
  {
    devices = pick<std::string>({"host:1", "host:2", "host:3", "host:1*3", "host:1*7", "host:2*2",
                                 "host:1,paced:200000", "paced:300000*3", "host:1,faulty:" + std::to_string(seed),
                                 "host:2,faulty:" + std::to_string(seed) + "*3",
                                 "host:1*2,faulty:" + std::to_string(seed) + "*2,paced:100000",
                                 "fakegpu:" + std::to_string(seed), "fakegpu:" + std::to_string(seed) + "*3",
                                 "fakegpu:" + std::to_string(seed) + "*2,host:1",
                                 "fakegpu:" + std::to_string(seed) + ",faulty:" + std::to_string(seed)});
    options.mix_numeric_classes = true;  // all of them compute on this machine's cores
    options.policy = pick<fastgpu::assignment_policy>(
        {fastgpu::equal{}, fastgpu::least_loaded{}, fastgpu::by_speed{}, fastgpu::minimum_completion_time{}});
    options.batches = pick<fastgpu::batching>({fastgpu::batching::fixed(1), fastgpu::batching::fixed(5),
                                               fastgpu::batching::guided(), fastgpu::batching::guided(3),
                                               fastgpu::batching::adaptive(),
                                               fastgpu::batching::adaptive(fastgpu::seconds{2e-6})});
    options.seal_every = fastgpu::seconds{pick<double>({0, 1e-3, 2})};
    options.trace = below(8) == 0;
    options.priority = static_cast<std::int32_t>(below(3));
  }

  std::uint64_t below(std::uint64_t n) { return random() % n; }
  template <class T>
  T pick(std::vector<T> from)
  {
    return from[below(from.size())];
  }

  template <int N>
  fastgpu::space<N> space()
  {
    fastgpu::extents<N> size;
    const auto most = N == 1 ? pick<std::int64_t>({1, 40, 3000, 60000}) : N == 2 ? 120 : 25;
    for (int d = 0; d < N; ++d) size[d] = static_cast<std::int64_t>(below(static_cast<std::uint64_t>(most) + 1));
    switch (below(4)) {
      case 0: return {size};
      case 1: return {size, fastgpu::by_count{static_cast<std::int64_t>(1 + below(50))}};
      default: {
        // Small granules only for small spaces: a hundred thousand subtasks a job is enough.
        const std::uint64_t least = N == 1 && size[0] > 3000 ? 3 : 1;
        return {size, fastgpu::by_size{static_cast<std::int64_t>(least + below(N == 1 ? 700 : 20)),
                                       static_cast<std::int64_t>(1 + below(20)),
                                       static_cast<std::int64_t>(1 + below(20))}};
      }
    }
  }
};

/// Runs a job of f over a random space in some mode; gives its value and all elements by subtask.
template <int N, class F, class Op>
void check_reduction(scenario& s, F f, Op op, fastgpu::reduction mode)
{
  using V = typename Op::value_type;
  auto over = s.space<N>();
  const auto job = fastgpu::make_job(over, [f](index<N> at) -> V { return f(number_of(at)); }, fastgpu::reduced(op));
  const auto subtasks = fastgpu::decompose(job);
  s.text += " N=" + std::to_string(N) + " subtasks=" + std::to_string(subtasks.size()) + " op=" +
            fastgpu::detail::operation_name<Op>() + " mode=" + fastgpu::to_string(mode);
  SCOPED_TRACE(s.text);
  s.options.reduction = mode;
  fastgpu::cluster cluster{s.devices};
  if (subtasks.empty() && !fastgpu::detail::has_identity<Op, V>) {
    EXPECT_THROW((void)fastgpu::execute(cluster, job, s.options), fastgpu::error);
    return;
  }
  auto run = fastgpu::execute(cluster, job, s.options);
  const auto value = fastgpu::aggregate(run);
  EXPECT_EQ(value.summary().committed, subtasks.size());

  std::vector<std::vector<V>> elements;
  for (const auto b : subtasks) {
    elements.emplace_back();
    for (const auto& at : indices_of(b)) elements.back().push_back(f(number_of(at)));
  }
  if (elements.empty()) {
    if constexpr (fastgpu::detail::has_identity<Op, V>) {
      EXPECT_TRUE(same_bits<V>(value.get(), Op::identity()));
    }
    return;
  }
  if (mode == fastgpu::reduction::exact && !fastgpu::detail::is_order_free<Op>()) {
    if constexpr (fastgpu::detail::exact_state<Op>::supported) {
      fastgpu::detail::exact_state<Op> sum;
      for (const auto& subtask : elements) {
        for (const auto& element : subtask) sum.add(element);
      }
      sum.normalize();
      EXPECT_TRUE(same_bits<V>(value.get(), sum.value()));
    }
    return;
  }
  const V expected = reference::merge_ordered(op, elements, job.data().shape.span_log2,
                                              fastgpu::detail::is_commutative<Op>());
  if (mode == fastgpu::reduction::fast && !fastgpu::detail::is_order_free<Op>()) {
    if constexpr (std::is_same_v<V, double>) {
      double size = 0;
      for (const auto& subtask : elements) {
        for (auto element : subtask) size += std::fabs(element);
      }
      EXPECT_NEAR(value.get(), expected, 1e-12 * size);
    }
    return;
  }
  EXPECT_TRUE(same_bits<V>(value.get(), expected));
}

/// A halo and an output: out(at) = sum of the neighbourhood, plus the count of blocks reduced from the same kernel.
void check_stencil(scenario& s)
{
  const auto over = s.space<2>();
  const auto rows = over.shape().dimensions[0].extent;
  const auto columns = over.shape().dimensions[1].extent;
  const auto halo = static_cast<std::int64_t>(s.below(4));
  const auto edge = s.pick<fastgpu::border>(
      {fastgpu::border::reflect_101, fastgpu::border::replicate, fastgpu::border::constant});
  s.text += " stencil " + std::to_string(rows) + "x" + std::to_string(columns) + " halo " + std::to_string(halo) +
            " border " + std::to_string(static_cast<int>(edge));
  SCOPED_TRACE(s.text);
  std::vector<std::uint32_t> in(static_cast<std::size_t>(rows * columns));
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::uint32_t>(mix(i));
  std::vector<std::uint32_t> out(in.size(), 0);
  fastgpu::cluster cluster{s.devices};
  const auto kernel = [halo](index<2> at, fastgpu::in2<std::uint32_t> from, fastgpu::out2<std::uint32_t> to) {
    std::uint32_t sum = 0;
    for (auto y = -halo; y <= halo; ++y) {
      for (auto x = -halo; x <= halo; ++x) sum = sum * 31 + from(at[0] + y, at[1] + x);
    }
    to(at) = sum;
  };
  fastgpu::for_each(cluster, s.options, over, kernel,
                    fastgpu::slices(fastgpu::matrix(in.data(), rows, columns), halo, edge, 9u),
                    fastgpu::gather(fastgpu::matrix(out.data(), rows, columns)));

  const auto outside = [edge](std::int64_t at, std::int64_t n) -> std::int64_t {
    if (edge == fastgpu::border::replicate) return std::clamp<std::int64_t>(at, 0, n - 1);
    while (at < 0 || at >= n) {
      if (n == 1) return 0;
      at = at < 0 ? -at : 2 * (n - 1) - at;
    }
    return at;
  };
  for (std::int64_t y = 0; y < rows; ++y) {
    for (std::int64_t x = 0; x < columns; ++x) {
      std::uint32_t sum = 0;
      for (auto dy = -halo; dy <= halo; ++dy) {
        for (auto dx = -halo; dx <= halo; ++dx) {
          const bool inside = y + dy >= 0 && y + dy < rows && x + dx >= 0 && x + dx < columns;
          const auto value =
              inside || edge != fastgpu::border::constant
                  ? in[static_cast<std::size_t>(outside(y + dy, rows) * columns + outside(x + dx, columns))]
                  : 9u;
          sum = sum * 31 + value;
        }
      }
      ASSERT_EQ(out[static_cast<std::size_t>(y * columns + x)], sum) << y << ", " << x;
    }
  }
}

/// Vectors: bins of doubles in order, and a histogram.
void check_vector(scenario& s)
{
  const auto width = static_cast<std::int64_t>(1 + s.below(20));
  const auto over = s.space<1>();
  using op = fastgpu::sum<double>;
  const auto job = fastgpu::make_job(
      over,
      [width](std::uint64_t i, fastgpu::tally<op> bins) {
        bins.merge(static_cast<std::int64_t>(mix(i) % static_cast<std::uint64_t>(width)), rough(i));
      },
      fastgpu::reduced(op{}, width));
  const auto subtasks = fastgpu::decompose(job);
  s.text += " vector width " + std::to_string(width) + " subtasks=" + std::to_string(subtasks.size());
  SCOPED_TRACE(s.text);
  fastgpu::cluster_options with;
  with.devices = s.devices;
  with.gpu.resident_bytes_min = s.pick<std::uint64_t>({0, 1});
  fastgpu::cluster cluster{with};
  auto run = fastgpu::execute(cluster, job, s.options);
  const auto value = fastgpu::aggregate(run);
  ASSERT_EQ(value->size(), static_cast<std::size_t>(width));

  struct bins_op {
    std::vector<double> operator()(const std::vector<double>& l, const std::vector<double>& r) const
    {
      auto sum = l;
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = l[i] + r[i];
      return sum;
    }
  };
  std::vector<std::vector<double>> spans;
  for (const auto b : subtasks) {
    std::vector<double> bins(static_cast<std::size_t>(width), 0.0);
    for (auto i = static_cast<std::uint64_t>(b.begin[0]); i < static_cast<std::uint64_t>(b.end[0]); ++i) {
      bins[mix(i) % static_cast<std::uint64_t>(width)] += rough(i);
    }
    if (b.subtask % (1u << job.data().shape.span_log2) == 0) {
      spans.push_back(bins);
    } else {
      spans.back() = bins_op{}(spans.back(), bins);
    }
  }
  const auto expected = spans.empty() ? std::vector<double>(static_cast<std::size_t>(width), 0.0)
                                      : reference::merge_tree(bins_op{}, spans);
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(same_bits(value.get()[i], expected[i])) << i;
}

void check(std::uint64_t seed)
{
  scenario s{seed};
  s.text = "seed " + std::to_string(seed) + " devices=" + s.devices + " policy=" + s.options.policy.name + " batches=" +
           std::to_string(static_cast<int>(s.options.batches.how)) + "/" + std::to_string(s.options.batches.size);
  using fastgpu::reduction;
  const auto identity = [](std::uint64_t i) { return mix(i); };
  const auto mode = s.pick<reduction>({reduction::ordered, reduction::exact, reduction::fast});
  switch (s.below(12)) {
    case 0: return check_reduction<1>(s, identity, fastgpu::sum<std::uint64_t>{}, mode);
    case 1: return check_reduction<3>(s, identity, fastgpu::bit_xor<std::uint64_t>{}, mode);
    case 2: return check_reduction<1>(s, rough, fastgpu::sum<double>{}, mode);
    case 3: return check_reduction<2>(s, rough, fastgpu::sum<double>{}, mode);
    case 4: return check_reduction<3>(s, rough, fastgpu::sum<double>{}, mode);
    case 5: return check_reduction<1>(s, matrix_of, matrix_product{}, reduction::ordered);
    case 6: return check_reduction<2>(s, matrix_of, matrix_product{}, reduction::ordered);
    case 7:
      return check_reduction<1>(s, moments_of, moments_sum{},
                                s.pick<reduction>({reduction::ordered, reduction::exact}));
    case 8: return check_reduction<1>(s, large_of, large_sum{}, reduction::ordered);
    case 9: return check_reduction<2>(s, rough, fastgpu::minimum<double>{}, mode);
    case 10: return check_stencil(s);
    case 11: return check_vector(s);
    default: FAIL();
  }
}

std::uint64_t from_environment(const char* name, std::uint64_t otherwise)
{
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(RandomJobs, GiveTheSequentialAnswer)
{
  const auto first = from_environment("FASTGPU_RANDOM_JOBS_FIRST", 1);
  const auto count = from_environment("FASTGPU_RANDOM_JOBS", 1000);
  for (auto seed = first; seed < first + count; ++seed) {
    try {
      check(seed);
    } catch (const std::exception& e) {
      ADD_FAILURE() << "seed " << seed << ": " << e.what();
    }
    if (HasFailure()) return;  // one seed is enough to look at
  }
}

}  // namespace
