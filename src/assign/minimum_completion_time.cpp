#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ranges>
#include <span>
#include <utility>
#include <vector>

#include <fastgpu/assign/policy.hpp>

#include "assign/shares.hpp"

/// @file
/// The policy minimum_completion_time.

namespace fastgpu::inline v0::detail {
namespace {

constexpr int halvings_max = 100;       // more than a double has digits
constexpr double rounding = 1 + 1e-12;  // a time that was computed as so many rounds is worth as many

/// When devices are done with contiguous spans of a job, which workers run whole. Spans of unequal cost are taken to
/// spread evenly over a device's workers.
class schedule {
 public:
  schedule(const subtask_list& subtasks, std::span<const device_info> devices, held load)
      : subtasks_{subtasks},
        span_{std::uint64_t{1} << subtasks.shape().span_log2},
        spans_{(subtasks.size() + span_ - 1) / span_},
        cost_{subtasks.cost_before(subtasks.size())},
        uniform_{!subtasks.shape().costs || cost_ <= 0}
  {
    const auto speeds = speeds_of(devices);
    const auto indices = std::max(indices_of(subtasks), 1.0);
    for (std::size_t d = 0; d < devices.size(); ++d) {
      const auto subtask_s = indices / std::max(subtasks.size(), 1u) / speeds[d];
      const double workers = devices[d].workers;
      machines_.push_back({.workers = workers,
                           .span_s = subtask_s * static_cast<double>(span_) * workers,
                           .costs = cost_ / indices * speeds[d],
                           .held_s = load == held::counts ? subtask_s * static_cast<double>(devices[d].load) : 0});
    }
  }

  /// The earliest time at which all can be done.
  [[nodiscard]] double end() const
  {
    auto enough = std::numeric_limits<double>::infinity();
    for (std::size_t d = 0; d < machines_.size(); ++d) enough = std::min(enough, end_of(d, 0, spans_));
    double too_little = 0;
    for (int i = 0; i < halvings_max; ++i) {
      const auto middle = 0.5 * (too_little + enough);
      if (middle <= too_little || middle >= enough) break;
      (all_done_by(middle) ? enough : too_little) = middle;
    }
    return enough;
  }

  /// The end of each device's subtasks, if all are to be done by `time_s`: as near as that allows to shares by which all
  /// would be done at once.
  [[nodiscard]] std::vector<std::uint32_t> ends(double time_s) const
  {
    const auto devices = machines_.size();
    std::vector<std::uint64_t> least(devices, spans_);  // who comes behind cannot do more
    for (auto d = devices - 1; d > 0; --d) least[d - 1] = first_for(d, least[d], time_s);
    double total = 0;
    for (const auto& m : machines_) total += room(m, time_s);
    double before = 0;
    std::uint64_t begin = 0;
    std::vector<std::uint32_t> ends;
    for (std::size_t d = 0; d < devices; ++d) {
      before += room(machines_[d], time_s);
      const auto wanted = std::max({begin, least[d], span_at(total > 0 ? before / total : 1)});
      const auto end = d + 1 == devices ? spans_ : std::min(wanted, end_for(d, begin, time_s));
      ends.push_back(static_cast<std::uint32_t>(std::min<std::uint64_t>(end * span_, subtasks_.size())));
      begin = end;
    }
    return ends;
  }

  /// When device `d` is done with subtasks [begin, end), cut at spans.
  [[nodiscard]] double subtasks_end(std::size_t d, std::uint32_t begin, std::uint32_t end) const
  {
    return end_of(d, begin / span_, (end + span_ - 1) / span_);
  }

 private:
  struct machine {
    double workers;
    double span_s;  ///< A span takes on a worker.
    double costs;   ///< Of all workers, a second.
    double held_s;  ///< Until it is done with what it holds.
  };

  [[nodiscard]] double cost_before(std::uint64_t span) const
  {
    return subtasks_.cost_before(static_cast<std::uint32_t>(std::min<std::uint64_t>(span * span_, subtasks_.size())));
  }
  [[nodiscard]] static double held_spans(const machine& m)
  {
    return std::ceil(m.held_s * m.workers / m.span_s / rounding);
  }

  [[nodiscard]] double end_of(std::size_t d, std::uint64_t begin, std::uint64_t end) const
  {
    const auto& m = machines_[d];
    if (!uniform_) return m.held_s + (cost_before(end) - cost_before(begin)) / m.costs;
    return std::ceil((held_spans(m) + static_cast<double>(end - begin)) / m.workers) * m.span_s;
  }

  /// Spans that it can do by then, of a uniform job.
  [[nodiscard]] std::uint64_t spans_by(const machine& m, double time_s) const
  {
    const auto spans = std::floor(time_s / m.span_s * rounding) * m.workers - held_spans(m);
    return spans <= 0 ? 0 : static_cast<std::uint64_t>(std::min(spans, static_cast<double>(spans_)));
  }
  [[nodiscard]] double cost_by(const machine& m, double time_s) const
  {
    return (time_s - m.held_s) * m.costs * rounding;
  }

  /// How far it gets from `begin` on.
  [[nodiscard]] std::uint64_t end_for(std::size_t d, std::uint64_t begin, double time_s) const
  {
    const auto& m = machines_[d];
    if (uniform_) return std::min(begin + spans_by(m, time_s), spans_);
    const auto most = cost_before(begin) + cost_by(m, time_s);
    const std::ranges::iota_view further{begin + 1, spans_ + 1};
    return *std::ranges::partition_point(further, [&](std::uint64_t end) { return cost_before(end) <= most; }) - 1;
  }
  /// From where it gets to `end`.
  [[nodiscard]] std::uint64_t first_for(std::size_t d, std::uint64_t end, double time_s) const
  {
    const auto& m = machines_[d];
    if (uniform_) return end - std::min(end, spans_by(m, time_s));
    const auto least = cost_before(end) - cost_by(m, time_s);
    const std::ranges::iota_view earlier{std::uint64_t{0}, end};
    return *std::ranges::partition_point(earlier, [&](std::uint64_t begin) { return cost_before(begin) < least; });
  }

  [[nodiscard]] bool all_done_by(double time_s) const
  {
    std::uint64_t begin = 0;
    for (std::size_t d = 0; d < machines_.size() && begin < spans_; ++d) begin = end_for(d, begin, time_s);
    return begin == spans_;
  }

  /// What it could do by then, in parts of spans.
  [[nodiscard]] static double room(const machine& m, double time_s)
  {
    return std::max(0.0, time_s - m.held_s) * m.workers / m.span_s;
  }
  /// Where that share of all is behind.
  [[nodiscard]] std::uint64_t span_at(double share) const
  {
    const auto subtask = uniform_ ? std::ceil(share * subtasks_.size() / rounding)
                                  : static_cast<double>(subtask_at_cost(subtasks_, cost_ * share / rounding));
    return std::min((static_cast<std::uint64_t>(subtask) + span_ - 1) / span_, spans_);
  }

  const subtask_list& subtasks_;
  std::uint64_t span_;  // subtasks
  std::uint64_t spans_;
  double cost_;  // of all
  bool uniform_;
  std::vector<machine> machines_;
};

}  // namespace

placement place_whole(const subtask_list& subtasks, std::span<const device_info> devices, const char* policy, held load)
{
  auto table = empty_table(subtasks, policy);
  const schedule plan{subtasks, devices, load};
  const auto ends = plan.ends(plan.end());
  std::uint32_t begin = 0;
  for (std::size_t d = 0; d < devices.size(); ++d) {
    placement_entry entry{devices[d].id, devices[d].name, {}, 0};
    if (begin < ends[d]) {
      entry.ranges.push_back({begin, ends[d]});
      if (devices[d].speed > 0) entry.predicted_s = plan.subtasks_end(d, begin, ends[d]);
    }
    table.entries.push_back(std::move(entry));
    begin = ends[d];
  }
  return table;
}

placement place_minimum_completion_time(const subtask_list& subtasks, std::span<const device_info> devices)
{
  return place_whole(subtasks, devices, "minimum_completion_time", held::counts);
}

}  // namespace fastgpu::inline v0::detail
