#include "node/job_description.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include <fastgpu/detail/border.hpp>

#include "detail/batch_region.hpp"
#include "detail/programs.hpp"
#include "detail/sha256.hpp"
#include "net/codec.hpp"
#include "net/session.hpp"

namespace fastgpu::inline v0::detail {
namespace {

std::vector<std::byte> bytes_at(const void* from, std::size_t bytes)
{
  std::vector<std::byte> copy(bytes);
  if (bytes > 0) std::memcpy(copy.data(), from, bytes);
  return copy;
}

/// But for the hash of what is broadcast.
argument_description describe_argument(const argument& a)
{
  argument_description to;
  to.kind = static_cast<std::uint8_t>(a.kind);
  if (a.kind == argument_kind::tally) return to;
  to.element_bytes = a.element_bytes;
  if (a.kind == argument_kind::value) {
    to.value = bytes_at(a.data, a.element_bytes);
    return to;
  }
  to.rank = a.rank;
  for (int d = 0; d < a.rank; ++d) to.extent[d] = a.extent[d];
  if (a.kind == argument_kind::slices && a.halo > 0) {
    to.halo = a.halo;
    to.edge = a.edge;
    if (static_cast<border>(a.edge) == border::constant) to.fill = bytes_at(a.fill, a.element_bytes);
  }
  return to;
}

job_description describe_without_hashes(const job_data& job, fold_kind fold)
{
  const auto& code = *job.code;
  job_description to;
  to.kernel = code.kernel;
  to.signature = signature_of(code);
  to.kernel_bytes = bytes_at(job.kernel, code.kernel_bytes);
  to.operation_bytes = bytes_at(job.operation, code.operation_bytes);
  to.fold = static_cast<std::uint8_t>(fold);
  to.width = job.width;
  to.rank = job.shape.rank;
  to.subtasks = job.shape.count;
  to.span_log2 = job.shape.span_log2;
  for (int d = 0; d < 3; ++d) {
    const auto& dim = job.shape.dimensions[d];
    to.dimensions[d] = {dim.extent, dim.tiles, dim.size, dim.longer};
  }
  if (job.shape.bounds != nullptr) to.bounds.assign(job.shape.bounds, job.shape.bounds + job.shape.count + 1);
  for (std::uint32_t i = 0; i < job.argument_count; ++i) to.arguments.push_back(describe_argument(job.arguments[i]));
  return to;
}

}  // namespace

content_hash hash_of_data(const argument& a)
{
  sha256 hash;
  const auto whole = whole_of(a);
  if (count_of(whole) > 0) {
    const auto layout = layout_of(a, whole, whole);
    for_each_row(layout, [&](std::size_t at, std::size_t) {
      hash.add_bytes(static_cast<const std::byte*>(a.data) + at, layout.row_bytes);
    });
  }
  return hash.digest();
}

std::optional<failure> why_not_remote(const job_data& job)
{
  const auto& code = *job.code;
  if (*code.kernel == '\0') {
    return failure{make_error_code(errc::kernel_not_registered),
                   "this kernel has no registered name, so no node knows it: FASTGPU_REGISTER gives one"};
  }
  const auto kernel = "kernel '" + std::string{code.kernel} + "'";
  if (!code.travels) {
    return failure{make_error_code(errc::invalid_argument),
                   kernel +
                       " cannot be sent to nodes: it, its operation and its arguments by value must be trivially "
                       "copyable and aligned to 64 bytes at most"};
  }
  if (find_program(code.kernel, signature_of(code)) != &code) {
    return failure{make_error_code(errc::kernel_not_registered),
                   kernel +
                       " has several programs whose types read the same, so a node could take another: give their "
                       "operations named types"};
  }
  // What a message can hold, as users know it; the rest is why_not_sent()'s.
  constexpr auto list_max = wire_items_max - 1;
  constexpr auto object_bytes_max = wire_items_max;
  if (job.shape.bounds != nullptr && job.shape.count >= list_max) {
    return failure{make_error_code(errc::invalid_argument),
                   "a list of " + std::to_string(job.shape.count) + " subtasks with costs cannot be sent to nodes: 65,534 at "
                   "most"};
  }
  if (code.kernel_bytes > object_bytes_max || code.operation_bytes > object_bytes_max) {
    return failure{make_error_code(errc::invalid_argument),
                   kernel + " cannot be sent to nodes: it or its operation has more than 64 KiB; broadcast() its data"};
  }
  for (std::uint32_t i = 0; i < job.argument_count; ++i) {
    const auto& a = job.arguments[i];
    const auto argument = "argument " + std::to_string(i) + " of " + kernel;
    if (a.free_shape) {
      return failure{make_error_code(errc::invalid_argument),
                     argument + " is scatter(): nobody can tell what of it a node has written; use gather()"};
    }
    if (a.where.kind == memory_kind::device) {
      return failure{make_error_code(errc::invalid_argument),
                     argument + " lies in GPU memory, which cannot be sent to nodes"};
    }
    if (a.kind == argument_kind::value && a.element_bytes > object_bytes_max) {
      return failure{make_error_code(errc::invalid_argument),
                     argument + " cannot be sent to nodes: by value it has more than 64 KiB; broadcast() it"};
    }
    const auto broadcast_bytes_max = session_limits{}.payload_bytes;
    if (a.kind == argument_kind::broadcast &&
        static_cast<std::uint64_t>(count_of(whole_of(a))) > broadcast_bytes_max / std::max(a.element_bytes, 1u)) {
      return failure{make_error_code(errc::invalid_argument),
                     argument + " cannot be sent to nodes: broadcast(), it has more than 16 GiB"};
    }
  }
  open_job alone;
  alone.what = describe_without_hashes(job, fold_kind::none);
  return why_not_sent(alone);
}

std::optional<failure> why_not_sent(const open_job& what)
{
  const auto why_not = [&](const std::string& why) {
    return failure{make_error_code(errc::invalid_argument),
                   "kernel '" + what.what.kernel + "' cannot be sent to nodes: " + why};
  };
  const message whole{what};
  if (const auto breach = out_of_bounds(whole); !breach.empty()) return why_not(breach);
  const auto bytes = encode(whole).size();
  const auto bytes_max = session_limits{}.frame_bytes;
  if (bytes > bytes_max) {
    return why_not("its description has " + std::to_string(bytes) + " bytes, " + std::to_string(bytes_max) +
                   " at most; broadcast() its data");
  }
  return std::nullopt;
}

job_description describe_job(const job_data& job, fold_kind fold)
{
  if (auto why = why_not_remote(job)) throw error{*why};
  auto to = describe_without_hashes(job, fold);
  for (std::uint32_t i = 0; i < job.argument_count; ++i) {
    const auto& a = job.arguments[i];
    if (a.kind == argument_kind::broadcast) to.arguments[i].content = hash_of_data(a);
  }
  return to;
}

space_shape shape_of(const job_description& job)
{
  space_shape shape;
  shape.rank = job.rank;
  shape.count = job.subtasks;
  shape.span_log2 = job.span_log2;
  for (int d = 0; d < job.rank; ++d) {
    const auto& dim = job.dimensions[d];
    shape.dimensions[d] = {dim.extent, dim.tiles, dim.size, dim.longer};
  }
  if (!job.bounds.empty()) {
    ref<cost_table> table{new cost_table};
    table->bounds = job.bounds;
    // The costs stay at home. Its subtasks were cut to cost about the same.
    for (std::size_t i = 0; i < job.bounds.size(); ++i) table->prefix.push_back(static_cast<double>(i));
    shape.bounds = table->bounds.data();
    shape.costs = table;
  }
  return shape;
}

bool is_range_of(const job_data& job, interval range) noexcept
{
  const auto within = (std::uint32_t{1} << job.shape.span_log2) - 1;
  return range.begin < range.end && range.end <= job.shape.count && (range.begin & within) == 0 &&
         ((range.end & within) == 0 || range.end == job.shape.count);
}

}  // namespace fastgpu::inline v0::detail
