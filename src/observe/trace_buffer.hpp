#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <fastgpu/subtask.hpp>

/// @file
/// What one worker did and when, for the trace.

namespace fastgpu::inline v0::detail {

enum class trace_kind : std::uint8_t { batch, steal, seal, failed, lost };

struct trace_event {
  trace_kind kind;
  std::int64_t begin_ns;  ///< Since the run's start.
  std::int64_t end_ns;
  interval part;
};

/// Bounded: what comes after the limit is counted, not kept.
class trace_buffer {
 public:
  void add(trace_event event)
  {
    if (events_.size() < events_max) {
      events_.push_back(event);
    } else {
      ++dropped_;
    }
  }
  [[nodiscard]] const std::vector<trace_event>& events() const noexcept { return events_; }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  static constexpr std::size_t events_max = std::size_t{1} << 18;
  std::vector<trace_event> events_;
  std::uint64_t dropped_ = 0;
};

/// One track of a trace: a worker of a device.
struct trace_track {
  std::string device;
  std::uint32_t device_number = 0;
  std::uint32_t worker = 0;
  const trace_buffer* buffer = nullptr;
};

/// Chrome's trace event format, "JSON object" form; Perfetto opens it.
[[nodiscard]] std::string chrome_trace_json(const std::vector<trace_track>& tracks);

}  // namespace fastgpu::inline v0::detail
