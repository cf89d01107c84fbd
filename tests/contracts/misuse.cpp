#include <vector>

#include <fastgpu/fastgpu.hpp>

/// @file
/// Misuse that must not compile, one case at a time by FASTGPU_MISUSE, with a message that helps. Case 0 is right.

using fastgpu::sum;

struct counter {
  int calls = 0;
  void operator()(std::uint64_t) { ++calls; }  // not const: kernels run on many threads
};

struct team_tally {
  void operator()(const fastgpu::team&, fastgpu::block<1>, fastgpu::tally<sum<double>>) const {}
};
struct team_of_much {
  static constexpr std::size_t shared_bytes = 64 * 1024;
  void operator()(const fastgpu::team&, fastgpu::block<1>) const {}
};

[[maybe_unused]] static void use(fastgpu::cluster& cluster)
{
  std::vector<float> in(10), out(10);
  const auto copy = [](std::uint64_t i, fastgpu::in1<float> from, fastgpu::out1<float> to) {
    to[static_cast<std::int64_t>(i)] = from[static_cast<std::int64_t>(i)];
  };
#if FASTGPU_MISUSE == 0
  fastgpu::for_each(cluster, 10, copy, fastgpu::slices(in), fastgpu::gather(out));
  fastgpu::for_each(cluster, 10, copy, fastgpu::slices(std::vector<float>(10)), fastgpu::gather(out));
#elif FASTGPU_MISUSE == 1
  fastgpu::for_each(cluster, 10, counter{});
#elif FASTGPU_MISUSE == 2
  fastgpu::for_each(cluster, 10, copy, fastgpu::slices(in));
#elif FASTGPU_MISUSE == 3
  fastgpu::for_each(cluster, 10, [](std::uint64_t i) { return i; });
#elif FASTGPU_MISUSE == 4
  fastgpu::reduce(cluster, 10, [](std::uint64_t) {}, sum<double>{});
#elif FASTGPU_MISUSE == 5
  fastgpu::for_each(cluster, 10, copy, fastgpu::slices(std::span<float>{in}), fastgpu::gather(out));
#elif FASTGPU_MISUSE == 6
  fastgpu::for_each(cluster, 10, copy, fastgpu::slices(in), fastgpu::gather(std::vector<float>(10)));
#elif FASTGPU_MISUSE == 7
  const std::vector<float> fixed(10);
  fastgpu::for_each(cluster, 10, copy, fastgpu::slices(in), fastgpu::gather(fixed));
#elif FASTGPU_MISUSE == 8
  fastgpu::reduce(cluster, 10, [](std::uint64_t) { return std::vector<int>{}; },
                  fastgpu::merge<std::vector<int>>([](auto& a, auto&) { return a; }));
#elif FASTGPU_MISUSE == 9
  (void)fastgpu::make_job(
      10, [](std::uint64_t) { return 1; }, fastgpu::reduced(sum<int>{}), fastgpu::reduced(sum<int>{}));
#elif FASTGPU_MISUSE == 10
  std::vector<std::vector<int>> nested(10);
  fastgpu::for_each(cluster, 10, [](std::uint64_t, fastgpu::in1<std::vector<int>>) {}, fastgpu::slices(nested));
#elif FASTGPU_MISUSE == 11
  fastgpu::for_each(cluster, 10, [](std::uint64_t, const std::vector<float>&) {}, in);
#elif FASTGPU_MISUSE == 12
  (void)fastgpu::reduced(fastgpu::minimum<double>{}, 4);
#elif FASTGPU_MISUSE == 14
  fastgpu::for_each(cluster, 10, [](std::uint64_t, const float*) {}, static_cast<const float*>(in.data()));
#elif FASTGPU_MISUSE == 15
  (void)fastgpu::make_job(10, team_tally{}, fastgpu::reduced(sum<double>{}, 4));
#elif FASTGPU_MISUSE == 16
  fastgpu::for_each(cluster, 10, team_of_much{});
#elif FASTGPU_MISUSE == 13
  const fastgpu::device_id device{1};
  const fastgpu::node_id node = device;
#endif
}
