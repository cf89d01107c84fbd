#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fastgpu/config.hpp>
#include <fastgpu/ids.hpp>
#include <fastgpu/subtask.hpp>

/// @file
/// Assign stage: the placement, which device starts with which subtasks.

namespace fastgpu::inline v0 {

/// What one device starts with.
struct placement_entry {
  device_id device{};
  std::string name;              ///< The device's, for readers; `device` decides.
  std::vector<interval> ranges;  ///< Ascending. Boundaries move to the next multiple of the job's span when it runs.
  double predicted_s = 0;        ///< Seconds until the device is done with them; 0: not known.
  friend bool operator==(const placement_entry&, const placement_entry&) = default;
};

/// The assignment table. Plain data: print it, store it, edit it, give it back. Where subtasks start is all that it
/// says; stealing corrects it, and no answer depends on it.
struct placement {
  std::uint64_t shape = 0;       ///< Digest of the job's shape: a placement for another shape is refused.
  std::uint32_t subtasks = 0;
  std::string policy;
  std::vector<placement_entry> entries;
  friend bool operator==(const placement&, const placement&) = default;
};

/// A table for people.
[[nodiscard]] FASTGPU_API std::string to_text(const placement& table);

/// JSON that placement_from_json() reads back, equal but for digits of `predicted_s` behind the ninth.
[[nodiscard]] FASTGPU_API std::string to_json(const placement& table);

/// @throws error  errc::invalid_argument, saying what is wrong with `text`.
[[nodiscard]] FASTGPU_API placement placement_from_json(std::string_view text);

}  // namespace fastgpu::inline v0
