#include "model/makespan.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <numeric>
#include <queue>
#include <random>
#include <utility>

namespace fastgpu::inline v0::detail {
namespace {

constexpr double few_rounds = 40;        // subtasks a worker, below which schedules are played through
constexpr std::uint64_t steps_max = 2'000'000;  // of all that are played, or predictions would take long
constexpr std::uint64_t trials_max = 400;
constexpr std::size_t many_groups = 64;  // from which on those that are nearly alike count as one
constexpr double alike_within = 0.01;    // of a subtask's time
constexpr double phases_mixed = 0.35;  // of a subtask: what lets workers end at any moment, independently of each other

double rate_of(const std::vector<worker_group>& groups)
{
  double rate = 0;
  for (const auto& g : groups) rate += g.workers / g.subtask_s;
  return rate;
}

/// As many workers of the same speed in all, in few groups however many there were.
std::vector<worker_group> merged(std::vector<worker_group> groups)
{
  if (groups.size() < many_groups) return groups;
  std::sort(groups.begin(), groups.end(),
            [](const worker_group& a, const worker_group& b) { return a.subtask_s < b.subtask_s; });
  std::vector<worker_group> few;
  double shortest_s = 0;  // of the last of `few`
  for (const auto& g : groups) {
    if (few.empty() || g.subtask_s > shortest_s * (1 + alike_within)) {
      few.push_back(g);
      shortest_s = g.subtask_s;
      continue;
    }
    auto& last = few.back();
    const auto workers = last.workers + g.workers;
    last.subtask_s = workers / (last.workers / last.subtask_s + g.workers / g.subtask_s);
    last.workers = workers;
  }
  return few;
}

/// The first time at which `subtasks` whole ones of equal cost are done.
double whole_rounds(const std::vector<worker_group>& groups, double subtasks)
{
  constexpr double rounding = 1e-9;
  const auto done = [&](double at) {
    double n = 0;
    for (const auto& g : groups) n += g.workers * std::floor(at / g.subtask_s + rounding);
    return n;
  };
  double low = 0;
  double high = 0;
  for (const auto& g : groups) high = std::max(high, g.subtask_s);
  while (done(high) < subtasks) high *= 2;
  for (int i = 0; i < 100 && high - low > rounding * high; ++i) {
    const auto middle = (low + high) / 2;
    (done(middle) >= subtasks ? high : low) = middle;
  }
  return high;
}

/// How much earlier than the fastest a worker takes its last subtask: it leaves alone what others would be done with
/// sooner.
double head_start(const worker_group& g, double fastest_s) { return g.subtask_s - fastest_s; }

double fastest_of(const std::vector<worker_group>& groups)
{
  auto s = groups.front().subtask_s;
  for (const auto& g : groups) s = std::min(s, g.subtask_s);
  return s;
}

/// Mean and interval of the largest of independent times, by integrals over x >= 0 of 1 - product of F_g(x)^workers.
/// @param below  F of a time in units of the mean cost, before head_start().
template <class Distribution>
estimate largest(const std::vector<worker_group>& groups, double longest, const Distribution& below)
{
  double end = 0;
  for (const auto& g : groups) end = std::max(end, longest * g.subtask_s);
  const auto fastest_s = fastest_of(groups);
  constexpr int steps = 2000;  // Simpson's rule, over x = end u^2: most happens early where times have a tail
  double first = 0;            // moment
  double second = 0;
  for (int i = 0; i <= steps; ++i) {
    const auto u = static_cast<double>(i) / steps;
    const auto x = end * u * u;
    double log_of_all = 0;
    for (const auto& g : groups) {
      log_of_all += g.workers * std::log(below((x + head_start(g, fastest_s)) / g.subtask_s));
    }
    const auto weight = (i == 0 || i == steps ? 1 : i % 2 == 1 ? 4 : 2) * (1 - std::exp(log_of_all)) * 2 * u * end;
    first += weight;
    second += weight * 2 * x;
  }
  first /= 3 * steps;
  second /= 3 * steps;
  const auto deviation = std::sqrt(std::max(0.0, second - first * first));
  return {first, first - 2 * deviation, first + 2 * deviation};
}

/// Distributions of a cost, in units of the mean.
class scaled_costs {
 public:
  explicit scaled_costs(const cost_distribution& costs) : sorted_{costs.sorted()}
  {
    double before = 0;
    for (auto& c : sorted_) {
      c /= costs.mean();
      before += c;
      sums_.push_back(before);
    }
  }

  /// Share of time at which what is left of the subtask under way is x at most: 1/mean times the integral of 1 - F.
  [[nodiscard]] double residual_below(double x) const
  {
    const auto n = static_cast<std::size_t>(std::upper_bound(sorted_.begin(), sorted_.end(), x) - sorted_.begin());
    const auto shorter = n == 0 ? 0 : sums_[n - 1];
    return (shorter + x * (size() - static_cast<double>(n))) / size();
  }
  [[nodiscard]] double mean_residual() const
  {
    double squares = 0;
    for (const auto c : sorted_) squares += c * c;
    return squares / size() / 2;
  }
  [[nodiscard]] double longest() const { return sorted_.back(); }

 private:
  [[nodiscard]] double size() const { return static_cast<double>(sorted_.size()); }
  std::vector<double> sorted_;
  std::vector<double> sums_;  // [i]: of the first i + 1
};

/// Schedules played through: the next subtask, whose cost is drawn from the sample, goes to whoever would be done with it
/// first if it were a mean one; slow workers do not begin what fast ones will soon be free for.
/// @param all_begin  The first subtasks go to all workers, one each.
estimate played_through(const std::vector<worker_group>& groups, std::uint64_t subtasks, const cost_distribution& costs,
                        bool all_begin)
{
  using done_at = std::pair<double, double>;  // with a mean subtask more, and how long that takes
  std::mt19937_64 random{1};
  const auto& sample = costs.sorted();
  const auto trials = std::clamp<std::uint64_t>(steps_max / subtasks, 2, trials_max);
  std::vector<double> waits;
  std::vector<done_at> start;
  auto ascending = groups;
  std::sort(ascending.begin(), ascending.end(),
            [](const worker_group& a, const worker_group& b) { return a.subtask_s < b.subtask_s; });
  for (const auto& g : ascending) {  // more than there are subtasks would have none
    const auto useful = std::min(g.workers, static_cast<double>(subtasks - start.size()));
    start.insert(start.end(), static_cast<std::size_t>(useful), done_at{g.subtask_s, g.subtask_s});
  }
  for (std::uint64_t t = 0; t < trials; ++t) {
    double end = 0;
    double work = 0;
    const auto next_cost = [&] {
      const auto cost = sample[random() % sample.size()] / costs.mean();
      work += cost;
      return cost;
    };
    auto first = start;
    std::uint64_t begun = 0;
    for (; all_begin && begun < first.size(); ++begun) {
      auto& [as_mean, subtask_s] = first[begun];
      const auto done = next_cost() * subtask_s;
      as_mean = done + subtask_s;
      end = std::max(end, done);
    }
    std::priority_queue<done_at, std::vector<done_at>, std::greater<>> workers{{}, std::move(first)};
    for (std::uint64_t i = begun; i < subtasks; ++i) {
      const auto cost = next_cost();
      const auto [as_mean, subtask_s] = workers.top();
      const auto done = as_mean + (cost - 1) * subtask_s;
      workers.pop();
      workers.emplace(done + subtask_s, subtask_s);
      end = std::max(end, done);
    }
    // Against as much work as there happens to be: how much that is, is not the end's matter.
    waits.push_back(end - work / rate_of(groups));
  }
  std::sort(waits.begin(), waits.end());
  const auto mean = std::accumulate(waits.begin(), waits.end(), 0.0) / static_cast<double>(trials);
  const auto outside = static_cast<std::size_t>(trials / 40);  // on each side
  return {mean, waits[outside], waits[waits.size() - 1 - outside]};
}

}  // namespace

double worker_count(const std::vector<worker_group>& groups)
{
  double workers = 0;
  for (const auto& g : groups) workers += g.workers;
  return workers;
}

double fluid_makespan(std::vector<worker_group> groups, double subtasks)
{
  std::sort(groups.begin(), groups.end(),
            [](const worker_group& a, const worker_group& b) { return a.ready_s < b.ready_s; });
  double rate = 0;
  double done = 0;
  double now = 0;
  for (const auto& g : groups) {
    if (rate > 0 && now + (subtasks - done) / rate <= g.ready_s) break;
    done += rate * (g.ready_s - now);
    now = g.ready_s;
    rate += g.workers / g.subtask_s;
  }
  return now + (subtasks - done) / rate;
}

estimate imbalance(const std::vector<worker_group>& all, std::uint64_t subtasks, const cost_distribution& costs,
                   bool all_begin)
{
  const auto groups = merged(all);
  const auto m = static_cast<double>(subtasks);
  const auto rounds = m / worker_count(groups);
  const bool alike = costs.variation() == 0;
  all_begin = all_begin && rounds >= 1;
  auto first_s = 0.0;  // of the slowest that begins
  for (const auto& g : groups) first_s = std::max(first_s, all_begin ? g.subtask_s : 0);
  const auto whole = std::max(first_s, whole_rounds(groups, m)) - m / rate_of(groups);
  if (alike) return {std::max(0.0, whole), std::max(0.0, whole), std::max(0.0, whole)};
  if (rounds < few_rounds && subtasks <= steps_max / 2) return played_through(groups, subtasks, costs, all_begin);

  // At the end every worker is somewhere in its last subtask.
  const scaled_costs scaled{costs};
  const auto latest = largest(groups, scaled.longest(), [&](double x) { return scaled.residual_below(x); });
  const auto fastest_s = fastest_of(groups);
  double beyond = 0;  // work that is under way then, in mean subtasks
  for (const auto& g : groups) {
    beyond += g.workers * (scaled.mean_residual() - head_start(g, fastest_s) / g.subtask_s);
  }
  const auto usual = beyond / rate_of(groups);
  // Of subtasks that are nearly equal all end together, until small differences have added up.
  const auto mixed = std::min(1.0, costs.variation() * std::sqrt(rounds) / phases_mixed);
  const auto at = [&](double random) { return std::max(0.0, mixed * (random - usual) + (1 - mixed) * whole); };
  return {at(latest.mean), at(latest.low), at(latest.high)};
}

double expected_longest(std::uint64_t subtasks, const cost_distribution& costs)
{
  const auto& sorted = costs.sorted();
  const auto n = static_cast<double>(sorted.size());
  const auto m = static_cast<double>(subtasks);
  double longest = 0;
  double below = 0;  // share of draws whose longest is shorter
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const auto up_to = std::pow(static_cast<double>(i + 1) / n, m);
    longest += sorted[i] * (up_to - below);
    below = up_to;
  }
  return longest;
}

}  // namespace fastgpu::inline v0::detail
