#include <cmath>
#include <cstdio>
#include <vector>

#include <fastgpu/fastgpu.hpp>

/// @file
/// The four stages one by one, then kernels on blocks: the snippets of the README as one program that checks itself.

struct harmonic {
  FASTGPU_HD double operator()(std::uint64_t i) const { return 1.0 / (1.0 + static_cast<double>(i)); }
};

struct blur {
  FASTGPU_HD void operator()(fastgpu::index<2> at, fastgpu::in2<float> in, fastgpu::out2<float> out) const
  {
    const auto [y, x] = at.at;
    out(y, x) = (in(y - 1, x) + in(y + 1, x) + in(y, x - 1) + in(y, x + 1)) / 4;
  }
};

int main()
{
  fastgpu::cluster cluster;
  const std::uint64_t n = 10'000'000;

  const auto job = fastgpu::make_job(n, harmonic{}, fastgpu::reduced(fastgpu::sum<double>{}));
  const auto subtasks = fastgpu::decompose(job);
  const auto placement = fastgpu::assign(subtasks, fastgpu::devices_for(cluster, job), fastgpu::by_speed{});
  std::fputs(fastgpu::to_text(placement).c_str(), stdout);
  auto run = fastgpu::execute(cluster, job, placement);  // returns at once
  const auto value = fastgpu::aggregate(run);            // waits
  std::fputs(fastgpu::to_text(value.summary()).c_str(), stdout);

  const double euler = 0.57721566490153286;
  const double expected = std::log(static_cast<double>(n)) + euler;
  std::printf("H(%llu) = %.12f\n", static_cast<unsigned long long>(n), value.get());

  // Functions of an index.
  const auto from_700 = [](std::uint64_t i) { return std::fabs(static_cast<double>(i) - 700.0); };
  const auto best = fastgpu::arg_min(cluster, 1000, from_700);
  const auto bins = fastgpu::histogram(cluster, 1000, 8, [](std::uint64_t i) { return i % 8; });

  // A stencil: `in` is constant along its rows and columns but for one cell.
  const std::int64_t rows = 100, columns = 150;
  std::vector<float> in(static_cast<std::size_t>(rows * columns), 1.0f), out(in.size());
  in[0] = 5;
  fastgpu::for_each(cluster, fastgpu::extents{rows, columns}, blur{},
                    fastgpu::slices(fastgpu::matrix(in.data(), rows, columns), 1, fastgpu::border::reflect_101),
                    fastgpu::gather(fastgpu::matrix(out.data(), rows, columns)));

  const bool right = std::fabs(value.get() - expected) < 1e-6 && best->index == 700 && bins.get()[3] == 125 &&
                     out[0] == 1.0f && out[1] == 2.0f && out[static_cast<std::size_t>(columns)] == 2.0f;
  std::puts(right ? "all as expected" : "WRONG");
  return right ? 0 : 1;
}
