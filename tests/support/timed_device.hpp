#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "device/device.hpp"
#include "device/host_device.hpp"

/// @file
/// A device that takes a given time for each subtask, with batches waiting behind each other as on a GPU.

namespace support {

/// Computes on the host once the time is over. Remembers the sizes of its batches.
class timed_device final : public fastgpu::detail::device {
 public:
  struct options {
    std::uint32_t in_flight = 8;
    std::chrono::nanoseconds a_subtask{};
    fastgpu::detail::batch_hints hints{};
  };

  timed_device(fastgpu::device_id id, options how)
      : info_{fastgpu::detail::describe_host(id, 1, "timed", "timed")}, how_{how}
  {
  }

  [[nodiscard]] const fastgpu::device_info& info() const noexcept override { return info_; }
  [[nodiscard]] bool one_thread() const noexcept override { return true; }
  [[nodiscard]] std::unique_ptr<fastgpu::detail::device_session> open(
      const fastgpu::detail::session_request& request) override
  {
    return std::make_unique<session>(*this, fastgpu::detail::open_host_session(info_.id, request));
  }

  /// Subtasks of each batch, in the order in which they came. @pre  No run is under way.
  [[nodiscard]] const std::vector<std::uint32_t>& sizes() const noexcept { return sizes_; }

 private:
  using clock = std::chrono::steady_clock;
  using batch_status = fastgpu::detail::batch_status;

  class session final : public fastgpu::detail::device_session {
   public:
    session(timed_device& on, std::unique_ptr<fastgpu::detail::device_session> host) : on_{on}, host_{std::move(host)}
    {
    }

    batch_status launch(fastgpu::interval batch) override
    {
      on_.sizes_.push_back(batch.size());
      free_at_ = std::max(free_at_, clock::now()) + batch.size() * on_.how_.a_subtask;
      under_way_.push_back({batch, free_at_});
      return batch_status::queued;
    }
    batch_status poll(fastgpu::interval& batch) override
    {
      if (clock::now() < under_way_.front().done_at) {
        std::this_thread::yield();
        return batch_status::queued;
      }
      batch = under_way_.front().batch;
      under_way_.pop_front();
      return host_->launch(batch);
    }
    std::uint32_t in_flight_max() const noexcept override { return on_.how_.in_flight; }
    fastgpu::detail::batch_hints hints() const noexcept override { return on_.how_.hints; }
    fastgpu::detail::sealed_partial seal() override { return host_->seal(); }
    const fastgpu::failure& why() const noexcept override { return host_->why(); }
    std::uint32_t failed_subtask() const noexcept override { return host_->failed_subtask(); }

   private:
    struct entry {
      fastgpu::interval batch;
      clock::time_point done_at;
    };
    timed_device& on_;
    std::unique_ptr<fastgpu::detail::device_session> host_;
    std::deque<entry> under_way_;
    clock::time_point free_at_{};  // when the last of them is done
  };

  fastgpu::device_info info_;
  options how_;
  std::vector<std::uint32_t> sizes_;
};

}  // namespace support
