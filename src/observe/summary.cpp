#include <fastgpu/observe/summary.hpp>

#include <cmath>
#include <string>

#include "detail/format.hpp"
#include "observe/json.hpp"

namespace fastgpu::inline v0 {

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
  const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  auto text = format("%s in %.3f s: %llu subtasks in %llu batches, %llu steals, %llu retries", to_string(s.outcome),
                     s.wall_s, number(s.subtasks), number(s.batches), number(s.steals), number(s.retries));
  if (s.wasted != 0) text += format(" (%llu subtasks wasted)", number(s.wasted));
  if (s.fenced != 0) text += format(", %llu partials fenced", number(s.fenced));
  if (s.measured_share > 0) text += format(", %.1f%% placed by measured speed", s.measured_share * 100);
  text += "\n";
  if (s.reduction != "none") {
    text += format("reduction %s, shape %s, aggregation %.3f ms\n", s.reduction.c_str(), s.shape.c_str(),
                   s.aggregate_s * 1e3);
  }
  if (s.outcome != outcome_kind::done) text += "reason: " + s.why.detail + "\n";
  text += format("%-6s  %-16s  %10s  %6s  %9s  %7s  %7s  %8s  %9s\n", "device", "name", "subtasks", "share", "batches",
                 "steals", "retries", "busy s", "done at s");
  for (const auto& d : s.devices) {
    text += format("%-6u  %-16s  %10llu  %5.1f%%  %9llu  %7llu  %7llu  %8.3f  %9.3f%s\n", d.id.value, d.name.c_str(),
                   number(d.subtasks), d.share * 100, number(d.batches), number(d.steals), number(d.retries), d.busy_s,
                   d.finished_s, d.lost ? "  lost" : "");
  }
  return text;
}

std::string to_json(const run_summary& s)
{
  // JSON has no word for what is not finite.
  const auto number = [](double n) { return std::isfinite(n) ? detail::json::value(n) : detail::json::value(nullptr); };
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
                                           {"lost", d.lost}});
  }
  detail::json::object summary{{"outcome", to_string(s.outcome)},
                               {"wall_s", number(s.wall_s)},
                               {"assign_s", number(s.assign_s)},
                               {"aggregate_s", number(s.aggregate_s)},
                               {"subtasks", s.subtasks},
                               {"committed", s.committed},
                               {"batches", s.batches},
                               {"steals", s.steals},
                               {"retries", s.retries},
                               {"wasted", s.wasted},
                               {"fenced", s.fenced},
                               {"seals", s.seals},
                               {"backups", s.backups},
                               {"reduction", s.reduction},
                               {"shape", s.shape},
                               {"policy", s.policy},
                               {"measured_share", number(s.measured_share)},
                               {"numeric_class", s.numeric_class},
                               {"devices", std::move(devices)}};
  return detail::json::serialize(summary);
}

}  // namespace fastgpu::inline v0
