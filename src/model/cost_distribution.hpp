#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <fastgpu/seconds.hpp>

/// @file
/// How long subtasks take, as a sample of them tells.

namespace fastgpu::inline v0::detail {

/// @par Threads  Immutable.
class cost_distribution {
 public:
  /// @pre  One at least, each above 0.
  explicit cost_distribution(const std::vector<seconds>& sample)
  {
    for (const auto cost : sample) sorted_.push_back(cost.count);
    std::sort(sorted_.begin(), sorted_.end());
    double sum = 0;
    for (const auto c : sorted_) sum += c;
    mean_ = sum / static_cast<double>(sorted_.size());
    double squares = 0;
    for (const auto c : sorted_) squares += (c - mean_) * (c - mean_);
    deviation_ = sorted_.size() < 2 ? 0 : std::sqrt(squares / static_cast<double>(sorted_.size() - 1));
  }

  [[nodiscard]] double mean() const noexcept { return mean_; }
  [[nodiscard]] double deviation() const noexcept { return deviation_; }
  [[nodiscard]] double longest() const noexcept { return sorted_.back(); }
  [[nodiscard]] double variation() const noexcept { return deviation_ / mean_; }
  /// In ascending order.
  [[nodiscard]] const std::vector<double>& sorted() const noexcept { return sorted_; }

 private:
  std::vector<double> sorted_;
  double mean_ = 0;
  double deviation_ = 0;
};

}  // namespace fastgpu::inline v0::detail
