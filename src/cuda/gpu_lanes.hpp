#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cuda/gpu_resources.hpp"

/// @file
/// The streams of one GPU, and the places where batches are while they are under way.

namespace fastgpu::inline v0::detail {

inline constexpr std::uint32_t gpu_slots_a_lane = 2;  ///< Work in a stream can no longer be stolen: submit late.

/// Where one launch has its data: copied in, computed, copied out, each behind an event.
struct gpu_slot {
  explicit gpu_slot(gpu& on)
      : device{on, gpu_memory_kind::device},
        pinned{on, gpu_memory_kind::pinned},
        copied_in{on, on.create_event()},
        computed{on, on.create_event()},
        done{on, on.create_event()}
  {
  }
  gpu_buffer device;
  gpu_buffer pinned;
  gpu_handle<gpu_event> copied_in;
  gpu_handle<gpu_event> computed;
  gpu_handle<gpu_event> done;
  bool used = false;  ///< Something is under way in it.
};

/// Slot i computes on lane i mod the number of lanes.
struct gpu_lanes {
  gpu_lanes(gpu& on, std::uint32_t count)
      : in{on, on.create_stream()}, out{on, on.create_stream()}, passed{on, on.create_event()}
  {
    for (std::uint32_t i = 0; i < count; ++i) lanes.emplace_back(on, on.create_stream());
    for (std::uint32_t i = 0; i < count * gpu_slots_a_lane; ++i) slots.emplace_back(on);
  }
  [[nodiscard]] std::uint32_t lane_count() const noexcept { return static_cast<std::uint32_t>(lanes.size()); }
  [[nodiscard]] std::uint32_t slot_count() const noexcept { return static_cast<std::uint32_t>(slots.size()); }
  [[nodiscard]] std::uint32_t lane_number(std::uint32_t slot) const noexcept { return slot % lane_count(); }
  [[nodiscard]] gpu_stream lane_of(std::uint32_t slot) const { return lanes[lane_number(slot)].get(); }

  /// Gives back the memory of slots in which nothing is under way.
  void release_idle() noexcept
  {
    for (auto& slot : slots) {
      if (slot.used) continue;
      slot.device.clear();
      slot.pinned.clear();
    }
  }

  gpu_handle<gpu_stream> in;
  gpu_handle<gpu_stream> out;
  gpu_handle<gpu_event> passed;  ///< To wait for all that a stream has.
  std::vector<gpu_handle<gpu_stream>> lanes;
  std::vector<gpu_slot> slots;
};

}  // namespace fastgpu::inline v0::detail
