#include "device/faulty_device.hpp"

#include <atomic>
#include <chrono>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "device/host_device.hpp"

namespace fastgpu::inline v0::detail {
namespace {

class faulty_session final : public device_session {
 public:
  faulty_session(std::unique_ptr<device_session> host, const fault_plan& plan, std::uint64_t run)
      : host_{std::move(host)}, plan_{plan}, random_{plan.seed * 0x9e3779b97f4a7c15 + run}
  {
    if (draw() < plan_.die_share) dies_at_ = 1 + random_() % plan_.die_within;
  }

  batch_status launch(interval batch) override
  {
    why_ = {};
    const auto before = std::exchange(started_, started_ + batch.size());
    if (before < dies_at_ && dies_at_ <= started_) {
      // Half of the batch is computed, and folded into a partial that nobody will see.
      if (batch.size() > 1 &&
          host_->launch({batch.begin, batch.begin + batch.size() / 2}) == batch_status::kernel_failed) {
        return batch_status::kernel_failed;
      }
      why_ = blame_seed(errc::device_lost, "died");
      return batch_status::lost;
    }
    const auto luck = draw();
    if (luck < plan_.fail_share) {
      why_ = blame_seed(errc::device_failed, "refused a batch");
      return batch_status::failed;
    }
    if (luck < plan_.fail_share + plan_.stall_share) {
      std::this_thread::sleep_for(std::chrono::duration<double, std::milli>{plan_.stall_ms * draw()});
    }
    return host_->launch(batch);
  }

  sealed_partial seal() override { return host_->seal(); }
  const failure& why() const noexcept override { return why_.code ? why_ : host_->why(); }
  std::uint32_t failed_subtask() const noexcept override { return host_->failed_subtask(); }

 private:
  failure blame_seed(errc code, const char* what) const
  {
    return {make_error_code(code),
            std::string{"the faulty device "} + what + ", as its seed " + std::to_string(plan_.seed) + " has it"};
  }
  double draw() { return std::uniform_real_distribution<double>{0, 1}(random_); }

  std::unique_ptr<device_session> host_;
  fault_plan plan_;
  std::mt19937_64 random_;
  std::uint64_t started_ = 0;  // subtasks
  std::uint64_t dies_at_ = 0;  // never
  failure why_;
};

}  // namespace

faulty_device::faulty_device(device_id id, fault_plan plan, std::string name)
    : info_{describe_host(id, 1, std::move(name), "faulty")}, plan_{plan}
{
}

std::unique_ptr<device_session> faulty_device::open(const session_request& request)
{
  const auto run = std::atomic_ref{runs_}.fetch_add(1, std::memory_order_relaxed);
  return std::make_unique<faulty_session>(open_host_session(info_.id, request), plan_, run);
}

}  // namespace fastgpu::inline v0::detail
