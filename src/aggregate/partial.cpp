#include "aggregate/partial.hpp"

#include <cstring>
#include <utility>

#include <gsl/assert>

namespace fastgpu::inline v0::detail {

partial::partial(const job_data& job, fold_kind kind, memory_source& memory) : job_{&job}
{
  target_.kind = kind;
  if (kind == fold_kind::none) return;
  const auto& values = *job.code->values;
  const auto bytes = values.bytes * static_cast<std::size_t>(job.width);
  switch (kind) {
    case fold_kind::none: break;
    case fold_kind::single:
      value_ = allocate_aligned(bytes, memory);
      target_.value = value_.get();
      if (job.code->vector_value) values.identity(target_.value, job.width);
      break;
    case fold_kind::exact:
      value_ = allocate_aligned(values.exact_bytes, memory);
      target_.value = value_.get();
      values.exact_clear(target_.value);
      break;
    case fold_kind::ordered:
      if (job.code->vector_value) {
        span_value_ = allocate_aligned(2 * bytes, memory);
        target_.span_value = span_value_.get();
      }
      forest_.emplace(values, job.operation, job.width,
                      ((job.shape.count - 1) >> job.shape.span_log2) + 1, memory);
      target_.forest = &*forest_;
      target_.push = [](void* to, std::uint32_t span, const void* value) {
        static_cast<forest*>(to)->push(span, value);
      };
      break;
  }
}

void partial::absorb(partial&& other)
{
  Expects(other.target_.kind == target_.kind);
  fold_set_.insert(other.fold_set_);
  const auto* values = job_->code->values;
  switch (target_.kind) {
    case fold_kind::none: break;
    case fold_kind::single:
      if (!other.target_.present) break;
      if (target_.present) {
        values->merge(job_->operation, target_.value, other.target_.value, job_->width);
      } else {
        std::memcpy(target_.value, other.target_.value, values->bytes * static_cast<std::size_t>(job_->width));
        target_.present = true;
      }
      break;
    case fold_kind::exact: values->exact_merge(target_.value, other.target_.value); break;
    case fold_kind::ordered: forest_->absorb(std::move(*other.forest_)); break;
  }
}

void partial::value(void* to)
{
  const auto* values = job_->code->values;
  const auto bytes = values->bytes * static_cast<std::size_t>(job_->width);
  switch (target_.kind) {
    case fold_kind::none: break;
    case fold_kind::single: std::memcpy(to, target_.value, bytes); break;
    case fold_kind::exact: values->exact_value(target_.value, to); break;
    case fold_kind::ordered: std::memcpy(to, forest_->root(), bytes); break;
  }
}

}  // namespace fastgpu::inline v0::detail
