#include "nccl/group_member.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <string>

#include <gsl/assert>

namespace fastgpu::inline v0::detail {

group_member::group_member(member_id me, gpu& on, gpu_stream stream, communicators& makes)
    : me_{me},
      on_{on},
      stream_{stream},
      makes_{makes},
      done_{on, on.create_event()},
      block_{on, gpu_memory_kind::device},
      result_{on, gpu_memory_kind::device},
      pinned_{on, gpu_memory_kind::pinned}
{
}

void group_member::offer(std::uint64_t number, const reduction_plan& plan, group_input input)
{
  Expects(!has_input() && plan.fits(input.bytes));
  plan_ = &plan;
  input_ = input;
  dismissed_ = false;
  stamp_ = {number, 0};
  step_ = step::idle;
}

void group_member::receive(const group_command& command)
{
  if (!has_input() || command.stamp.reduction != stamp_.reduction || command.stamp < stamp_) return;
  stamp_ = command.stamp;
  try {
    obey(command);
  } catch (const gpu_error& e) {
    fail(e);
  }
}

void group_member::obey(const group_command& command)
{
  switch (command.what) {
    case group_command::kind::make_id: {
      auto made = makes_.make_id();
      if (!made) return fail(made.error(), true);
      report(group_report::kind::id);
      reports_.back().id = made.value();
      break;
    }
    case group_command::kind::reduce:
      group_ = command.group;
      if (group_.members.size() < 2 || !is_member(group_, me_)) {
        return fail({make_error_code(errc::device_failed), "a group without this member, or of nobody else"});
      }
      if (!command.connected) {
        leave();
        auto joined = makes_.join(group_, me_);
        if (!joined) return fail(joined.error(), true);
        end_ = std::move(joined).value();
        end_epoch_ = group_.epoch;
      } else if (!end_ || end_epoch_ != group_.epoch) {
        return fail({make_error_code(errc::device_failed), "the communicator is gone"});
      }
      step_ = step::starting;
      break;
    case group_command::kind::abort:
      leave();
      report(group_report::kind::aborted);
      break;
    case group_command::kind::send_input:
      leave();
      step_ = step::copying_input;
      copied_bytes_ = 0;
      break;
    case group_command::kind::release:
      step_ = step::idle;
      plan_ = nullptr;
      break;
    case group_command::kind::dismiss:
      leave();
      plan_ = nullptr;
      dismissed_ = true;
      break;
  }
}

void group_member::poll()
{
  if (step_ == step::idle) return;
  try {
    step_on();
  } catch (const gpu_error& e) {
    fail(e);
  }
}

bool group_member::quiet()
{
  Expects(!has_input());
  if (!stream_is_quiet()) return false;
  constexpr std::size_t kept_bytes_max = std::size_t{64} << 20;
  block_.clear();
  result_.clear();
  if (pinned_.bytes() > kept_bytes_max) pinned_.clear();
  return true;
}

void group_member::step_on()
{
  switch (step_) {
    case step::idle: break;
    case step::starting:
      switch (end_->status()) {
        case communicator_status::starting: break;
        case communicator_status::failed: fail(end_->why()); break;
        case communicator_status::ready:
          if (stream_is_quiet()) start_collective();
          break;
      }
      break;
    case step::reducing:
      switch (end_->poll()) {
        case collective_status::under_way: break;
        case collective_status::failed: fail(end_->why()); break;
        case collective_status::done:
          if (!is_root()) {
            step_ = step::idle;
            report(group_report::kind::reduced);
          } else if (plan_->how == reduction_plan::method::reduce) {
            copy_out(result_.data(), input_.bytes, step::copying_result);
          } else {
            copy_out(result_.data(), gather_block_bytes(plan_->bytes_max) * group_.members.size(),
                     step::copying_result);
          }
          break;
      }
      break;
    case step::copying_result:
      if (stream_is_quiet()) report_result();
      break;
    case step::copying_input:
      if (!stream_is_quiet()) break;
      if (copied_bytes_ == 0 && input_.bytes > 0) {
        copy_out(input_.data, input_.bytes, step::copying_input);
      } else {
        step_ = step::idle;
        report(group_report::kind::input, {pinned_.data(), pinned_.data() + input_.bytes});
      }
      break;
  }
}

void group_member::start_collective()
{
  step_ = step::reducing;
  if (plan_->how == reduction_plan::method::reduce) {
    auto* to = is_root() ? result_.reserve(std::max<std::size_t>(input_.bytes, 1)) : nullptr;
    end_->reduce({.from = input_.data, .to = to, .count = plan_->count, .scalar = plan_->scalar, .merge = plan_->merge,
                  .root = 0},
                 stream_);
    return;
  }
  const auto block = gather_block_bytes(plan_->bytes_max);
  auto* to = result_.reserve(block * group_.members.size());
  auto* mine = block_.reserve(block);
  const std::uint64_t bytes = input_.bytes;
  std::memcpy(pinned_.reserve(sizeof bytes), &bytes, sizeof bytes);
  if (bytes > 0) on_.copy(mine, input_.data, bytes, stream_);
  on_.copy(mine + block - sizeof bytes, pinned_.data(), sizeof bytes, stream_);
  on_.record(done_.get(), stream_);
  enqueued_ = true;
  end_->all_gather(mine, to, block, stream_);
}

/// @pre  The stream is quiet, as far as it is this member's.
void group_member::copy_out(const void* from, std::size_t bytes, step next)
{
  on_.copy(pinned_.reserve(std::max<std::size_t>(bytes, 1)), from, bytes, stream_);
  on_.record(done_.get(), stream_);
  enqueued_ = true;
  copied_bytes_ = bytes;
  step_ = next;
}

void group_member::report_result()
{
  const std::span<const std::byte> result{pinned_.data(), copied_bytes_};
  if (plan_->how == reduction_plan::method::reduce) {
    step_ = step::idle;
    report(group_report::kind::reduced, {result.begin(), result.end()});
    return;
  }
  const auto inputs = gathered_inputs(result, group_.members.size(), plan_->bytes_max);
  if (!inputs) return fail(inputs.error());
  auto merged = plan_->merger->merge(inputs.value());
  if (!merged) return fail(merged.error());
  step_ = step::idle;
  report(group_report::kind::reduced, std::move(merged).value());
}

/// Out of the communicator. What it had enqueued ends by itself; until then the buffers are not used again.
void group_member::leave()
{
  const bool was_reducing = step_ == step::reducing;
  end_.reset();
  step_ = step::idle;
  if (!was_reducing) return;
  try {
    on_.record(done_.get(), stream_);
    enqueued_ = true;
  } catch (const gpu_error&) {  // the next poll() says so
  }
}

void group_member::fail(failure why, bool for_good)
{
  leave();
  report(group_report::kind::failed);
  reports_.back().why = std::move(why);
  reports_.back().for_good = for_good;
}

/// Without memory, another attempt would end as this one.
void group_member::fail(const gpu_error& why)
{
  fail({make_error_code(errc::device_failed), why.what()}, why.what_kind() == gpu_error::kind::out_of_memory);
}

void group_member::report(group_report::kind what, payload bytes)
{
  group_report r;
  r.what = what;
  r.stamp = stamp_;
  r.bytes = std::move(bytes);
  reports_.push_back(std::move(r));
}

bool group_member::stream_is_quiet()
{
  if (enqueued_ && on_.ready(done_.get())) enqueued_ = false;
  return !enqueued_;
}

}  // namespace fastgpu::inline v0::detail
