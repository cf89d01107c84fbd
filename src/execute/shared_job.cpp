#include "execute/shared_job.hpp"

#include <algorithm>
#include <utility>

#include "detail/input_piece.hpp"
#include "node/job_description.hpp"
#include "node/job_pieces.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr double small_value_bytes = 1 << 20;   // partials up to here cost next to nothing to send
constexpr double large_value_seal_s = 30;

job_terms terms_of(const run_options& options)
{
  constexpr double for_ever_s = 1e9;  // an infinite time does not travel
  return {options.need,
          options.priority,
          static_cast<std::uint8_t>(options.batches.how),
          std::max(options.batches.size, 1u),
          std::min(options.batches.target.count, for_ever_s),
          std::min(options.subtask_timeout.count, for_ever_s)};
}

/// Partials that are large are sealed rarely: after K = sqrt(2 x cost x time between failures), for hours between.
double seal_every(const job_data& job, const run_options& options)
{
  if (options.seal_every.count == 0) return 0;
  const auto value_bytes = job.code->values == nullptr
                               ? 0.0
                               : static_cast<double>(job.code->values->bytes) * static_cast<double>(job.width);
  return value_bytes <= small_value_bytes ? options.seal_every.count
                                          : std::max(options.seal_every.count, large_value_seal_s);
}

}  // namespace

double input_bytes_of(const job_data& job)
{
  double bytes = 0;
  for (std::uint32_t i = 0; i < job.argument_count; ++i) {
    const auto& a = job.arguments[i];
    if (a.kind != argument_kind::slices) continue;
    double elements = 1;
    for (int d = 0; d < a.rank; ++d) elements *= static_cast<double>(a.extent[d]);
    bytes += elements * a.element_bytes;
  }
  return bytes;
}

shared_job::shared_job(ref<const job_storage> of, const run_options& options, fold_kind how,
                       const std::string& numeric_class, memory_source& from, std::uint64_t random_a,
                       std::uint64_t random_b)
    : job{std::move(of)}, fold{how}, memory{from}
{
  const auto& data = job->data;
  auto& m = description;
  m.what = describe_job(data, fold);
  for (std::size_t i = 0; i < m.epoch.size(); ++i) {
    m.epoch[i] = static_cast<std::uint8_t>((i < 8 ? random_a : random_b) >> (8 * (i % 8)));
  }
  m.seal_every_s = seal_every(data, options);
  m.numeric_class = numeric_class;
  m.terms = terms_of(options);
  if (auto why = why_not_sent(m)) throw error{*why};
  if (const auto bytes = input_bytes_of(data); bytes > 0) {
    const auto of_each = bytes / data.shape.count;
    const auto span = 1u << data.shape.span_log2;
    const auto n = std::clamp(input_piece_bytes / std::max(of_each, 1e-9), 1.0, 1e9);
    subtasks_of_data = (static_cast<std::uint32_t>(n) + span - 1) / span * span;
  }
  broadcasts_.resize(data.argument_count);
}

packed_piece shared_job::broadcast(std::uint32_t argument)
{
  const auto& data = job->data;
  if (argument >= data.argument_count || data.arguments[argument].kind != argument_kind::broadcast) return {};
  packed_piece piece;
  piece.where = whole_piece(data, argument);
  piece.bytes = broadcasts_[argument].lock();
  if (piece.bytes == nullptr) {
    piece.bytes = std::make_shared<const payload>(pack_piece(data, piece.where));
    broadcasts_[argument] = piece.bytes;
  }
  return piece;
}

}  // namespace fastgpu::inline v0::detail
