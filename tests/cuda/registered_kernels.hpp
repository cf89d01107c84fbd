#pragma once

#include <cstddef>
#include <cstdint>

#include <fastgpu/fastgpu.hpp>

/// @file
/// The kernels of gpu_jobs_test.cu, one for each form of call and kind of argument. Their arithmetic is portable. For one
/// translation unit: its PTX is held against what is registered here.

namespace gpu_jobs {

/// Every bit of the index mixed.
FASTGPU_HD inline std::uint64_t mixed(std::uint64_t x)
{
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// A double over many powers of two: additions in another order give other bits.
FASTGPU_HD inline double rough(std::uint64_t i)
{
  const auto bits = mixed(i + 1);
  const auto exponent = std::uint64_t{1023 - 30 + bits % 61} << 52;
  return __builtin_bit_cast(double, (bits & 0x800fffffffffffff) | exponent);
}

struct integers {
  static constexpr bool portable_arithmetic = true;
  FASTGPU_HD std::uint64_t operator()(std::uint64_t i) const { return mixed(i); }
};
FASTGPU_REGISTER("test.integers", integers)

struct doubles {
  static constexpr bool portable_arithmetic = true;
  FASTGPU_HD double operator()(std::uint64_t i) const { return rough(i); }
};
FASTGPU_REGISTER("test.doubles", doubles)

struct doubles_2d {
  static constexpr bool portable_arithmetic = true;
  FASTGPU_HD double operator()(fastgpu::index<2> at) const
  {
    return rough(static_cast<std::uint64_t>(at[0] * 1000 + at[1]));
  }
};
FASTGPU_REGISTER("test.doubles_2d", doubles_2d)

/// 2 x 2 matrices of integers modulo 2^64: associative and anything but commutative.
struct matrix2 {
  std::uint64_t a = 1, b = 0, c = 0, d = 1;
};
struct matrix_product {
  using value_type = matrix2;
  static constexpr const char* name = "matrix_product";
  FASTGPU_HD matrix2 operator()(const matrix2& l, const matrix2& r) const
  {
    return {l.a * r.a + l.b * r.c, l.a * r.b + l.b * r.d, l.c * r.a + l.d * r.c, l.c * r.b + l.d * r.d};
  }
};
struct matrices {
  static constexpr bool portable_arithmetic = true;
  FASTGPU_HD matrix2 operator()(std::uint64_t i) const
  {
    const auto bits = mixed(i);
    return {bits & 7, bits >> 3 & 7, bits >> 6 & 7, 1};
  }
};
FASTGPU_REGISTER("test.matrices", matrices)

struct bin_of {
  static constexpr bool portable_arithmetic = true;
  std::uint64_t bins;
  FASTGPU_HD std::uint64_t operator()(std::uint64_t i) const { return mixed(i) % bins; }
};
FASTGPU_REGISTER("test.bin_of", bin_of)

/// Sums of doubles in bins: in mode `ordered` the order in which a bin fills is part of the answer.
struct binned {
  static constexpr bool portable_arithmetic = true;
  FASTGPU_HD void operator()(std::uint64_t i, fastgpu::tally<fastgpu::sum<double>> bins) const
  {
    bins.merge(static_cast<std::int64_t>(mixed(i) % static_cast<std::uint64_t>(bins.width())), rough(i));
  }
};
FASTGPU_REGISTER("test.binned", binned)

struct stencil {
  static constexpr bool portable_arithmetic = true;
  std::int64_t halo;
  FASTGPU_HD void operator()(fastgpu::index<2> at, fastgpu::in2<std::uint32_t> in, fastgpu::out2<std::uint32_t> out) const
  {
    std::uint32_t sum = 0;
    for (auto y = -halo; y <= halo; ++y) {
      for (auto x = -halo; x <= halo; ++x) sum = sum * 31 + in(at[0] + y, at[1] + x);
    }
    out(at) = sum;
  }
};
FASTGPU_REGISTER("test.stencil", stencil)

struct scaled {
  static constexpr bool portable_arithmetic = true;
  FASTGPU_HD void operator()(std::uint64_t i, const double& factor, fastgpu::in1<double> all, fastgpu::in1<double> in,
                             fastgpu::out1<double> out) const
  {
    const auto at = static_cast<std::int64_t>(i);
    out(at) = in(at) * factor + all(static_cast<std::int64_t>(i % 3));
  }
};
FASTGPU_REGISTER("test.scaled", scaled)

struct element {
  static constexpr bool portable_arithmetic = true;
  FASTGPU_HD double operator()(std::uint64_t i, fastgpu::in1<double> in) const { return in(static_cast<std::int64_t>(i)); }
};
FASTGPU_REGISTER("test.element", element)

struct block_sum {
  static constexpr bool portable_arithmetic = true;
  FASTGPU_HD std::uint64_t operator()(fastgpu::block<3> b) const
  {
    return static_cast<std::uint64_t>(b.count()) + mixed(b.subtask);
  }
};
FASTGPU_REGISTER("test.block_sum", block_sum)

/// Turns blocks of up to 2000 numbers round, through the memory that a team shares, and sums what came out in order.
struct turned {
  static constexpr bool portable_arithmetic = true;
  static constexpr std::size_t shared_bytes = 2000 * sizeof(double);

  FASTGPU_HD double operator()(const fastgpu::team& t, fastgpu::block<1> b, fastgpu::in1<double> in,
                               fastgpu::out1<double> out) const
  {
    auto* there = t.shared<double>(b.count());
    t.for_each(b, [&](fastgpu::index<1> i) { there[b.end[0] - 1 - i[0]] = in(i); });
    t.sync();
    t.for_each(b, [&](fastgpu::index<1> i) { out(i) = there[i[0] - b.begin[0]]; });
    if (t.rank() != 0) return -1;
    double sum = 0;
    for (std::int64_t k = 0; k < b.count(); ++k) sum += there[k];
    return sum;
  }
};
FASTGPU_REGISTER("test.turned", turned)

/// Neighbours in tiles: what a team found for each place in the first step, others read in the second.
struct neighbours {
  static constexpr bool portable_arithmetic = true;
  static constexpr std::size_t shared_bytes = 32 * 32 * sizeof(std::uint64_t);

  FASTGPU_HD void operator()(const fastgpu::team& t, fastgpu::block<2> b, fastgpu::out2<std::uint64_t> out) const
  {
    const fastgpu::out2<std::uint64_t> there{t.shared<std::uint64_t>(b.count()), b.begin, {b.size(0), b.size(1)}, {b.size(1), 1}};
    t.for_each(b, [&](fastgpu::index<2> at) { there(at) = mixed(static_cast<std::uint64_t>(at[0] * 4096 + at[1])); });
    t.sync();
    t.for_each(b, [&](fastgpu::index<2> at) {
      const auto below = at[0] + 1 < b.end[0] ? at[0] + 1 : b.begin[0];
      const auto beside = at[1] + 1 < b.end[1] ? at[1] + 1 : b.begin[1];
      out(at) = there(at) ^ (there(below, at[1]) << 1) ^ (there(at[0], beside) << 2);
    });
  }
};
FASTGPU_REGISTER("test.neighbours", neighbours)

}  // namespace gpu_jobs
