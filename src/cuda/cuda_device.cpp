#include "cuda/cuda_device.hpp"

#include <new>
#include <utility>

#include <fastgpu/error.hpp>
#include <fastgpu/register.hpp>

#include "cuda/gpu_session.hpp"

namespace fastgpu::inline v0::detail {

cuda_device::cuda_device(device_id id, std::unique_ptr<gpu> on, std::string name, const gpu_options& options,
                         communicators_maker make_communicators)
    : on_{std::move(on)}, options_{options}, make_communicators_{std::move(make_communicators)}
{
  const auto& gpu = on_->properties();
  info_.id = id;
  info_.name = std::move(name);
  info_.kind = "cuda";
  info_.backend = "cuda";
  info_.workers = 1;
  info_.memory_bytes = gpu.memory_bytes;
  info_.compute_capability = gpu.compute_capability;
  info_.numeric_class = "cuda sm_" + std::to_string(gpu.compute_capability);
  info_.model = gpu.name;
  info_.multiprocessors = gpu.multiprocessors;
  info_.memory_bytes_a_second = gpu.memory_bytes_a_second;
  info_.pci_address = gpu.pci_address;
  info_.driver = gpu.driver;
}

std::unique_ptr<device_session> cuda_device::open(const session_request& request)
{
  if (lost_) throw error{errc::device_lost, *lost_};
  const auto* entry = find_gpu_entry(*request.job->code, "cuda");
  if (entry == nullptr) {
    throw error{errc::kernel_not_registered,
                "kernel '" + std::string{request.job->code->kernel} + "' has no entry for back end 'cuda'"};
  }
  try {
    on_->make_current();
    on_->check(entry->load(), "loading the kernel");
    if (!lanes_) lanes_.emplace(*on_, options_.lanes);
    wait_for_others();
    return std::make_unique<gpu_session>(*this, *entry, request);
  } catch (const gpu_error& e) {
    if (e.what_kind() == gpu_error::kind::lost) mark_lost(e.what());
    throw error{e.what_kind() == gpu_error::kind::out_of_memory ? errc::device_failed : errc::device_lost, e.what()};
  }
}

group_seat* cuda_device::seat()
{
  if (!make_communicators_) return nullptr;
  if (!seat_) seat_.emplace(member_id{info_.id.value}, *on_, make_communicators_(*on_));
  return &*seat_;
}

void cuda_device::start_after(gpu_event event)
{
  gpu_handle<gpu_event> owned{*on_, event};
  const std::scoped_lock lock{mutex_};
  start_after_.push_back(std::move(owned));
}

gpu_buffer cuda_device::take_buffer(gpu_memory_kind kind)
{
  const std::scoped_lock lock{mutex_};
  auto& spare = spare_[static_cast<int>(kind)];
  if (spare.empty()) return {*on_, kind};
  auto buffer = std::move(spare.back());
  spare.pop_back();
  return buffer;
}

void cuda_device::give_buffer(gpu_buffer&& buffer) noexcept
{
  if (buffer.bytes() == 0) return;
  try {
    const std::scoped_lock lock{mutex_};
    spare_[static_cast<int>(buffer.kind())].push_back(std::move(buffer));
  } catch (const std::bad_alloc&) {  // then it is freed where it is
  }
}

void cuda_device::release_buffers() noexcept
{
  const std::scoped_lock lock{mutex_};
  for (auto& spare : spare_) spare.clear();
}

void cuda_device::keep(gpu_buffer&& buffer) noexcept
{
  try {
    const std::scoped_lock lock{mutex_};
    kept_.push_back(std::move(buffer));
  } catch (const std::bad_alloc&) {  // as if it were quiet: there is nothing better
  }
}

void cuda_device::wait_for_others()
{
  std::vector<gpu_handle<gpu_event>> events;
  {
    const std::scoped_lock lock{mutex_};
    events.swap(start_after_);
  }
  for (const auto& event : events) {
    on_->wait(lanes_->in.get(), event.get());
    on_->wait(lanes_->out.get(), event.get());
    for (const auto& lane : lanes_->lanes) on_->wait(lane.get(), event.get());
  }
}

}  // namespace fastgpu::inline v0::detail
