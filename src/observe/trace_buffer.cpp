#include "observe/trace_buffer.hpp"

#include <cmath>
#include <utility>

#include "detail/format.hpp"
#include "observe/json.hpp"
#include "observe/term_rows.hpp"

namespace fastgpu::inline v0::detail {
namespace {

const char* name_of(trace_kind kind)
{
  switch (kind) {
    case trace_kind::batch: return "batch";
    case trace_kind::steal: return "steal";
    case trace_kind::seal: return "seal";
    case trace_kind::failed: return "failed";
    case trace_kind::lost: return "lost";
  }
  return "unknown";
}

}  // namespace

std::vector<slice_track> term_tracks(const run_summary& of, std::uint32_t group_number)
{
  if (!of.predicted) return {};
  slice_track predicted{"terms of the run", group_number, "predicted", 0, {}};
  slice_track measured{"terms of the run", group_number, "measured", 1, {}};
  for (const auto& row : rows_of(of.terms, *of.predicted)) {
    predicted.slices.emplace_back(row.name, row.predicted_s);
    measured.slices.emplace_back(row.name, row.measured_s);
  }
  return {std::move(predicted), std::move(measured)};
}

std::string chrome_trace_json(const std::vector<trace_track>& tracks, const std::vector<slice_track>& terms)
{
  std::string text = R"({"displayTimeUnit":"ms","traceEvents":[)";
  bool first = true;
  const auto add = [&](const std::string& event) {
    text += first ? "\n" : ",\n";
    text += event;
    first = false;
  };
  for (const auto& track : tracks) {
    const auto name = json::serialize(json::string{track.device});
    const auto place = format(R"("pid":%u,"tid":%u)", track.device_number, track.worker);
    add(format(R"({"ph":"M","name":"process_name","pid":%u,"args":{"name":%s}})", track.device_number, name.c_str()));
    add(format(R"({"ph":"M","name":"thread_name",%s,"args":{"name":"worker %u"}})", place.c_str(), track.worker));
    for (const auto& e : track.buffer->events()) {
      const bool has_length = e.kind == trace_kind::batch || e.kind == trace_kind::seal;
      const auto length = has_length ? R"("dur":)" + fixed(static_cast<double>(e.end_ns - e.begin_ns) * 1e-3, 3)
                                     : std::string{R"("s":"t")"};
      add(format(R"({"ph":"%s","name":"%s",%s,"ts":%s,%s,"args":{"begin":%u,"end":%u}})", has_length ? "X" : "i",
                 name_of(e.kind), place.c_str(), fixed(static_cast<double>(e.begin_ns) * 1e-3, 3).c_str(),
                 length.c_str(), e.part.begin, e.part.end));
    }
    if (track.buffer->dropped() != 0) {
      add(format(R"({"ph":"i","name":"%llu events not kept",%s,"ts":0,"s":"t"})",
                 static_cast<unsigned long long>(track.buffer->dropped()), place.c_str()));
    }
  }
  for (const auto& track : terms) {
    const auto group = json::serialize(json::string{track.group});
    const auto name = json::serialize(json::string{track.name});
    const auto place = format(R"("pid":%u,"tid":%u)", track.group_number, track.number);
    add(format(R"({"ph":"M","name":"process_name","pid":%u,"args":{"name":%s}})", track.group_number, group.c_str()));
    add(format(R"({"ph":"M","name":"thread_name",%s,"args":{"name":%s}})", place.c_str(), name.c_str()));
    double begin_us = 0;
    for (const auto& [term, term_s] : track.slices) {
      if (!std::isfinite(term_s)) continue;
      add(format(R"({"ph":"X","name":"%s",%s,"ts":%s,"dur":%s})", term, place.c_str(), fixed(begin_us, 3).c_str(),
                 fixed(term_s * 1e6, 3).c_str()));
      begin_us += term_s * 1e6;
    }
  }
  return text + "\n]}\n";
}

}  // namespace fastgpu::inline v0::detail
