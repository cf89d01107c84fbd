#include "cuda/gpu_session.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <thread>
#include <utility>

#include <gsl/assert>

#include <fastgpu/error.hpp>

namespace fastgpu::inline v0::detail {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t piece_bytes_max = std::size_t{256} << 20;  // more slots at work beat larger copies
constexpr auto spinning = 20us;    // a result is looked for without a pause for so long,
constexpr auto yielding = 200us;   // with other threads let on for so long,
constexpr auto nap = 50us;         // and then at such intervals
constexpr double batch_target_ns = 500e3;

/// What a kernel's own launches threw.
struct launch_failed {
  std::string what;
};

/// They had no scratch memory. Nothing is in an accumulator yet.
class no_scratch : public gpu_error {
 public:
  explicit no_scratch(std::size_t bytes)
      : gpu_error{kind::out_of_memory, "a kernel's own launches: no " + std::to_string(bytes) + " bytes of scratch memory"}
  {
  }
};

std::uint32_t indices_of_largest(const space_shape& shape)
{
  std::int64_t tile[3];
  largest_tile(shape, tile);
  const auto count = static_cast<double>(tile[0]) * static_cast<double>(tile[1]) * static_cast<double>(tile[2]);
  return static_cast<std::uint32_t>(std::min(count, double{std::numeric_limits<std::uint32_t>::max()}));
}

}  // namespace

gpu_session::gpu_session(cuda_device& device, const gpu_entry& entry, const session_request& request)
    : device_{device},
      on_{device.on()},
      lanes_{device.lanes()},
      entry_{entry},
      job_{*request.job},
      fold_{request.fold},
      memory_{*request.memory},
      piece_max_{std::max(request.job->shape.count, 1u)},
      views_(request.job->argument_count),
      launches_(device.lanes().lane_count())
{
  if (const auto* values = job_.code->values) {
    Expects(fold_ != fold_kind::ordered || !values->order_free);  // entries have no kernels for that
    value_bytes_ = values->bytes * static_cast<std::size_t>(job_.width);
    total_bytes_ = gpu_aligned(gpu_total_bytes(*values, fold_, job_.width));
    const auto resident_min = device.options().resident_bytes_min;
    if (resident_min != 0 && value_bytes_ >= resident_min && gpu_forest::suits(entry, job_, fold_)) {
      forest_.emplace(device, entry, job_, lanes_.out.get(), on_.properties().multiprocessors * blocks_a_multiprocessor);
    }
  }
  largest_subtask_ = indices_of_largest(job_.shape);
  try {
    upload_constants();
  } catch (...) {
    abandon();
    throw;
  }
}

gpu_session::~gpu_session()
{
  abandon();
  if (totals_) device_.give_buffer(std::move(*totals_));
  if (totals_pinned_) device_.give_buffer(std::move(*totals_pinned_));
  for (auto& constant : constants_) device_.give_buffer(std::move(constant));
}

/// What is under way uses memory of the session and the user's, and slots: it is waited for, unless the GPU is lost.
void gpu_session::abandon() noexcept
{
  if (under_way_.empty() && !enqueuing_) return;
  drain();
  for (const auto& p : under_way_) lanes_.slots[p.slot].used = false;
  under_way_.clear();
  if (forest_) forest_->clear();
}

/// The same for the pieces of one batch, the last that was launched.
void gpu_session::drop(interval batch) noexcept
{
  drain();
  while (!under_way_.empty() && under_way_.back().batch == batch) {
    lanes_.slots[under_way_.back().slot].used = false;
    forest_spoilt_ |= under_way_.back().resident;
    under_way_.pop_back();
  }
}

/// Waits for all that the streams have.
void gpu_session::drain() noexcept
{
  try {
    const auto pass = [&](gpu_stream stream) {
      on_.record(lanes_.passed.get(), stream);
      wait_for(lanes_.passed.get());
    };
    pass(lanes_.in.get());
    for (const auto& lane : lanes_.lanes) pass(lane.get());
    pass(lanes_.out.get());
  } catch (const std::exception&) {  // lost: nothing of it will run
  }
  enqueuing_ = false;
}

batch_hints gpu_session::hints() const noexcept
{
  // The first batches are not measured yet: enough to have every multiprocessor work.
  const std::uint64_t multiprocessors = on_.properties().multiprocessors;
  const auto wanted = entry_.index_is_thread
                          ? multiprocessors * blocks_a_multiprocessor * 256 / std::max(largest_subtask_, 1u)
                          : multiprocessors * 2;
  const auto first = std::clamp<std::uint64_t>(wanted, 1, std::max(job_.shape.count, 1u));
  return {static_cast<std::uint32_t>(first), batch_target_ns};
}

gpu_batch gpu_session::batch_for(interval subtasks) const
{
  gpu_batch b;
  b.job = &job_;
  b.shape = job_.shape;
  b.shape.bounds = bounds_;
  b.largest_subtask = largest_subtask_;
  b.fold = fold_;
  b.begin = subtasks.begin;
  b.end = subtasks.end;
  b.ordinal = on_.properties().ordinal;
  b.memory_pool = on_.memory_pool();
  b.blocks = on_.properties().multiprocessors * blocks_a_multiprocessor;
  return b;
}

batch_status gpu_session::launch(interval batch)
{
  try {
    if (!open_) open_ = std::make_unique<partial>(job_, fold_, memory_);
  } catch (const std::bad_alloc&) {
    why_ = {make_error_code(errc::device_failed), "no memory for a partial"};
    return batch_status::failed;
  }
  try {
    if (!totals_made_ && (fold_ == fold_kind::single || fold_ == fold_kind::exact)) make_totals();
    for (auto rest = batch; !rest.empty();) {
      auto p = next_piece(rest);
      const auto subtasks = p.subtasks;
      p.last = subtasks.end == rest.end;
      p.batch = batch;
      try {
        launch_piece(std::move(p));
        rest.begin = subtasks.end;
      } catch (const no_scratch&) {
        if (!do_with_less(subtasks)) throw;
      } catch (const gpu_error& e) {  // kernels need memory of their own
        // Never again where values may be in an accumulator already: what else a launch writes, it writes anew.
        if (e.what_kind() != gpu_error::kind::out_of_memory || totals_made_ || !do_with_less(subtasks)) throw;
      }
    }
  } catch (const gpu_error& e) {
    return lose(e);
  } catch (const launch_failed& e) {
    drop(batch);
    why_ = {make_error_code(errc::kernel_failed), e.what};
    failed_subtask_ = batch.begin;
    return batch_status::kernel_failed;
  } catch (...) {
    abandon();  // the run ends with this, and its outcome is delivered
    throw;
  }
  return batch_status::queued;
}

/// As many of the subtasks, whole spans, as there is memory for, with a slot.
gpu_session::piece gpu_session::next_piece(interval rest)
{
  const auto span = std::uint32_t{1} << job_.shape.span_log2;
  piece p;
  for (;;) {
    const auto n = std::min(std::max(piece_max_ / span * span, span), rest.size());
    p.subtasks = {rest.begin, rest.begin + n};
    if (n <= span) {
      find_room([&] {
        place(p);
        return reserve_slot(p);
      });
      return p;
    }
    place(p);
    if (p.layout.device_bytes + p.layout.pinned_bytes <= piece_bytes_max) {
      try {
        (void)reserve_slot(p);
        return p;
      } catch (const gpu_error& e) {
        if (e.what_kind() != gpu_error::kind::out_of_memory) throw;
        release_idle();  // what larger pieces left
      }
    }
    piece_max_ = n / 2;
  }
}

/// Frees what it can, and has pieces be smaller than this one. @return  False where nothing is left to be done.
bool gpu_session::do_with_less(interval subtasks)
{
  drain();
  release_idle();
  if (subtasks.size() <= std::uint32_t{1} << job_.shape.span_log2) return retire_forest();
  piece_max_ = subtasks.size() / 2;
  return true;
}

/// Memory for a piece in the next slot.
std::byte* gpu_session::reserve_slot(piece& p)
{
  p.slot = free_slot();
  auto& slot = lanes_.slots[p.slot];
  grow_pinned(slot.pinned, p.layout.pinned_bytes);
  return slot.device.reserve(p.layout.device_bytes);
}

/// Keeps the smaller memory for later: to free it can wait for everything on the GPU, and so for a user's stream that
/// waits for this run.
void gpu_session::grow_pinned(gpu_buffer& buffer, std::size_t bytes)
{
  if (bytes <= buffer.bytes()) return;
  gpu_buffer larger{on_, gpu_memory_kind::pinned};
  try {
    (void)larger.reserve(std::max(bytes, buffer.bytes() + buffer.bytes() / 2));
  } catch (const gpu_error& e) {
    if (e.what_kind() != gpu_error::kind::out_of_memory) throw;
    (void)buffer.reserve(bytes);  // there is no room for both
    return;
  }
  buffer.swap(larger);
  device_.give_buffer(std::move(larger));
}

batch_status gpu_session::lose(const gpu_error& e)
{
  if (e.what_kind() == gpu_error::kind::lost) device_.mark_lost(e.what());
  why_ = {make_error_code(errc::device_lost), e.what()};
  abandon();  // here, and not where the session ends: others wait for that
  return batch_status::lost;
}

/// The next slot in turn. Where a batch has more pieces than there are slots, the oldest is finished first.
std::uint32_t gpu_session::free_slot()
{
  auto& slot = lanes_.slots[next_slot_];
  while (slot.used) {
    wait_for(lanes_.slots[under_way_.front().slot].done.get());
    take_over_oldest();
  }
  return next_slot_;
}

/// @pre  The GPU is done with the oldest piece.
void gpu_session::take_over_oldest()
{
  const auto oldest = std::move(under_way_.front());
  under_way_.pop_front();
  lanes_.slots[oldest.slot].used = false;
  finish(oldest);
  if (oldest.last) finished_.push_back(oldest.batch);
}

void gpu_session::launch_piece(piece what)
{
  auto& slot = lanes_.slots[what.slot];
  const auto lane = lanes_.lane_of(what.slot);
  next_slot_ = (what.slot + 1) % lanes_.slot_count();
  enqueuing_ = true;
  copy_inputs(what, slot);

  const auto views = views_for(what, slot);
  auto batch = batch_for(what.subtasks);
  batch.views = views.data();
  if (totals_) batch.total = totals_->data() + lanes_.lane_number(what.slot) * total_bytes_;
  batch.launches = ++launches_[lanes_.lane_number(what.slot)];
  batch.span_values = slot.device.data() + what.layout.span_values_at;
  batch.scratch = slot.device.data() + what.layout.scratch_at;
  try {
    on_.check(entry_.launch(batch, lane), "launching a kernel");
  } catch (const gpu_error&) {
    throw;
  } catch (const gpu_no_scratch& e) {
    throw no_scratch{e.bytes};
  } catch (const std::bad_alloc&) {  // the library's own, perhaps
    throw;
  } catch (const std::exception& e) {
    throw launch_failed{e.what()};
  } catch (...) {
    throw launch_failed{"an exception that is no std::exception"};
  }
  copy_outputs(what, slot);
  under_way_.push_back(std::move(what));
  slot.used = true;
  enqueuing_ = false;
}

batch_status gpu_session::poll(interval& batch)
{
  try {
    while (finished_.empty()) {
      Expects(!under_way_.empty());
      if (!on_.ready(lanes_.slots[under_way_.front().slot].done.get())) {
        rest();
        return batch_status::queued;
      }
      idle_since_ = {};
      take_over_oldest();
    }
  } catch (const gpu_error& e) {
    batch = under_way_.front().batch;
    return lose(e);
  } catch (...) {
    abandon();
    throw;
  }
  batch = finished_.front();
  finished_.pop_front();
  return folded_twice_ ? batch_status::kernel_failed : batch_status::done;
}

/// The GPU is not ready yet: the longer it takes, the less of a core is spent on asking.
void gpu_session::rest()
{
  const auto now = std::chrono::steady_clock::now();
  if (idle_since_ == std::chrono::steady_clock::time_point{}) idle_since_ = now;
  if (now - idle_since_ < spinning) return;
  if (now - idle_since_ < yielding) {
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(nap);
  }
}

void gpu_session::wait_for(gpu_event event)
{
  idle_since_ = {};
  while (!on_.ready(event)) rest();
  idle_since_ = {};
}

sealed_partial gpu_session::seal()
{
  Expects(under_way_.empty());
  try {
    if (forest_spoilt_) throw error{why_};
    if (open_ && totals_made_) merge_totals();
    if (open_ && forest_) bring_forest();
  } catch (const gpu_error& e) {
    (void)lose(e);
    throw error{why_};
  }
  return {std::exchange(open_, nullptr), std::exchange(counter_, 0)};
}

values_in_place gpu_session::in_place()
{
  Expects(under_way_.empty());
  if (!open_ || !totals_made_ || folded_twice_) return {};
  try {
    auto* seat = device_.seat();
    if (seat == nullptr) return {};
    gather_totals();
    return {&seat->member(), totals_->data(), &open_->fold_set(), counter_};
  } catch (const gpu_error& e) {
    if (e.what_kind() != gpu_error::kind::lost) {  // seal() does without
      drain();
      return {};
    }
    (void)lose(e);
    throw error{why_};
  }
}

void gpu_session::leave_values() noexcept
{
  if (totals_) device_.keep(std::move(*totals_));
  totals_.reset();
  drop_open();
}

void gpu_session::drop_open() noexcept
{
  open_.reset();
  counter_ = 0;
  totals_made_ = false;
}

}  // namespace fastgpu::inline v0::detail
