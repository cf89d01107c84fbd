#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "detail/crc32c.hpp"
#include "execute/checkpoint_format.hpp"
#include "execute/memory_checkpoint.hpp"
#include "fuzz/target.hpp"

/// @file
/// Bytes as a checkpoint: the first says whether its CRCs are put right before it is read, since a fuzzer finds none by
/// itself; then the job's shape. What is read must be disjoint spans of the job, and the same when it is written again.

namespace {

namespace inside = fastgpu::detail;
using bytes = std::vector<std::byte>;

std::uint64_t number_at(const bytes& from, std::size_t at, int size)
{
  std::uint64_t n = 0;
  for (int i = 0; i < size; ++i) n |= static_cast<std::uint64_t>(from[at + static_cast<std::size_t>(i)]) << (8 * i);
  return n;
}
void put_at(bytes& to, std::size_t at, std::uint32_t n)
{
  for (std::size_t i = 0; i < 4; ++i) to[at + i] = static_cast<std::byte>(n >> (8 * i) & 255);
}

/// All CRCs right, as far as lengths lead.
void mend(bytes& file)
{
  if (file.size() < 24) return;
  const auto header = number_at(file, 12, 4);
  if (header < 24 || header > file.size()) return;
  const std::span all{file};
  const auto crc = inside::crc32c(all.subspan(24, header - 24), inside::crc32c(all.first(16)));
  put_at(file, 16, crc);
  for (std::size_t at = header; file.size() - at >= 16;) {
    put_at(file, at + 12, inside::crc32c(all.subspan(at, 12), crc));
    const auto length = number_at(file, at, 8);
    at += 16;
    if (length > file.size() - at) return;
    if (length >= 4) put_at(file, at, inside::crc32c(all.subspan(at + 4, length - 4), crc));
    at += length;
  }
}

}  // namespace

void fuzz::checkpoint(std::span<const std::byte> input)
{
  reader from{input};
  const bool mended = (from.byte() & 1) != 0;
  const auto span_log2 = static_cast<std::uint32_t>(from.byte() % 32);
  const inside::checkpoint_shape shape{static_cast<std::uint32_t>(from.number()), span_log2};
  const auto rest = from.bytes(input.size());
  bytes file{rest.begin(), rest.end()};
  if (mended) mend(file);

  std::optional<inside::checkpoint_header> header;
  inside::checkpoint_contents read;
  bytes again;
  try {
    const support::memory_checkpoint all{file};
    header = inside::read_header(all);
    again.assign(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(header->bytes));
    read = inside::read_records(all, *header, shape, [&](const inside::interval_set& fold_set, bytes&& payload) {
      require(!fold_set.empty() && fold_set.intervals().back().end <= shape.subtasks);
      const auto frame = inside::frame_record(*header, fold_set, payload);
      again.insert(again.end(), frame.before.begin(), frame.before.end());
      again.insert(again.end(), payload.begin(), payload.end());
      again.insert(again.end(), frame.after.begin(), frame.after.end());
    });
  } catch (const fastgpu::error& e) {
    require(e.code() == fastgpu::errc::checkpoint_error && *e.what() != '\0');
    return;
  }
  require(read.bytes <= file.size() && read.saved.count() <= shape.subtasks);
  const support::memory_checkpoint copy{again};
  const auto same = inside::read_records(copy, *header, shape, nullptr);
  require(same.saved == read.saved && same.records == read.records && same.bytes == again.size());
}
