#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <gsl/assert>

#include "device/device.hpp"
#include "device/host_device.hpp"

/// @file
/// A device whose batches are under way for a while, as a GPU's are.

namespace support {

/// Takes up to `in_flight` batches; each is done after some calls of poll(), the oldest first. Computes on the host.
class async_device final : public fastgpu::detail::device {
 public:
  struct options {
    std::uint32_t in_flight = 2;
    std::uint32_t polls = 3;  ///< Calls of poll() that find the oldest batch still queued.
  };

  async_device(fastgpu::device_id id, std::string name) : async_device{id, std::move(name), options{}} {}
  async_device(fastgpu::device_id id, std::string name, options how)
      : info_{fastgpu::detail::describe_host(id, 1, std::move(name), "async")}, how_{how}
  {
    Expects(how.in_flight >= 1);
  }

  [[nodiscard]] const fastgpu::device_info& info() const noexcept override { return info_; }

  [[nodiscard]] std::unique_ptr<fastgpu::detail::device_session> open(
      const fastgpu::detail::session_request& request) override
  {
    return std::make_unique<session>(fastgpu::detail::open_host_session(info_.id, request), how_);
  }

 private:
  using batch_status = fastgpu::detail::batch_status;

  class session final : public fastgpu::detail::device_session {
   public:
    session(std::unique_ptr<fastgpu::detail::device_session> host, options how) : host_{std::move(host)}, how_{how} {}

    batch_status launch(fastgpu::interval batch) override
    {
      Expects(under_way_.size() < how_.in_flight);
      under_way_.push_back({batch, how_.polls});
      return batch_status::queued;
    }

    batch_status poll(fastgpu::interval& batch) override
    {
      batch = {};
      if (under_way_.empty()) return batch_status::queued;
      auto& oldest = under_way_.front();
      if (oldest.polls_left > 0) {
        --oldest.polls_left;
        std::this_thread::yield();
        return batch_status::queued;
      }
      batch = oldest.batch;
      under_way_.pop_front();
      return host_->launch(batch);
    }

    std::uint32_t in_flight_max() const noexcept override { return how_.in_flight; }

    fastgpu::detail::sealed_partial seal() override
    {
      Expects(under_way_.empty());
      return host_->seal();
    }

    const fastgpu::failure& why() const noexcept override { return host_->why(); }
    std::uint32_t failed_subtask() const noexcept override { return host_->failed_subtask(); }

   private:
    struct entry {
      fastgpu::interval batch;
      std::uint32_t polls_left;
    };
    std::unique_ptr<fastgpu::detail::device_session> host_;
    options how_;
    std::deque<entry> under_way_;
  };

  fastgpu::device_info info_;
  options how_;
};

}  // namespace support
