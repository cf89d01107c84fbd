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

  /// Of `together` subtasks one after the other: that mean and that variance, and the shape as it is.
  [[nodiscard]] cost_distribution of_sums(double together) const
  {
    auto sums = *this;
    for (auto& c : sums.sorted_) c = together * mean_ + std::sqrt(together) * (c - mean_);
    sums.mean_ = together * mean_;
    sums.deviation_ = std::sqrt(together) * deviation_;
    return sums;
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
