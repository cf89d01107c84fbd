#include "aggregate/partial.hpp"

#include <cstring>
#include <utility>

#include <gsl/assert>

namespace fastgpu::inline v0::detail {
namespace {

/// The spans that subtasks make up, or nothing where they are not whole ones.
std::optional<interval_set> spans_of(const interval_set& subtasks, const space_shape& shape)
{
  const auto within = (std::uint32_t{1} << shape.span_log2) - 1;
  interval_set spans;
  for (const auto& i : subtasks.intervals()) {
    if ((i.begin & within) != 0 || ((i.end & within) != 0 && i.end != shape.count)) return std::nullopt;
    spans.insert({i.begin >> shape.span_log2, ((i.end - 1) >> shape.span_log2) + 1});
  }
  return spans;
}

}  // namespace

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

std::vector<std::byte> partial::pack()
{
  Expects(!empty());
  const auto bytes_of = [](const void* from, std::size_t bytes) {
    const auto* begin = static_cast<const std::byte*>(from);
    return std::vector<std::byte>(begin, begin + bytes);
  };
  const auto* values = job_->code->values;
  switch (target_.kind) {
    case fold_kind::none: break;
    case fold_kind::single:
      Expects(target_.present);
      return bytes_of(target_.value, values->bytes * static_cast<std::size_t>(job_->width));
    case fold_kind::exact: {
      const auto nothing = allocate_aligned(values->exact_bytes, heap());
      values->exact_clear(nothing.get());
      values->exact_merge(target_.value, nothing.get());  // normalises
      target_.adds = 0;
      return bytes_of(target_.value, values->exact_bytes);
    }
    case fold_kind::ordered: forest_->compact(); return forest_->pack();
  }
  return {};
}

bool partial::unpack(std::span<const std::byte> packed, interval_set folded)
{
  Expects(empty() && !folded.empty());
  if (!unpack_values(packed, folded)) return false;
  fold_set_ = std::move(folded);
  return true;
}

bool partial::unpack_merged(std::span<const std::byte> numbers, interval_set folded)
{
  if (target_.kind != fold_kind::exact) return unpack(numbers, std::move(folded));
  Expects(empty() && !folded.empty());
  const auto* values = job_->code->values;
  if (numbers.size() != values->exact_bytes) return false;
  const auto state = allocate_aligned(numbers.size(), heap());
  std::memcpy(state.get(), numbers.data(), numbers.size());
  values->exact_merge(target_.value, state.get());
  fold_set_ = std::move(folded);
  return true;
}

bool partial::unpack_values(std::span<const std::byte> packed, const interval_set& folded)
{
  const auto* values = job_->code->values;
  switch (target_.kind) {
    case fold_kind::none: return packed.empty();
    case fold_kind::single:
      if (packed.size() != values->bytes * static_cast<std::size_t>(job_->width)) return false;
      std::memcpy(target_.value, packed.data(), packed.size());
      target_.present = true;
      return true;
    case fold_kind::exact: {
      if (packed.size() != values->exact_bytes) return false;
      // A normalised state stays as it is when it is normalised. Limbs of another could overflow when they merge.
      const auto state = allocate_aligned(packed.size(), heap());
      std::memcpy(state.get(), packed.data(), packed.size());
      values->exact_merge(target_.value, state.get());
      if (std::memcmp(target_.value, packed.data(), packed.size()) == 0) return true;
      values->exact_clear(target_.value);
      return false;
    }
    case fold_kind::ordered: {
      const auto spans = spans_of(folded, job_->shape);
      if (!spans || !forest_->unpack(packed)) return false;
      if (forest_->spans() == *spans) return true;
      forest_->clear();
      return false;
    }
  }
  return false;
}

}  // namespace fastgpu::inline v0::detail
