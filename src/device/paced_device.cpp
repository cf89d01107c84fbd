#include "device/paced_device.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include <gsl/assert>

#include "device/host_device.hpp"

namespace fastgpu::inline v0::detail {
namespace {

using steady = std::chrono::steady_clock;

class paced_session final : public device_session {
 public:
  paced_session(std::unique_ptr<device_session> host, double rate, const int* stop)
      : host_{std::move(host)}, per_subtask_{1.0 / rate}, stop_{stop}
  {
  }

  batch_status launch(interval batch) override
  {
    const auto now = steady::now();
    // Lateness of a wake-up is carried over to the next batch; a real gap between batches is not.
    constexpr auto late_at_most = std::chrono::milliseconds{2};
    if (now - due_ > late_at_most) due_ = now;
    due_ += std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>{per_subtask_ * batch.size()});
    const auto status = host_->launch(batch);
    if (status == batch_status::done) wait();
    return status;
  }

  sealed_partial seal() override { return host_->seal(); }
  const failure& why() const noexcept override { return host_->why(); }
  std::uint32_t failed_subtask() const noexcept override { return host_->failed_subtask(); }

 private:
  /// Until due_, or until the run is over.
  void wait() const
  {
    constexpr auto look_again = std::chrono::milliseconds{20};
    for (auto now = steady::now(); now < due_; now = steady::now()) {
      if (stop_ != nullptr && std::atomic_ref{*const_cast<int*>(stop_)}.load(std::memory_order_relaxed) != 0) return;
      std::this_thread::sleep_for(std::min<steady::duration>(due_ - now, look_again));
    }
  }

  std::unique_ptr<device_session> host_;
  double per_subtask_;
  const int* stop_;
  steady::time_point due_{};
};

}  // namespace

paced_device::paced_device(device_id id, double rate, std::string name)
    : info_{describe_host(id, 1, std::move(name), "paced")}, rate_{rate}
{
  Expects(rate > 0);
}

std::unique_ptr<device_session> paced_device::open(const session_request& request)
{
  return std::make_unique<paced_session>(open_host_session(info_.id, request), rate_, request.stop);
}

}  // namespace fastgpu::inline v0::detail
