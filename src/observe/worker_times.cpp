#include "observe/worker_times.hpp"

#include <algorithm>

namespace fastgpu::inline v0 {

run_terms& run_terms::operator+=(const run_terms& next) noexcept
{
  start_s += next.start_s;
  execute_s += next.execute_s;
  waiting_s += next.waiting_s;
  imbalance_s += next.imbalance_s;
  aggregate_s += next.aggregate_s;
  return *this;
}

namespace detail {

void worker_times::add(double workers, double first_s, double last_s, double busy_s) noexcept
{
  first_s = std::max(first_s, 0.0);
  last_s = std::max(last_s, first_s);
  workers_ += workers;
  began_ += workers;
  first_s_ += workers * first_s;
  last_s_ += workers * last_s;
  busy_s_ += std::clamp(busy_s, 0.0, workers * (last_s - first_s));  // it may be an estimate
  end_s_ = std::max(end_s_, last_s);
}

void worker_times::add(const worker_times& others, double later_s) noexcept
{
  workers_ += others.workers_;
  if (others.began_ == 0) return;
  began_ += others.began_;
  first_s_ += others.first_s_ + others.began_ * later_s;
  last_s_ += others.last_s_ + others.began_ * later_s;
  busy_s_ += others.busy_s_;
  end_s_ = std::max(end_s_, others.end_s_ + later_s);
}

run_terms worker_times::terms(double wall_s) const noexcept
{
  run_terms t;
  if (began_ == 0) {
    t.start_s = wall_s;
    return t;
  }
  t.start_s = first_s_ / began_;
  t.execute_s = busy_s_ / workers_;
  const auto not_below_0 = [](double s) { return std::max(0.0, s); };  // sums are rounded
  t.waiting_s = not_below_0(last_s_ - first_s_ - busy_s_) / workers_;
  // Who had no batch might have begun when the others did.
  t.imbalance_s = not_below_0(began_ * end_s_ - last_s_ + (workers_ - began_) * (end_s_ - t.start_s)) / workers_;
  t.aggregate_s = not_below_0(wall_s - end_s_);
  return t;
}

}  // namespace detail
}  // namespace fastgpu::inline v0
