#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include <fastgpu/error.hpp>

#include "cuda/gpu_session.hpp"

/// @file
/// Where a session has its data: what a launch needs on the GPU, and the copies to it and back.

namespace fastgpu::inline v0::detail {
namespace {

/// Room of `bytes` behind what `total` counts. @return where it begins
std::size_t take(std::size_t& total, std::size_t bytes)
{
  const auto at = total;
  total += gpu_aligned(bytes);
  return at;
}

bool is_data(const argument& a)
{
  return a.kind == argument_kind::broadcast || a.kind == argument_kind::slices || a.kind == argument_kind::gather;
}

/// A view of all of the data where they are.
gpu_view view_in_place(const argument& a)
{
  gpu_view v;
  v.data = a.data;
  for (int d = 0; d < a.rank; ++d) {
    v.extent[d] = a.extent[d];
    v.stride[d] = a.stride[d];
  }
  return v;
}

/// A view of a dense copy of `region`.
gpu_view view_of_copy(void* data, const box& region, std::int32_t rank)
{
  gpu_view v;
  v.data = data;
  for (int d = rank - 1; d >= 0; --d) {
    v.origin[d] = region.begin[d];
    v.extent[d] = region.end[d] - region.begin[d];
    v.stride[d] = d == rank - 1 ? 1 : v.stride[d + 1] * v.extent[d + 1];
  }
  return v;
}

/// `part` of the data, which the GPU can reach, to (`out`) or from a dense copy of `whole`.
gpu_box_copy copy_between(const argument& a, const box& part, const box& whole, std::byte* dense, bool out)
{
  const auto l = layout_of(a, part, whole);
  gpu_box_copy c;
  auto* data = static_cast<std::byte*>(a.data) + l.data_offset;
  c.to = out ? data : dense + l.dense_offset;
  c.from = out ? dense + l.dense_offset : data;
  c.to_pitch = out ? l.data_pitch : l.dense_pitch;
  c.from_pitch = out ? l.dense_pitch : l.data_pitch;
  c.to_plane_pitch = out ? l.data_plane_pitch : l.dense_plane_pitch;
  c.from_plane_pitch = out ? l.dense_plane_pitch : l.data_plane_pitch;
  c.row_bytes = l.row_bytes;
  c.rows = l.rows;
  c.planes = l.planes;
  return c;
}

}  // namespace

bool gpu_session::is_here(const argument& a) const noexcept
{
  return a.where.kind == memory_kind::device && a.where.device == on_.properties().ordinal;
}

bool gpu_session::stays_in_place(const argument& a) const noexcept
{
  if (a.halo > 0) return false;  // the border is filled in a copy
  return is_here(a) || (a.free_shape && a.where.kind == memory_kind::pinned);  // the GPU reaches pinned memory, slowly
}

/// Broadcasts, and the boundaries of subtasks with costs: once for the whole run.
void gpu_session::upload_constants()
{
  enqueuing_ = true;
  const auto stream = lanes_.in.get();
  for (std::uint32_t i = 0; i < job_.argument_count; ++i) {
    const auto& a = job_.arguments[i];
    if (!is_data(a)) continue;
    if (stays_in_place(a)) {
      views_[i] = view_in_place(a);
    } else if (a.free_shape) {
      throw error{errc::no_usable_device, "argument " + std::to_string(i) +
                                              ": scatter() on a GPU needs pinned memory, or that of the GPU itself"};
    } else if (a.halo > 0 && a.where.kind == memory_kind::device && !is_here(a)) {
      throw error{errc::no_usable_device,
                  "argument " + std::to_string(i) + ": slices() with a halo of another GPU's memory"};
    } else if (a.kind == argument_kind::broadcast) {
      const auto all = whole_of(a);
      auto& copy = constants_.emplace_back(device_.take_buffer(gpu_memory_kind::device));
      const auto bytes = std::max<std::size_t>(static_cast<std::size_t>(count_of(all)) * a.element_bytes, 1);
      auto* data = find_room([&] { return copy.reserve(bytes); });
      if (count_of(all) > 0) on_.copy(copy_between(a, all, all, data, false), stream);
      views_[i] = view_of_copy(data, all, a.rank);
    }
  }
  if (job_.shape.bounds != nullptr) {
    const auto bytes = (std::size_t{job_.shape.count} + 1) * sizeof *job_.shape.bounds;
    auto& copy = constants_.emplace_back(device_.take_buffer(gpu_memory_kind::device));
    auto* data = find_room([&] { return copy.reserve(bytes); });
    on_.copy(data, job_.shape.bounds, bytes, stream);
    bounds_ = reinterpret_cast<const std::int64_t*>(data);
  }
  auto& done = lanes_.slots.front().copied_in;
  on_.record(done.get(), stream);
  wait_for(done.get());  // the lanes need not wait for it, batch by batch
  enqueuing_ = false;
}

std::uint32_t gpu_session::span_count(interval subtasks) const noexcept
{
  return ((subtasks.end - 1) >> job_.shape.span_log2) + 1 - (subtasks.begin >> job_.shape.span_log2);
}

/// Where the values of a piece's spans go, and with that what it needs.
void gpu_session::place(piece& p)
{
  p.resident = forest_takes(p.subtasks);
  p.layout = lay_out(p.subtasks, p.resident);
}

gpu_session::piece_layout gpu_session::lay_out(interval subtasks, bool resident) const
{
  piece_layout l;
  l.arguments.resize(job_.argument_count);
  const auto covered = bounding_box(job_.shape, subtasks.begin, subtasks.end);
  for (std::uint32_t i = 0; i < job_.argument_count; ++i) {
    const auto& a = job_.arguments[i];
    if ((a.kind != argument_kind::slices && a.kind != argument_kind::gather) || stays_in_place(a)) continue;
    auto& part = l.arguments[i];
    part.region = a.halo > 0 ? grown(covered, a.halo, a.rank) : covered;
    part.on_gpu = true;
    part.through_pinned = a.where.kind == memory_kind::host;
    const auto bytes = static_cast<std::size_t>(count_of(part.region)) * a.element_bytes;
    part.device_at = take(l.device_bytes, bytes);
    if (part.through_pinned) part.pinned_at = take(l.pinned_bytes, bytes);
  }
  if (fold_ == fold_kind::ordered) {
    l.span_values_bytes = value_bytes_ * span_count(subtasks);
    l.span_values_at = take(l.device_bytes, l.span_values_bytes);
    if (!resident) l.span_values_pinned_at = take(l.pinned_bytes, l.span_values_bytes);
  }
  l.scratch_at = take(l.device_bytes, entry_.scratch_bytes(batch_for(subtasks)));
  return l;
}

std::vector<gpu_view> gpu_session::views_for(const piece& what, const gpu_slot& slot) const
{
  auto views = views_;
  for (std::uint32_t i = 0; i < job_.argument_count; ++i) {
    const auto& part = what.layout.arguments[i];
    if (!part.on_gpu) continue;
    views[i] = view_of_copy(slot.device.data() + part.device_at, part.region, job_.arguments[i].rank);
  }
  return views;
}

void gpu_session::copy_inputs(const piece& what, gpu_slot& slot)
{
  bool any = false;
  for (std::uint32_t i = 0; i < job_.argument_count; ++i) {
    const auto& a = job_.arguments[i];
    const auto& part = what.layout.arguments[i];
    if (a.kind != argument_kind::slices || !part.on_gpu || count_of(part.region) == 0) continue;
    any = true;
    auto* on_gpu = slot.device.data() + part.device_at;
    if (!part.through_pinned && a.halo > 0) {
      on_.stage(a, part.region, on_gpu, lanes_.in.get());
      continue;
    }
    if (!part.through_pinned) {
      on_.copy(copy_between(a, part.region, part.region, on_gpu, false), lanes_.in.get());
      continue;
    }
    auto* pinned = slot.pinned.data() + part.pinned_at;
    if (a.halo > 0) {
      stage_slice(a, part.region, pinned);
    } else {
      copy_in(a, part.region, part.region, pinned);
    }
    on_.copy(on_gpu, pinned, static_cast<std::size_t>(count_of(part.region)) * a.element_bytes, lanes_.in.get());
  }
  if (!any) return;
  on_.record(slot.copied_in.get(), lanes_.in.get());
  on_.wait(lanes_.lane_of(what.slot), slot.copied_in.get());
}

/// Only what the batch's own subtasks have written: between them in the rows of a tile others may be at work.
void gpu_session::copy_outputs(const piece& what, gpu_slot& slot)
{
  const auto out = lanes_.out.get();
  bool any = false;
  const auto begin = [&] {
    if (std::exchange(any, true)) return;
    on_.record(slot.computed.get(), lanes_.lane_of(what.slot));
    on_.wait(out, slot.computed.get());
  };
  for (std::uint32_t i = 0; i < job_.argument_count; ++i) {
    const auto& a = job_.arguments[i];
    const auto& part = what.layout.arguments[i];
    if (a.kind != argument_kind::gather || !part.on_gpu || count_of(part.region) == 0) continue;
    begin();
    auto* on_gpu = slot.device.data() + part.device_at;
    if (part.through_pinned) {
      on_.copy(slot.pinned.data() + part.pinned_at, on_gpu,
               static_cast<std::size_t>(count_of(part.region)) * a.element_bytes, out);
      continue;
    }
    for (const auto& own : boxes_of(job_.shape, what.subtasks.begin, what.subtasks.end)) {
      on_.copy(copy_between(a, own, part.region, on_gpu, true), out);
    }
  }
  if (what.resident) {
    begin();
    forest_->take(what.subtasks.begin >> job_.shape.span_log2, span_count(what.subtasks),
                  slot.device.data() + what.layout.span_values_at);
  } else if (what.layout.span_values_bytes > 0) {
    begin();
    on_.copy(slot.pinned.data() + what.layout.span_values_pinned_at, slot.device.data() + what.layout.span_values_at,
             what.layout.span_values_bytes, out);
  }
  try {
    on_.record(slot.done.get(), any ? out : lanes_.lane_of(what.slot));
  } catch (const gpu_error& e) {
    if (e.what_kind() != gpu_error::kind::out_of_memory || !what.resident) throw;
    throw gpu_error{gpu_error::kind::refused, e.what()};  // its spans are taken: it cannot be launched anew
  }
}

/// The host's part of a piece that the GPU is done with.
void gpu_session::finish(const piece& what)
{
  if (!open_->fold(what.subtasks)) {
    folded_twice_ = what.subtasks.begin;
    why_ = {make_error_code(errc::internal),
            "subtask " + std::to_string(what.subtasks.begin) + " was about to be folded twice"};
    forest_spoilt_ |= what.resident;
    return;
  }
  const auto& slot = lanes_.slots[what.slot];
  for (std::uint32_t i = 0; i < job_.argument_count; ++i) {
    const auto& a = job_.arguments[i];
    const auto& part = what.layout.arguments[i];
    if (a.kind != argument_kind::gather || !part.on_gpu || !part.through_pinned) continue;
    for (const auto& own : boxes_of(job_.shape, what.subtasks.begin, what.subtasks.end)) {
      copy_out(a, own, part.region, slot.pinned.data() + part.pinned_at);
    }
  }
  if (fold_ == fold_kind::ordered && !what.resident) {
    auto& target = open_->target();
    const auto first = what.subtasks.begin >> job_.shape.span_log2;
    const auto last = (what.subtasks.end - 1) >> job_.shape.span_log2;
    const auto* values = slot.pinned.data() + what.layout.span_values_pinned_at;
    for (auto s = first; s <= last; ++s) target.push(target.forest, s, values + (s - first) * value_bytes_);
  }
  counter_ += what.subtasks.size();
}

// Accumulators --------------------------------------------------------------------------------------------------------

/// An empty accumulator for each lane.
void gpu_session::make_totals()
{
  const auto bytes = total_bytes_ * lanes_.lane_count();
  if (!totals_) totals_.emplace(device_.take_buffer(gpu_memory_kind::device));
  if (!totals_pinned_) totals_pinned_.emplace(device_.take_buffer(gpu_memory_kind::pinned));
  auto* pinned = find_room([&] {
    grow_pinned(*totals_pinned_, bytes);
    return totals_pinned_->data();
  });
  auto* totals = find_room([&] { return totals_->reserve(bytes); });
  std::memset(pinned, 0, bytes);
  const auto& values = *job_.code->values;
  for (std::uint32_t lane = 0; lane < lanes_.lane_count(); ++lane) {
    auto* total = pinned + lane * total_bytes_;
    if (fold_ == fold_kind::exact) {
      values.exact_clear(total);
    } else if (job_.code->vector_value) {
      values.identity(total, job_.width);
    }
  }
  enqueuing_ = true;
  on_.copy(totals, pinned, bytes, lanes_.in.get());
  auto& done = lanes_.slots[next_slot_].copied_in;
  on_.record(done.get(), lanes_.in.get());
  wait_for(done.get());
  enqueuing_ = false;
  totals_made_ = true;
}

/// All lanes' into the first one's. @pre  Nothing is under way.
void gpu_session::gather_totals()
{
  gpu_totals t;
  t.job = &job_;
  t.fold = fold_;
  t.first = totals_->data();
  t.stride = total_bytes_;
  t.count = lanes_.lane_count();
  t.blocks = on_.properties().multiprocessors * blocks_a_multiprocessor;
  const auto lane = lanes_.lanes[0].get();
  enqueuing_ = true;
  on_.check(entry_.merge_totals(t, lane), "merging the values of lanes");
  auto& done = lanes_.slots[next_slot_].done;
  on_.record(done.get(), lane);
  wait_for(done.get());
  enqueuing_ = false;
}

/// Into the open partial, lane by lane. @pre  Nothing is under way.
void gpu_session::merge_totals()
{
  const auto bytes = total_bytes_ * lanes_.lane_count();
  auto* pinned = totals_pinned_->data();
  enqueuing_ = true;
  on_.copy(pinned, totals_->data(), bytes, lanes_.out.get());
  auto& done = lanes_.slots[next_slot_].done;
  on_.record(done.get(), lanes_.out.get());
  wait_for(done.get());
  enqueuing_ = false;
  const auto& values = *job_.code->values;
  auto& target = open_->target();
  for (std::uint32_t lane = 0; lane < lanes_.lane_count(); ++lane) {
    auto* total = pinned + lane * total_bytes_;
    if (fold_ == fold_kind::exact) {
      values.exact_merge(target.value, total);
      continue;
    }
    std::uint32_t present = 0;
    std::memcpy(&present, total + gpu_present_offset(value_bytes_), sizeof present);
    if (!job_.code->vector_value && present == 0) continue;
    if (target.present || job_.code->vector_value) {
      values.merge(job_.operation, target.value, total, job_.width);
    } else {
      std::memcpy(target.value, total, value_bytes_);
    }
    target.present = true;
  }
  totals_made_ = false;
}

// Forest --------------------------------------------------------------------------------------------------------------

/// Whether the spans' values may stay on the GPU. Makes room for them where it can.
bool gpu_session::forest_takes(interval subtasks)
{
  if (!forest_) return false;
  const auto spans = span_count(subtasks);
  enqueuing_ = true;  // until the piece is
  if (forest_->make_room(spans)) return true;
  if (!forest_->could_hold(spans)) return false;
  bring_forest();
  return true;
}

/// What the forest has into the open partial, of pieces under way too: their subtasks are entered when they are done.
void gpu_session::bring_forest()
{
  enqueuing_ = true;
  forest_->compact();
  while (!forest_->empty()) {
    forest_->copy_some();
    on_.record(lanes_.passed.get(), lanes_.out.get());
    wait_for(lanes_.passed.get());
    forest_->hand_over_some(*open_);
  }
  enqueuing_ = false;
}

/// Does without the forest from now on. @return  False where it has no memory. @pre  The GPU is idle.
bool gpu_session::retire_forest()
{
  if (!forest_ || !forest_->has_memory()) return false;
  bring_forest();
  forest_->retire();
  return true;
}

}  // namespace fastgpu::inline v0::detail
