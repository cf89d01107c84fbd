#include "cuda/gpu_forest.hpp"

#include <algorithm>
#include <utility>

#include <gsl/assert>

#include "aggregate/forest.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{16} << 20;  // of a few nodes, of which there seldom are many
constexpr std::uint32_t chunk_slots_max = 32;
constexpr std::size_t staged_max = 8;            // values: pinned memory is dear
constexpr std::uint64_t memory_share = 4;        // batches under way need memory too
constexpr std::size_t runs_held = 16;            // of consecutive spans: more are brought over now and then
constexpr std::uint32_t first_taken = 1u << 31;  // slots from here on are spans that are being taken

}  // namespace

bool gpu_forest::suits(const gpu_entry& entry, const job_data& job, fold_kind fold) noexcept
{
  if (fold != fold_kind::ordered || entry.merge_nodes == nullptr) return false;
  const auto& values = *job.code->values;
  const bool of_numbers = values.kind != merge_kind::other && values.scalar != scalar_kind::none;
  return of_numbers || job.code->portable;
}

gpu_forest::gpu_forest(cuda_device& device, const gpu_entry& entry, const job_data& job, gpu_stream stream,
                       std::uint32_t blocks)
    : device_{device},
      entry_{entry},
      job_{job},
      stream_{stream},
      blocks_{blocks},
      value_bytes_{job.code->values->bytes * static_cast<std::size_t>(job.width)},
      slot_bytes_{gpu_aligned(value_bytes_)},
      slots_a_chunk_{
          static_cast<std::uint32_t>(std::clamp<std::size_t>(chunk_bytes / slot_bytes_, 1, chunk_slots_max))},
      nodes_{((job.shape.count - 1) >> job.shape.span_log2) + 1},
      staging_{device.on(), gpu_memory_kind::pinned}
{
  auto memory = device.on().properties().memory_bytes;
  if (const auto quota = device.options().memory_bytes_max; quota != 0) memory = std::min(memory, quota);
  slots_max_ = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(memory / memory_share / slot_bytes_, forest::nodes_max(nodes_.spans(), runs_held)));
}

gpu_forest::~gpu_forest()
{
  for (auto& chunk : chunks_) device_.give_buffer(std::move(chunk));
  device_.give_buffer(std::move(staging_));
}

bool gpu_forest::could_hold(std::uint32_t spans) const noexcept { return capacity() >= forest::nodes_max(spans, 1); }

bool gpu_forest::make_room(std::uint32_t spans)
{
  const auto needed = forest::nodes_max(spans, 1);
  if (free_slots_.size() >= needed) return true;
  if (needed > slots_max_) return false;
  compact();
  while (free_slots_.size() < needed) {
    if (!grow()) return false;
  }
  return true;
}

bool gpu_forest::grow()
{
  if (!may_grow_ || capacity() >= slots_max_) return false;
  may_grow_ = false;  // but if all goes well
  if (chunks_.empty()) {
    auto spare = device_.take_buffer(gpu_memory_kind::pinned);
    staging_.swap(spare);
    const auto values = std::clamp<std::size_t>(chunk_bytes / value_bytes_, 1, staged_max);
    if (!get(staging_, values * value_bytes_)) return false;
  }
  auto chunk = device_.take_buffer(gpu_memory_kind::device);
  if (!get(chunk, slots_a_chunk_ * slot_bytes_)) return false;
  may_grow_ = true;
  const auto first = capacity();
  free_slots_.reserve(first + slots_a_chunk_);
  chunks_.push_back(std::move(chunk));
  for (auto slot = first + slots_a_chunk_; slot > first; --slot) free_slots_.push_back(slot - 1);
  return true;
}

/// Memory for `bytes`, if need be without what idle slots keep.
bool gpu_forest::get(gpu_buffer& buffer, std::size_t bytes)
{
  for (const bool again : {true, false}) {
    try {
      (void)buffer.reserve(bytes);
      return true;
    } catch (const gpu_error& e) {
      if (e.what_kind() != gpu_error::kind::out_of_memory) throw;
    }
    if (!again) break;
    device_.lanes().release_idle();
    device_.release_buffers();
  }
  return false;
}

std::byte* gpu_forest::value(std::uint32_t slot) const noexcept
{
  if (slot >= first_taken) return taken_ + (slot - first_taken) * value_bytes_;
  return chunks_[slot / slots_a_chunk_].data() + (slot % slots_a_chunk_) * slot_bytes_;
}

void gpu_forest::take(std::uint32_t first, std::uint32_t spans, std::byte* values)
{
  taken_ = values;
  const auto merge = [this](std::uint32_t left, std::uint32_t right) {
    add_step(value(left), value(right), true);
    if (right < first_taken) free_slots_.push_back(right);
  };
  for (std::uint32_t s = 0; s < spans; ++s) nodes_.add({first + s, 0, first_taken + s}, merge);
  for (auto& n : nodes_.all()) {
    if (n.slot < first_taken) continue;
    Expects(!free_slots_.empty());
    const auto slot = free_slots_.back();
    free_slots_.pop_back();
    add_step(value(slot), value(n.slot), false);
    n.slot = slot;
  }
  enqueue_steps();
  taken_ = nullptr;
}

void gpu_forest::compact()
{
  nodes_.compact([this](std::uint32_t left, std::uint32_t right) {
    add_step(value(left), value(right), true);
    free_slots_.push_back(right);
  });
  enqueue_steps();
}

void gpu_forest::add_step(void* to, const void* from, bool merges)
{
  steps_.push_back({to, from, merges});
  if (steps_.size() == gpu_node_steps_max) enqueue_steps();
}

/// Nodes are then as if the steps were done. So no memory is no reason to try again, as it is elsewhere.
void gpu_forest::enqueue_steps()
{
  if (steps_.empty()) return;
  gpu_node_steps s;
  s.job = &job_;
  s.steps = steps_.data();
  s.count = static_cast<std::uint32_t>(steps_.size());
  s.blocks = blocks_;
  try {
    device_.on().check(entry_.merge_nodes(s, stream_), "merging spans");
  } catch (const gpu_error& e) {
    if (e.what_kind() != gpu_error::kind::out_of_memory) throw;
    throw gpu_error{gpu_error::kind::refused, e.what()};
  }
  steps_.clear();
}

void gpu_forest::copy_some()
{
  staged_ = std::min(nodes_.all().size(), staging_.bytes() / value_bytes_);
  auto* to = staging_.data();
  for (auto n = nodes_.all().end() - static_cast<std::ptrdiff_t>(staged_); n != nodes_.all().end(); ++n) {
    device_.on().copy(to, value(n->slot), value_bytes_, stream_);
    to += value_bytes_;
  }
}

void gpu_forest::hand_over_some(partial& to)
{
  auto& all = nodes_.all();
  const auto first = all.end() - static_cast<std::ptrdiff_t>(staged_);
  const auto* from = staging_.data();
  for (auto n = first; n != all.end(); ++n) {
    to.push(n->index, n->level, from);
    free_slots_.push_back(n->slot);
    from += value_bytes_;
  }
  all.erase(first, all.end());
  staged_ = 0;
}

void gpu_forest::clear() noexcept
{
  for (const auto& n : nodes_.all()) {
    if (n.slot < first_taken) free_slots_.push_back(n.slot);
  }
  nodes_.all().clear();
  steps_.clear();
}

void gpu_forest::retire() noexcept
{
  may_grow_ = false;
  chunks_.clear();
  free_slots_.clear();
  staging_.clear();
}

}  // namespace fastgpu::inline v0::detail
