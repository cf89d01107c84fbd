#include "device/host_device.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include <gsl/assert>

#include "device/numeric_class.hpp"

namespace fastgpu::inline v0::detail {
namespace {

/// Bytes that one block's staged slices need.
std::size_t staging_bytes_of(const job_data& job)
{
  std::int64_t tile[3];
  largest_tile(job.shape, tile);
  std::size_t bytes = 0;
  for (std::uint32_t i = 0; i < job.argument_count; ++i) {
    const auto& a = job.arguments[i];
    if (a.kind == argument_kind::slices && a.halo > 0) bytes += (staging_bytes(a, tile) + 63) / 64 * 64;
  }
  return bytes;
}

class host_session final : public device_session {
 public:
  host_session(device_id device, const session_request& request)
      : job_{*request.job},
        fold_{request.fold},
        context_{device, request.stop},
        memory_{*request.memory},
        staging_{allocate_aligned(staging_bytes_of(job_), memory_)}
  {
    context_.staging = staging_.get();
  }

  batch_status launch(interval batch) override
  {
    try {
      if (!open_) open_ = std::make_unique<partial>(job_, fold_, memory_);
    } catch (const std::bad_alloc&) {
      why_ = {make_error_code(errc::device_failed), "no memory for a partial"};
      return batch_status::failed;
    }
    if (!open_->fold(batch)) {
      return fail(errc::internal, batch.begin,
                  "subtask " + std::to_string(batch.begin) + " was about to be folded twice");
    }
    try {
      job_.code->run_host(job_, batch.begin, batch.end, open_->target(), context_);
    } catch (const std::exception& e) {
      return fail(errc::kernel_failed, context_.subtask, e.what());
    } catch (...) {
      return fail(errc::kernel_failed, context_.subtask, "an exception that is no std::exception");
    }
    counter_ += batch.size();
    return batch_status::done;
  }

  sealed_partial seal() override { return {std::exchange(open_, nullptr), std::exchange(counter_, 0)}; }

  const failure& why() const noexcept override { return why_; }
  std::uint32_t failed_subtask() const noexcept override { return failed_subtask_; }

 private:
  batch_status fail(errc code, std::uint32_t subtask, std::string detail)
  {
    why_ = {make_error_code(code), std::move(detail)};
    failed_subtask_ = subtask;
    return batch_status::kernel_failed;
  }

  const job_data& job_;
  fold_kind fold_;
  worker_context context_;
  memory_source& memory_;
  aligned_bytes staging_;
  std::unique_ptr<partial> open_;
  std::uint64_t counter_ = 0;
  failure why_;
  std::uint32_t failed_subtask_ = 0;
};

}  // namespace

device_info describe_host(device_id id, std::uint32_t threads, std::string name, std::string kind)
{
  device_info info;
  info.id = id;
  info.name = std::move(name);
  info.kind = std::move(kind);
  info.workers = threads;
  const auto pages = sysconf(_SC_PHYS_PAGES);
  const auto page = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0) info.memory_bytes = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page);
  info.numeric_class = host_numeric_class();
  return info;
}

host_device::host_device(device_id id, std::uint32_t threads, std::string name)
    : info_{describe_host(id, threads, std::move(name), "host")}
{
  Expects(threads >= 1);
}

std::unique_ptr<device_session> host_device::open(const session_request& request)
{
  return open_host_session(info_.id, request);
}

std::unique_ptr<device_session> open_host_session(device_id device, const session_request& request)
{
  return std::make_unique<host_session>(device, request);
}

void free_scratch(std::byte* scratch, std::size_t bytes) noexcept
{
  if (scratch != nullptr) heap().deallocate(scratch, bytes, memory_alignment);
}

worker_context::~worker_context() { free_scratch(scratch_, scratch_bytes_); }

void worker_context::throw_failure() const { throw std::runtime_error{failure_}; }

}  // namespace fastgpu::inline v0::detail

namespace fastgpu::inline v0 {

std::byte* host_context::scratch(std::size_t bytes)
{
  if (bytes > scratch_bytes_) {
    detail::free_scratch(std::exchange(scratch_, nullptr), std::exchange(scratch_bytes_, 0));
    scratch_ = static_cast<std::byte*>(detail::heap().allocate(bytes, detail::memory_alignment));
    scratch_bytes_ = bytes;
  }
  return scratch_;
}

bool host_context::stop_requested() const noexcept
{
  return stop_ != nullptr && std::atomic_ref{*const_cast<int*>(stop_)}.load(std::memory_order_relaxed) != 0;
}

void host_context::fail(const char* why) noexcept
{
  if (std::exchange(failed_, true)) return;
  std::strncpy(failure_, why, sizeof failure_ - 1);
}

}  // namespace fastgpu::inline v0
