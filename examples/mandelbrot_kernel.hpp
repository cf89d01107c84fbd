#pragma once

#include <cstdint>

#include <fastgpu/fastgpu.hpp>

/// @file
/// The kernel of the Mandelbrot example. Without contraction (fastgpu::strict_fp) its counts are the same everywhere.

struct escape_totals {
  std::uint64_t total = 0;   // updates of all pixels
  std::uint64_t inside = 0;  // pixels that had all iterations
  friend bool operator==(const escape_totals&, const escape_totals&) = default;
};
using escape_sum = fastgpu::sum_of<&escape_totals::total, &escape_totals::inside>;

struct count_updates {
  double x0, y0, step_x, step_y;
  std::uint32_t iterations;

  /// How often z is updated at the centre of a pixel.
  FASTGPU_HD std::uint32_t count(std::int64_t row, std::int64_t column) const
  {
    const double c_x = x0 + (static_cast<double>(column) + 0.5) * step_x;
    const double c_y = y0 + (static_cast<double>(row) + 0.5) * step_y;
    double x = 0;
    double y = 0;
    std::uint32_t done = 0;
    while (done < iterations) {
      const double xx = x * x;
      const double yy = y * y;
      if (xx + yy > 4) break;
      y = 2 * x * y + c_y;
      x = xx - yy + c_x;
      ++done;
    }
    return done;
  }
  FASTGPU_HD escape_totals operator()(fastgpu::index<2> at, fastgpu::out2<std::uint32_t> counts) const
  {
    const auto done = count(at[0], at[1]);
    counts(at) = done;
    return {done, done == iterations ? 1u : 0u};
  }
};
