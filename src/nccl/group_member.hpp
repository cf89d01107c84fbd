#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "cuda/gpu_resources.hpp"
#include "nccl/group_messages.hpp"

/// @file
/// One reduction after the other, as a member of the group sees them.

namespace fastgpu::inline v0::detail {

/// A member's input: memory of its GPU, or of the host.
struct group_input {
  const void* data = nullptr;
  std::size_t bytes = 0;
};

/// State machine over a GPU and a communicator, neither of which it waits for. Commands and looks go in, reports come
/// out.
///
/// The communicator is made when a reduction first needs it, and kept for the next one of the same epoch.
///
/// @par Threads    The GPU's driver alone.
/// @par Ownership  The GPU, the stream and `makes` outlive it. Destroy it with its work under way only where the GPU is
///                 idle or lost.
class group_member {
 public:
  group_member(member_id me, gpu& on, gpu_stream stream, communicators& makes);

  /// Gets ready for reduction `number`. The input stays as it is, and where it is, until has_input() is false. Work
  /// that fills it is done, or enqueued on the stream.
  /// @pre  !has_input(); plan.fits(input.bytes); `plan` outlives the input.
  void offer(std::uint64_t number, const reduction_plan& plan, group_input input);

  /// Whether the input is still wanted.
  [[nodiscard]] bool has_input() const noexcept { return plan_ != nullptr; }
  /// Whether the coordinator has gone on without this member. Its input has not been used.
  [[nodiscard]] bool dismissed() const noexcept { return dismissed_; }

  void receive(const group_command& command);

  /// Looks how things are getting on. To be called again and again while busy().
  void poll();
  [[nodiscard]] bool busy() const noexcept { return step_ != step::idle; }

  /// Whether nothing of the last reduction is in the stream any more: a collective that was left may still read its
  /// input. @pre  !has_input()
  /// @throws gpu_error
  [[nodiscard]] bool quiet();

  /// Reports since the last call, to be sent in order.
  [[nodiscard]] std::vector<group_report> take_reports() { return std::exchange(reports_, {}); }

 private:
  enum class step { idle, starting, reducing, copying_result, copying_input };

  void obey(const group_command& command);
  void step_on();
  void start_collective();
  void copy_out(const void* from, std::size_t bytes, step next);
  void report_result();
  void leave();
  void fail(failure why, bool for_good = false);  // by value: leave() ends who may own it
  void fail(const gpu_error& why);
  void report(group_report::kind what, payload bytes = {});
  [[nodiscard]] bool stream_is_quiet();
  [[nodiscard]] bool is_root() const { return group_.members.front() == me_; }

  member_id me_;
  gpu& on_;
  gpu_stream stream_;
  communicators& makes_;
  gpu_handle<gpu_event> done_;   // of the last work that was enqueued here
  gpu_buffer block_;             // gather: the input as others get it
  gpu_buffer result_;
  gpu_buffer pinned_;
  bool enqueued_ = false;        // done_ was recorded

  const reduction_plan* plan_ = nullptr;
  group_input input_;
  bool dismissed_ = false;
  step step_ = step::idle;
  group_stamp stamp_;            // of the last command
  membership group_;
  std::unique_ptr<communicator> end_;
  std::uint64_t end_epoch_ = 0;
  std::size_t copied_bytes_ = 0;
  std::vector<group_report> reports_;
};

}  // namespace fastgpu::inline v0::detail
