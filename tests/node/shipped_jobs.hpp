#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/splitmix.hpp"

/// @file
/// Jobs of every kind that can go to another process: spaces, reductions, data. Kernels hold no pointers.

namespace shipped {

using fastgpu::index;
using fastgpu::detail::fold_kind;

/// A job, how it is reduced, and the memory it writes.
struct example {
  std::string name;
  fastgpu::detail::ref<const fastgpu::detail::job_storage> job;
  fold_kind fold = fold_kind::none;
  std::function<void()> clear = [] {};
  std::function<std::vector<std::byte>()> outputs = [] { return std::vector<std::byte>{}; };
};

/// A double over many powers of two, so that every order of additions has its own bits.
inline double rough(std::uint64_t i)
{
  const auto bits = support::mix(i + 1);
  return std::ldexp(static_cast<double>(static_cast<std::int64_t>(bits) >> 11), static_cast<int>(bits % 61) - 80);
}

struct rough_of {
  std::uint64_t seed = 0;
  double operator()(std::uint64_t i) const { return rough(i * 3 + seed); }
};
FASTGPU_REGISTER("test.shipped.rough", rough_of, fastgpu::sum<double>)

struct whole_of_index {
  double operator()(std::uint64_t i) const { return static_cast<double>(support::mix(i) % 1000); }
};
FASTGPU_REGISTER("test.shipped.whole", whole_of_index)

struct counts_odd {
  std::uint64_t operator()(std::uint64_t i) const { return support::mix(i) & 1; }
};
FASTGPU_REGISTER("test.shipped.counts_odd", counts_odd)

/// Linear maps x -> a x + b: associative, not commutative.
struct linear {
  std::uint64_t a = 1;
  std::uint64_t b = 0;
};
struct compose {
  using value_type = linear;
  static constexpr const char* name = "compose";
  std::uint64_t modulus = 1'000'003;
  linear operator()(const linear& l, const linear& r) const
  {
    return {l.a * r.a % modulus, (l.b * r.a + r.b) % modulus};
  }
};
struct linear_at {
  linear operator()(index<2> at) const
  {
    return {support::mix(static_cast<std::uint64_t>(at[0] * 1000 + at[1])) % 1000 + 1,
            static_cast<std::uint64_t>(at[1])};
  }
};
FASTGPU_REGISTER("test.shipped.linear", linear_at)

struct bins_whole {
  void operator()(std::uint64_t i, fastgpu::tally<fastgpu::sum<std::uint32_t>> bins) const
  {
    bins.merge(static_cast<std::int64_t>(support::mix(i) % static_cast<std::uint64_t>(bins.width())), 1);
  }
};
FASTGPU_REGISTER("test.shipped.bins_whole", bins_whole)

struct bins_rough {
  void operator()(std::uint64_t i, fastgpu::tally<fastgpu::sum<double>> bins) const
  {
    bins.merge(static_cast<std::int64_t>(i % 7), rough(i));
  }
};
FASTGPU_REGISTER("test.shipped.bins_rough", bins_rough)

struct scale {
  void operator()(std::uint64_t i, fastgpu::in1<float> in, const double& factor, fastgpu::out1<double> out) const
  {
    out[static_cast<std::int64_t>(i)] = factor * static_cast<double>(in[static_cast<std::int64_t>(i)]);
  }
};
FASTGPU_REGISTER("test.shipped.scale", scale)

/// What lies around an index, each neighbour with its own weight.
template <int N>
struct stencil {
  std::int64_t reach = 1;
  FASTGPU_HD void operator()(index<N> at, fastgpu::basic_view<const std::uint16_t, N> in,
                             fastgpu::basic_view<std::int64_t, N> out) const
  {
    std::int64_t total = in(at);
    for (int d = 0; d < N; ++d) {
      for (std::int64_t k = 1; k <= reach; ++k) {
        auto before = at;
        auto behind = at;
        before[d] -= k;
        behind[d] += k;
        total = total * 31 + in(before) * (d + 2) + in(behind)*k;
      }
    }
    auto corner = at;
    for (int d = 0; d < N; ++d) corner[d] += reach;
    out(at) = total + in(corner);
  }
};
FASTGPU_REGISTER("test.shipped.stencil1", stencil<1>)
constexpr const char* fastgpu_kernel_name(const stencil<2>*) { return "test.shipped.stencil2"; }
constexpr const char* fastgpu_kernel_name(const stencil<3>*) { return "test.shipped.stencil3"; }

/// Everything in one: broadcasts of two ranks, slices with and without a halo, a value, an output and a sum.
struct everything {
  double operator()(index<3> at, fastgpu::in1<double> weights, fastgpu::in2<std::uint8_t> table,
                    fastgpu::in3<float> field, fastgpu::in3<std::uint8_t> mask, const std::uint32_t& salt,
                    fastgpu::out3<float> out) const
  {
    auto next = at;
    next[2] += 1;
    next[0] -= 1;
    const auto weight = weights[static_cast<std::int64_t>(mask(at)) % 3] + table(mask(at) % 2, at[2] % 3) + salt;
    out(at) = static_cast<float>(weight) * field(next);
    return rough(static_cast<std::uint64_t>(at[0] * 10'000 + at[1] * 100 + at[2]) + salt) * weight;
  }
};
FASTGPU_REGISTER("test.shipped.everything", everything)

template <class T>
std::shared_ptr<std::vector<T>> numbers(std::size_t n, std::uint64_t seed)
{
  auto all = std::make_shared<std::vector<T>>(n);
  for (std::size_t i = 0; i < n; ++i) (*all)[i] = static_cast<T>(support::mix(i + seed) % 251);
  return all;
}

template <class Job, class... Keep>
example keep(std::string name, const Job& job, fold_kind fold, const Keep&... inputs)
{
  example e{std::move(name), job.storage(), fold};
  e.clear = [inputs...] {};  // owns them
  return e;
}
template <class Out>
example& with_output(example& e, std::shared_ptr<std::vector<Out>> out)
{
  e.clear = [owned = e.clear, out] {
    owned();
    std::fill(out->begin(), out->end(), static_cast<Out>(77));
  };
  e.outputs = [out] {
    std::vector<std::byte> bytes(out->size() * sizeof(Out));
    if (!bytes.empty()) std::memcpy(bytes.data(), out->data(), bytes.size());
    return bytes;
  };
  return e;
}

/// A stencil over data whose rows and planes are further apart than they are long.
template <int N>
example stencil_job(fastgpu::extents<N> size, fastgpu::by_size granule, std::int64_t halo, fastgpu::border edge)
{
  index<N> stride;
  stride[N - 1] = 1;
  for (int d = N - 2; d >= 0; --d) stride[d] = stride[d + 1] * (size[d + 1] + 3 - d);
  const auto span = static_cast<std::size_t>(stride[0] * (size[0] + 1)) + 8;
  auto in = numbers<std::uint16_t>(span, 5);
  auto out = std::make_shared<std::vector<std::int64_t>>(span);
  const auto job = fastgpu::make_job(
      fastgpu::space<N>{size, granule}, stencil<N>{halo},
      fastgpu::slices(fastgpu::data_view<std::uint16_t, N>{in->data(), size, stride}, halo, edge, std::uint16_t{9}),
      fastgpu::gather(fastgpu::data_view<std::int64_t, N>{out->data(), size, stride}));
  std::string name = "stencil" + std::to_string(N) + " halo " + std::to_string(halo) + " border " +
                     std::to_string(static_cast<int>(edge)) + " size";
  for (int d = 0; d < N; ++d) name += " " + std::to_string(size[d]);
  auto e = keep(name, job, fold_kind::none, in);
  return with_output(e, out);
}

inline example everything_job(fastgpu::extents<3> size, fold_kind fold)
{
  const auto n = static_cast<std::size_t>(size.count());
  auto weights = numbers<double>(3, 1);
  auto table = numbers<std::uint8_t>(10, 2);
  auto field = numbers<float>(n, 3);
  auto mask = numbers<std::uint8_t>(n, 4);
  auto out = std::make_shared<std::vector<float>>(n);
  const auto job = fastgpu::make_job(
      fastgpu::space<3>{size, fastgpu::by_size{2, 3, 4}}, everything{}, fastgpu::broadcast(std::vector<double>(*weights)),
      fastgpu::broadcast(fastgpu::matrix(table->data(), 2, 3, 5)),
      fastgpu::slices(fastgpu::volume(field->data(), size[0], size[1], size[2]), 1, fastgpu::border::constant, -2.f),
      fastgpu::slices(fastgpu::volume(mask->data(), size[0], size[1], size[2])), std::uint32_t{11},
      fastgpu::gather(fastgpu::volume(out->data(), size[0], size[1], size[2])),
      fastgpu::reduced(fastgpu::sum<double>{}));
  auto e = keep("everything, fold " + std::to_string(static_cast<int>(fold)), job, fold, weights, table, field, mask);
  return with_output(e, out);
}

template <class Over>
example scale_job(std::string name, const Over& over, std::size_t n)
{
  auto in = numbers<float>(n, 6);
  auto out = std::make_shared<std::vector<double>>(n);
  const auto job = fastgpu::make_job(over, scale{}, fastgpu::slices(*in), 2.5, fastgpu::gather(*out));
  auto e = keep(std::move(name), job, fold_kind::none, in);
  return with_output(e, out);
}

/// `usual` seeds, or as many times that as FASTGPU_NODE_SEEDS says.
inline std::uint64_t seeds(std::uint64_t usual)
{
  const auto* times = std::getenv("FASTGPU_NODE_SEEDS");
  return times == nullptr ? usual : usual * std::strtoull(times, nullptr, 10);
}

/// One of each, of `n` indices or about.
inline std::vector<example> examples_of(std::int64_t n)
{
  using fastgpu::by_size;
  using fastgpu::extents;
  using fastgpu::make_job;
  using fastgpu::reduced;
  const fastgpu::space<1> line{extents<1>{{n}}, by_size{3}};
  std::vector<example> all;
  for (const auto fold : {fold_kind::ordered, fold_kind::exact}) {
    all.push_back(keep("rough, fold " + std::to_string(static_cast<int>(fold)),
                       make_job(line, rough_of{7}, reduced(fastgpu::sum<double>{})), fold));
  }
  all.push_back(
      keep("whole, fast", make_job(line, whole_of_index{}, reduced(fastgpu::sum<double>{})), fold_kind::single));
  all.push_back(keep("odd", make_job(line, counts_odd{}, reduced(fastgpu::sum<std::uint64_t>{})), fold_kind::single));
  all.push_back(
      keep("linear maps",
           make_job(fastgpu::space<2>{extents<2>{{n / 5, 7}}, by_size{2, 3}}, linear_at{}, reduced(compose{})),
           fold_kind::ordered));
  all.push_back(
      keep("bins", make_job(line, bins_whole{}, reduced(fastgpu::sum<std::uint32_t>{}, 13)), fold_kind::single));
  all.push_back(
      keep("rough bins", make_job(line, bins_rough{}, reduced(fastgpu::sum<double>{}, 7)), fold_kind::ordered));
  all.push_back(scale_job("scale", line, static_cast<std::size_t>(n)));

  std::vector<double> costs(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < costs.size(); ++i) costs[i] = 1.0 + static_cast<double>(support::mix(i) % 9);
  all.push_back(scale_job("scale, by cost", fastgpu::space<1>{fastgpu::by_cost{costs, 17}}, costs.size()));

  for (const auto edge : {fastgpu::border::reflect_101, fastgpu::border::replicate, fastgpu::border::constant}) {
    all.push_back(stencil_job<1>({{n}}, by_size{5}, 2, edge));
    all.push_back(stencil_job<1>({{n}}, by_size{1}, 9, edge));  // several subtasks wide
    all.push_back(stencil_job<2>({{n / 6, 11}}, by_size{3, 4}, 2, edge));
    all.push_back(stencil_job<3>({{n / 20, 5, 6}}, by_size{2, 2, 4}, 1, edge));
  }
  for (const auto fold : {fold_kind::ordered, fold_kind::exact}) all.push_back(everything_job({{n / 20, 7, 9}}, fold));
  return all;
}

}  // namespace shipped
