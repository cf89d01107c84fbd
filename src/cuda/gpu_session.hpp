#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fastgpu/detail/gpu_entry.hpp>

#include "cuda/cuda_device.hpp"
#include "cuda/gpu_forest.hpp"
#include "detail/batch_region.hpp"

/// @file
/// A run on one GPU.

namespace fastgpu::inline v0::detail {

/// Batches go through slots: their inputs are copied in, the program's kernels run on the slot's lane, outputs and
/// values are copied out, and when all of that is done, the host takes them over, batch after batch in the order in
/// which they came. A batch that does not fit into the GPU's memory goes in pieces.
class gpu_session final : public device_session {
 public:
  /// @throws gpu_error, error
  gpu_session(cuda_device& device, const gpu_entry& entry, const session_request& request);
  ~gpu_session() override;

  batch_status launch(interval batch) override;
  batch_status poll(interval& batch) override;
  std::uint32_t in_flight_max() const noexcept override { return lanes_.slot_count(); }
  batch_hints hints() const noexcept override;
  sealed_partial seal() override;
  values_in_place in_place() override;
  void drop_open() noexcept override;
  void leave_values() noexcept override;
  const failure& why() const noexcept override { return why_; }
  std::uint32_t failed_subtask() const noexcept override { return folded_twice_.value_or(failed_subtask_); }

 private:
  static constexpr std::uint32_t blocks_a_multiprocessor = 32;  // some times what is resident: uneven ones even out

  /// Bytes of one launch, and where its parts begin in the slot's two buffers.
  struct piece_layout {
    std::size_t device_bytes = 0;
    std::size_t pinned_bytes = 0;
    struct part {
      box region;                  // of the data; empty boxes for arguments that stay where they are
      bool on_gpu = false;         // has a copy in the slot
      std::size_t device_at = 0;
      bool through_pinned = false; // pageable: the host copies too
      std::size_t pinned_at = 0;
    };
    std::vector<part> arguments;
    std::size_t span_values_at = 0;
    std::size_t span_values_pinned_at = 0;
    std::size_t span_values_bytes = 0;
    std::size_t scratch_at = 0;
  };
  struct piece {
    interval subtasks;
    std::uint32_t slot;
    bool last;  // of its batch
    interval batch;
    bool resident = false;  // its spans' values stay on the GPU
    piece_layout layout;
  };

  void upload_constants();
  [[nodiscard]] piece_layout lay_out(interval subtasks, bool resident) const;
  void place(piece& p);
  [[nodiscard]] piece next_piece(interval rest);
  [[nodiscard]] bool do_with_less(interval subtasks);
  [[nodiscard]] std::uint32_t span_count(interval subtasks) const noexcept;
  [[nodiscard]] gpu_batch batch_for(interval subtasks) const;
  void launch_piece(piece what);
  [[nodiscard]] std::vector<gpu_view> views_for(const piece& what, const gpu_slot& slot) const;
  void copy_inputs(const piece& what, gpu_slot& slot);
  void copy_outputs(const piece& what, gpu_slot& slot);
  void finish(const piece& what);
  void abandon() noexcept;
  void drop(interval batch) noexcept;
  void drain() noexcept;
  [[nodiscard]] std::byte* reserve_slot(piece& p);
  void grow_pinned(gpu_buffer& buffer, std::size_t bytes);
  /// What `reserve` gives. Where there is no memory for it, once more without what idle slots keep, then without what is
  /// under way, and then without a forest.
  template <class Reserve>
  std::byte* find_room(const Reserve& reserve)
  {
    for (bool released = false;; released = true) {
      try {
        return reserve();
      } catch (const gpu_error& e) {
        if (e.what_kind() != gpu_error::kind::out_of_memory) throw;
        if (released && under_way_.empty() && !retire_forest()) throw;
      }
      if (released && !under_way_.empty()) {
        wait_for(lanes_.slots[under_way_.front().slot].done.get());
        take_over_oldest();
      }
      release_idle();
    }
  }
  void release_idle() noexcept
  {
    lanes_.release_idle();
    device_.release_buffers();
  }
  [[nodiscard]] std::uint32_t free_slot();
  void take_over_oldest();
  void wait_for(gpu_event event);
  void rest();
  void make_totals();
  void merge_totals();
  void gather_totals();
  [[nodiscard]] bool forest_takes(interval subtasks);
  void bring_forest();
  [[nodiscard]] bool retire_forest();
  [[nodiscard]] bool is_here(const argument& a) const noexcept;
  [[nodiscard]] bool stays_in_place(const argument& a) const noexcept;
  [[nodiscard]] batch_status lose(const gpu_error& why);

  cuda_device& device_;
  gpu& on_;
  gpu_lanes& lanes_;
  const gpu_entry& entry_;
  const job_data& job_;
  fold_kind fold_;
  memory_source& memory_;
  std::size_t value_bytes_ = 0;      // of one span's value, or of the whole vector
  std::size_t total_bytes_ = 0;      // of one lane's accumulator
  std::uint32_t largest_subtask_ = 1;
  std::uint32_t piece_max_;          // subtasks, whole spans
  std::uint32_t next_slot_ = 0;

  std::vector<gpu_view> views_;      // of arguments that are the same for all batches; the rest is filled in
  std::vector<gpu_buffer> constants_;  // broadcasts, bounds of subtasks
  const std::int64_t* bounds_ = nullptr;
  std::vector<std::uint32_t> launches_;  // [lanes]
  std::optional<gpu_buffer> totals_;  // [lanes] accumulators
  std::optional<gpu_buffer> totals_pinned_;
  bool totals_made_ = false;         // for the open partial

  std::optional<gpu_forest> forest_;   // where nodes can merge on the GPU
  bool forest_spoilt_ = false;         // it has spans of batches that failed: the open partial is of no use

  std::deque<piece> under_way_;        // the oldest first
  bool enqueuing_ = false;             // more may be under way than under_way_ has
  std::deque<interval> finished_;      // batches whose pieces are all done, not told of yet
  std::unique_ptr<partial> open_;
  std::uint64_t counter_ = 0;
  std::chrono::steady_clock::time_point idle_since_{};
  failure why_;
  std::uint32_t failed_subtask_ = 0;
  std::optional<std::uint32_t> folded_twice_;  // a defect of the caller's: every batch fails from then on
};

}  // namespace fastgpu::inline v0::detail
