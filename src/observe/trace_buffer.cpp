#include "observe/trace_buffer.hpp"

#include "detail/format.hpp"
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
  return text + "\n]}\n";
}

}  // namespace fastgpu::inline v0::detail
