#include <fastgpu/observe/summary.hpp>

#include <cmath>
#include <cstddef>
#include <iterator>
#include <string>

#include "detail/format.hpp"
#include "observe/json.hpp"
#include "observe/term_rows.hpp"

namespace fastgpu::inline v0 {
namespace {

/// JSON has no word for what is not finite.
detail::json::value number(double n)
{
  return std::isfinite(n) ? detail::json::value(n) : detail::json::value(nullptr);
}

/// "1.5 MB".
std::string bytes_text(std::uint64_t bytes)
{
  constexpr const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; amount >= 999.5 && unit + 1 < std::size(units); ++unit) amount /= 1000;
  return detail::format("%.3g %s", amount, units[unit]);
}

/// Errors are shares of the measured wall-clock time, so that those of the terms add up to that of the whole.
std::string terms_text(const run_summary& s)
{
  auto text = detail::format("%-10s  %12s  %12s  %8s\n", "ms", "predicted", "measured", "error");
  const auto line = [&](const char* name, double predicted_s, double measured_s) {
    text += detail::format("%-10s  %12.3f  %12.3f", name, predicted_s * 1e3, measured_s * 1e3);
    if (s.wall_s > 0) text += detail::format("  %+6.1f %%", (predicted_s - measured_s) / s.wall_s * 100);
    text += "\n";
  };
  for (const auto& row : detail::rows_of(s.terms, *s.predicted)) line(row.name, row.predicted_s, row.measured_s);
  line("wall", s.predicted->wall.count, s.wall_s);
  return text;
}

detail::json::object json_of(const run_terms& t)
{
  return {{"start_s", number(t.start_s)},
          {"execute_s", number(t.execute_s)},
          {"waiting_s", number(t.waiting_s)},
          {"imbalance_s", number(t.imbalance_s)},
          {"aggregate_s", number(t.aggregate_s)}};
}

detail::json::value json_of(const std::optional<prediction>& p)
{
  if (!p) return nullptr;
  return detail::json::object{{"wall_s", number(p->wall.count)},
                              {"low_s", number(p->low.count)},
                              {"high_s", number(p->high.count)},
                              {"start_s", number(p->start.count)},
                              {"execute_s", number(p->execute.count)},
                              {"batching_s", number(p->batching.count)},
                              {"transfer_s", number(p->transfer.count)},
                              {"imbalance_s", number(p->imbalance.count)},
                              {"aggregate_s", number(p->aggregate.count)},
                              {"lower_bound_s", number(p->lower_bound.count)},
                              {"bound", to_string(p->bound)}};
}

}  // namespace

const char* to_string(outcome_kind kind) noexcept
{
  switch (kind) {
    case outcome_kind::done: return "done";
    case outcome_kind::failed: return "failed";
    case outcome_kind::cancelled: return "cancelled";
    case outcome_kind::deadline: return "deadline";
  }
  return "unknown";
}

const char* to_string(reduction mode) noexcept
{
  switch (mode) {
    case reduction::ordered: return "ordered";
    case reduction::exact: return "exact";
    case reduction::fast: return "fast";
  }
  return "unknown";
}

std::string to_text(const run_summary& s)
{
  using detail::format;
  const auto count = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  auto text = format("%s in %.3f s: %llu subtasks in %llu batches, %llu steals, %llu retries", to_string(s.outcome),
                     s.wall_s, count(s.subtasks), count(s.batches), count(s.steals), count(s.retries));
  if (s.wasted != 0) text += format(" (%llu subtasks wasted)", count(s.wasted));
  if (s.fenced != 0) text += format(", %llu partials fenced", count(s.fenced));
  if (s.measured_share > 0) text += format(", %.1f%% placed by measured speed", s.measured_share * 100);
  text += "\n";
  if (s.reduction != "none") {
    text += format("reduction %s, shape %s, aggregation %.3f ms\n", s.reduction.c_str(), s.shape.c_str(),
                   s.aggregate_s * 1e3);
  }
  if (s.outcome != outcome_kind::done) text += "reason: " + s.why.detail + "\n";
  if (s.predicted) text += terms_text(s);
  if (!s.not_predicted.empty()) text += "no prediction: " + s.not_predicted + "\n";
  text += format("%-6s  %-16s  %10s  %6s  %9s  %7s  %7s  %8s  %9s\n", "device", "name", "subtasks", "share", "batches",
                 "steals", "retries", "busy s", "done at s");
  for (const auto& d : s.devices) {
    text += format("%-6u  %-16s  %10llu  %5.1f%%  %9llu  %7llu  %7llu  %8.3f  %9.3f%s", d.id.value, d.name.c_str(),
                   count(d.subtasks), d.share * 100, count(d.batches), count(d.steals), count(d.retries), d.busy_s,
                   d.finished_s, d.lost ? "  lost" : "");
    if (d.bytes_sent + d.bytes_received > 0) {
      text += format("  %s to it, %s from it, link %.3f s", bytes_text(d.bytes_sent).c_str(),
                     bytes_text(d.bytes_received).c_str(), d.link_s);
    }
    text += "\n";
  }
  return text;
}

std::string to_json(const run_summary& s)
{
  detail::json::array devices;
  for (const auto& d : s.devices) {
    devices.push_back(detail::json::object{{"id", d.id.value},
                                           {"name", d.name},
                                           {"subtasks", d.subtasks},
                                           {"share", number(d.share)},
                                           {"batches", d.batches},
                                           {"steals", d.steals},
                                           {"retries", d.retries},
                                           {"busy_s", number(d.busy_s)},
                                           {"finished_s", number(d.finished_s)},
                                           {"lost", d.lost},
                                           {"bytes_sent", d.bytes_sent},
                                           {"bytes_received", d.bytes_received},
                                           {"link_s", number(d.link_s)}});
  }
  detail::json::object summary{{"outcome", to_string(s.outcome)},
                               {"wall_s", number(s.wall_s)},
                               {"assign_s", number(s.assign_s)},
                               {"aggregate_s", number(s.aggregate_s)},
                               {"terms", json_of(s.terms)},
                               {"predicted", json_of(s.predicted)},
                               {"not_predicted", s.not_predicted},
                               {"subtasks", s.subtasks},
                               {"committed", s.committed},
                               {"batches", s.batches},
                               {"steals", s.steals},
                               {"retries", s.retries},
                               {"wasted", s.wasted},
                               {"fenced", s.fenced},
                               {"seals", s.seals},
                               {"seals_in_groups", s.seals_in_groups},
                               {"backups", s.backups},
                               {"bytes_sent", s.bytes_sent},
                               {"bytes_received", s.bytes_received},
                               {"link_s", number(s.link_s)},
                               {"reduction", s.reduction},
                               {"shape", s.shape},
                               {"policy", s.policy},
                               {"measured_share", number(s.measured_share)},
                               {"numeric_class", s.numeric_class},
                               {"devices", std::move(devices)}};
  return detail::json::serialize(summary);
}

}  // namespace fastgpu::inline v0
