#include <fastgpu/job.hpp>

#include <algorithm>
#include <bit>
#include <string>

#include <fastgpu/error.hpp>

namespace fastgpu::inline v0::detail {
namespace {

constexpr std::uint32_t spans_log2 = 14;        // as many spans as keep a merge tree cheap
constexpr std::uint32_t large_spans_log2 = 10;  // for values that are large themselves
constexpr std::size_t large_value_bytes = 4096;

/// Subtasks in a span: a function of the job alone, so that every device merges in the same shape.
std::uint32_t choose_span_log2(const job_data& job)
{
  if (job.code->values == nullptr || job.code->values->order_free) return 0;
  const auto bytes = job.code->values->bytes * static_cast<std::size_t>(job.width);
  const auto wanted = bytes > large_value_bytes ? large_spans_log2 : spans_log2;
  const auto needed = static_cast<std::uint32_t>(std::bit_width(std::max(job.shape.count, 1u) - 1));
  return needed > wanted ? needed - wanted : 0;
}

struct byte_range {
  const std::byte* begin;
  const std::byte* end;
};

byte_range bytes_of(const argument& a)
{
  const auto* begin = static_cast<const std::byte*>(a.data);
  std::int64_t last = 0;  // offset of the last element
  for (int d = 0; d < a.rank; ++d) {
    if (a.extent[d] == 0) return {begin, begin};
    last += (a.extent[d] - 1) * a.stride[d];
  }
  return {begin, begin + static_cast<std::size_t>(last + 1) * a.element_bytes};
}

bool is_data(const argument& a)
{
  return a.kind == argument_kind::broadcast || a.kind == argument_kind::slices || a.kind == argument_kind::gather;
}

void check_extents(const job_data& job, std::uint32_t number)
{
  const auto& a = job.arguments[number];
  if (a.kind != argument_kind::slices && (a.kind != argument_kind::gather || a.free_shape)) return;
  const auto name = "argument " + std::to_string(number) + (a.kind == argument_kind::slices ? " (slices)" : " (gather)");
  if (a.rank != job.shape.rank) {
    throw error{errc::invalid_argument, name + " has " + std::to_string(a.rank) + " dimensions, the iteration space " +
                                            std::to_string(job.shape.rank)};
  }
  for (int d = 0; d < a.rank; ++d) {
    if (a.extent[d] != job.shape.dimensions[d].extent) {
      throw error{errc::invalid_argument, name + " has " + std::to_string(a.extent[d]) + " elements in dimension " +
                                              std::to_string(d) + ", the iteration space " +
                                              std::to_string(job.shape.dimensions[d].extent)};
    }
  }
}

void check_overlap(const job_data& job, std::uint32_t out)
{
  const auto written = bytes_of(job.arguments[out]);
  for (std::uint32_t i = 0; i < job.argument_count; ++i) {
    if (i == out || !is_data(job.arguments[i])) continue;
    const auto other = bytes_of(job.arguments[i]);
    // Compared as numbers: the pointers may be of different arrays.
    const auto begin = [](byte_range r) { return reinterpret_cast<std::uintptr_t>(r.begin); };
    const auto end = [](byte_range r) { return reinterpret_cast<std::uintptr_t>(r.end); };
    if (begin(written) < end(other) && begin(other) < end(written)) {
      throw error{errc::overlapping_data, "argument " + std::to_string(out) + " (gather) overlaps argument " +
                                              std::to_string(i)};
    }
  }
}

}  // namespace

void finish_job(job_data& job)
{
  for (std::uint32_t i = 0; i < job.argument_count; ++i) {
    const auto& a = job.arguments[i];
    if (is_data(a) && a.data == nullptr && bytes_of(a).begin != bytes_of(a).end) {
      throw error{errc::invalid_argument, "argument " + std::to_string(i) + " has elements and a null pointer"};
    }
    check_extents(job, i);
    if (a.kind == argument_kind::gather) check_overlap(job, i);
  }
  job.shape.span_log2 = choose_span_log2(job);
}

}  // namespace fastgpu::inline v0::detail
