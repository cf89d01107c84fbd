#include "observe/trace_buffer.hpp"

#include <cstdio>

#include "observe/json.hpp"

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

std::string chrome_trace_json(const std::vector<trace_track>& tracks)
{
  std::string text = R"({"displayTimeUnit":"ms","traceEvents":[)";
  bool first = true;
  const auto add = [&](const std::string& event) {
    text += first ? "\n" : ",\n";
    text += event;
    first = false;
  };
  char line[256];
  for (const auto& track : tracks) {
    const auto name = json::serialize(json::string{track.device});
    std::snprintf(line, sizeof line, R"({"ph":"M","name":"process_name","pid":%u,"args":{"name":)", track.device_number);
    add(line + name + "}}");
    std::snprintf(line, sizeof line, R"({"ph":"M","name":"thread_name","pid":%u,"tid":%u,"args":{"name":"worker %u"}})",
                  track.device_number, track.worker, track.worker);
    add(line);
    for (const auto& e : track.buffer->events()) {
      const auto begin_us = static_cast<double>(e.begin_ns) * 1e-3;
      const auto length_us = static_cast<double>(e.end_ns - e.begin_ns) * 1e-3;
      const bool has_length = e.kind == trace_kind::batch || e.kind == trace_kind::seal;
      std::snprintf(line, sizeof line,
                    R"({"ph":"%s","name":"%s","pid":%u,"tid":%u,"ts":%.3f,%s"args":{"begin":%u,"end":%u}})",
                    has_length ? "X" : "i", name_of(e.kind), track.device_number, track.worker, begin_us,
                    has_length ? ("\"dur\":" + std::to_string(length_us) + ",").c_str() : "\"s\":\"t\",", e.part.begin,
                    e.part.end);
      add(line);
    }
    if (track.buffer->dropped() != 0) {
      std::snprintf(line, sizeof line, R"({"ph":"i","name":"%llu events not kept","pid":%u,"tid":%u,"ts":0,"s":"t"})",
                    static_cast<unsigned long long>(track.buffer->dropped()), track.device_number, track.worker);
      add(line);
    }
  }
  return text + "\n]}\n";
}

}  // namespace fastgpu::inline v0::detail
