#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <fastgpu/detail/gpu_entry.hpp>

#include "aggregate/forest_nodes.hpp"
#include "aggregate/partial.hpp"
#include "cuda/cuda_device.hpp"

/// @file
/// A partial in mode `ordered` whose nodes are in a GPU's memory until it is sealed.

namespace fastgpu::inline v0::detail {

/// The nodes of an open partial, or some of them: those whose spans ran while there was room. The same siblings merge as
/// in a forest, by work on one stream, in the order in which spans are taken. What is known here is what there will be
/// when the stream is done.
///
/// Calls throw gpu_error; memory that is not there is an answer, not an error.
///
/// @par Threads  The GPU's driver. What is enqueued is waited for before it is destroyed, as before its values are used.
class gpu_forest {
 public:
  /// Whether the values of a program can merge on the GPU, with the bits that they have on the host.
  [[nodiscard]] static bool suits(const gpu_entry& entry, const job_data& job, fold_kind fold) noexcept;

  /// @param stream  What gets all work. @pre  suits()
  /// @param blocks  Thread blocks that fill the GPU.
  gpu_forest(cuda_device& device, const gpu_entry& entry, const job_data& job, gpu_stream stream, std::uint32_t blocks);
  ~gpu_forest();

  /// Has room for what may stay of `spans` consecutive spans, getting memory for it where there is some.
  /// @return  False where there is none, or more would exceed a quarter of the GPU's: bring the nodes over, then ask
  ///          again if could_hold() says so.
  [[nodiscard]] bool make_room(std::uint32_t spans);
  /// Whether there is room when it is empty.
  [[nodiscard]] bool could_hold(std::uint32_t spans) const noexcept;

  /// Takes over the spans from `first` on, [spans] values at `values` in the GPU's memory, which is free again once the
  /// stream is past this. @pre  make_room(spans) was the answer to the last question.
  void take(std::uint32_t first, std::uint32_t spans, std::byte* values);

  /// Merges whatever siblings there are, so that as few nodes as possible are brought over.
  void compact();
  /// Enqueues the copying of some nodes to pinned memory.
  void copy_some();
  /// Moves those to `to`. @pre  The stream is past copy_some().
  void hand_over_some(partial& to);

  [[nodiscard]] bool empty() const noexcept { return nodes_.all().empty(); }
  /// Forgets what it has.
  void clear() noexcept;
  /// Gives all memory back, and gets none any more. @pre  empty(), and nothing is under way.
  void retire() noexcept;
  [[nodiscard]] bool has_memory() const noexcept { return !chunks_.empty() || staging_.bytes() > 0; }

  gpu_forest(const gpu_forest&) = delete;
  gpu_forest& operator=(const gpu_forest&) = delete;

 private:
  [[nodiscard]] bool grow();
  [[nodiscard]] bool get(gpu_buffer& buffer, std::size_t bytes);
  [[nodiscard]] std::byte* value(std::uint32_t slot) const noexcept;
  [[nodiscard]] std::uint32_t capacity() const noexcept
  {
    return static_cast<std::uint32_t>(chunks_.size()) * slots_a_chunk_;
  }
  void add_step(void* to, const void* from, bool merges);
  void enqueue_steps();

  cuda_device& device_;
  const gpu_entry& entry_;
  const job_data& job_;
  gpu_stream stream_;
  std::uint32_t blocks_;
  std::size_t value_bytes_;
  std::size_t slot_bytes_;
  std::uint32_t slots_a_chunk_;
  std::uint32_t slots_max_;
  bool may_grow_ = true;

  forest_nodes nodes_;
  std::vector<gpu_buffer> chunks_;
  std::vector<std::uint32_t> free_slots_;
  std::byte* taken_ = nullptr;        // while spans are taken: their values
  std::vector<gpu_node_step> steps_;  // not enqueued yet
  gpu_buffer staging_;                // pinned
  std::size_t staged_ = 0;            // of the last nodes
};

}  // namespace fastgpu::inline v0::detail
