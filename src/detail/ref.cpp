#include <fastgpu/detail/ref.hpp>

#include <atomic>

namespace fastgpu::inline v0::detail {

ref_counted::~ref_counted() = default;

void ref_counted::retain() const noexcept { std::atomic_ref{count_}.fetch_add(1, std::memory_order_relaxed); }

void ref_counted::release() const noexcept
{
  // acq_rel: the deleting thread sees what every other owner wrote before it let go.
  if (std::atomic_ref{count_}.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

}  // namespace fastgpu::inline v0::detail
