#include "node/job_pieces.hpp"

#include <algorithm>

#include <gsl/assert>

#include "detail/batch_region.hpp"

namespace fastgpu::inline v0::detail {
namespace {

box clipped(box region, const argument& a)
{
  for (int d = 0; d < a.rank; ++d) {
    region.begin[d] = std::max<std::int64_t>(region.begin[d], 0);
    region.end[d] = std::min(region.end[d], a.extent[d]);
  }
  return region;
}

bool intersect(const box& a, const box& b)
{
  for (int d = 0; d < 3; ++d) {
    if (a.begin[d] >= b.end[d] || b.begin[d] >= a.end[d]) return false;
  }
  return true;
}

/// Adds what of `region` is not in `taken`: first the slabs before and behind it in dimension 0, then in the next.
void add_difference(box region, const box& taken, std::vector<box>& to)
{
  for (int d = 0; d < 3; ++d) {
    if (region.begin[d] < taken.begin[d]) {
      auto before = region;
      before.end[d] = taken.begin[d];
      to.push_back(before);
      region.begin[d] = taken.begin[d];
    }
    if (taken.end[d] < region.end[d]) {
      auto behind = region;
      behind.begin[d] = taken.end[d];
      to.push_back(behind);
      region.end[d] = taken.end[d];
    }
  }
}

/// Takes `taken` out of each of `boxes`.
void subtract(std::vector<box>& boxes, const box& taken)
{
  if (std::none_of(boxes.begin(), boxes.end(), [&](const box& b) { return intersect(b, taken); })) return;
  std::vector<box> rest;
  for (const auto& b : boxes) {
    if (intersect(b, taken)) {
      add_difference(b, taken, rest);
    } else {
      rest.push_back(b);
    }
  }
  boxes = std::move(rest);
}

/// What subtasks `range` read of `a`. Borders mirror or repeat what is inside, and no further in than the halo reaches.
std::vector<box> reads_of(const space_shape& shape, const argument& a, interval range)
{
  auto boxes = boxes_of(shape, range.begin, range.end);
  for (auto& b : boxes) b = clipped(grown(b, a.halo, a.rank), a);
  return boxes;
}

/// Cuts across the outermost dimension that can be cut, so that pieces are runs of whole rows.
void add_pieces(const argument& a, std::uint32_t number, const box& part, std::uint64_t bytes_max,
                std::vector<job_data_piece>& to)
{
  const auto bytes = static_cast<std::uint64_t>(count_of(part)) * a.element_bytes;
  int cut = 0;
  while (cut < 3 && part.end[cut] - part.begin[cut] <= 1) ++cut;
  if (bytes <= bytes_max || cut == 3) {
    job_data_piece piece;
    piece.argument = number;
    std::copy(std::begin(part.begin), std::end(part.begin), piece.begin);
    std::copy(std::begin(part.end), std::end(part.end), piece.end);
    to.push_back(piece);
    return;
  }
  const auto slices = part.end[cut] - part.begin[cut];
  const auto slice_bytes = bytes / static_cast<std::uint64_t>(slices);
  const auto step = std::max<std::int64_t>(1, static_cast<std::int64_t>(bytes_max / slice_bytes));
  for (auto at = part.begin[cut]; at < part.end[cut]; at += step) {
    auto slab = part;
    slab.begin[cut] = at;
    slab.end[cut] = std::min(at + step, part.end[cut]);
    add_pieces(a, number, slab, bytes_max, to);
  }
}

/// `range` without what is in `sent`.
interval_set rest_of(interval range, const interval_set& sent)
{
  interval_set rest{range};
  rest.erase(sent);
  return rest;
}

}  // namespace

std::vector<job_data_piece> pieces_for(const job_data& job, interval range, interval_set& sent, std::uint64_t bytes_max)
{
  Expects(range.begin < range.end && range.end <= job.shape.count);
  std::vector<job_data_piece> pieces;
  const auto fresh = rest_of(range, sent);
  for (std::uint32_t i = 0; i < job.argument_count; ++i) {
    const auto& a = job.arguments[i];
    if (a.kind != argument_kind::slices) continue;
    std::vector<box> needed;
    for (const auto& part : fresh.intervals()) {
      for (const auto& read : reads_of(job.shape, a, part)) {
        if (a.halo > 0) subtract(needed, read);  // else blocks are disjoint
        needed.push_back(read);
      }
    }
    if (a.halo > 0) {
      for (const auto& part : sent.intervals()) {
        for (const auto& read : reads_of(job.shape, a, part)) subtract(needed, read);
      }
    }
    for (const auto& part : needed) add_pieces(a, i, part, bytes_max, pieces);
  }
  sent.insert(range);
  return pieces;
}

job_data_piece whole_piece(const job_data& job, std::uint32_t argument)
{
  Expects(argument < job.argument_count && job.arguments[argument].kind == argument_kind::broadcast);
  const auto whole = whole_of(job.arguments[argument]);
  job_data_piece piece;
  piece.argument = argument;
  std::copy(std::begin(whole.begin), std::end(whole.begin), piece.begin);
  std::copy(std::begin(whole.end), std::end(whole.end), piece.end);
  return piece;
}

payload pack_piece(const job_data& job, const job_data_piece& piece)
{
  const auto& a = job.arguments[piece.argument];
  box part;
  std::copy(std::begin(piece.begin), std::end(piece.begin), part.begin);
  std::copy(std::begin(piece.end), std::end(piece.end), part.end);
  payload bytes(static_cast<std::size_t>(count_of(part)) * a.element_bytes);
  if (!bytes.empty()) copy_in(a, part, part, bytes.data());
  return bytes;
}

}  // namespace fastgpu::inline v0::detail
