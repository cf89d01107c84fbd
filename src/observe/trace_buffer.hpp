#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/observe/summary.hpp>
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

/// One track of slices that follow each other: a run's terms.
struct slice_track {
  std::string group;
  std::uint32_t group_number = 0;  ///< Other than that of any device.
  std::string name;
  std::uint32_t number = 0;
  std::vector<std::pair<const char*, double>> slices;  ///< Seconds, from the run's start on.
};

/// The run's terms as they were predicted, and below as they were measured; none without a prediction.
[[nodiscard]] std::vector<slice_track> term_tracks(const run_summary& of, std::uint32_t group_number);

/// Chrome's trace event format, "JSON object" form; Perfetto opens it.
[[nodiscard]] std::string chrome_trace_json(const std::vector<trace_track>& tracks,
                                            const std::vector<slice_track>& terms = {});

}  // namespace fastgpu::inline v0::detail
