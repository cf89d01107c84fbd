#include "execute/checkpoint_format.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "detail/crc32c.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr char magic[8] = {'F', 'G', 'P', 'U', 'C', 'K', 'P', '\n'};
constexpr std::size_t prologue_bytes = 24;  // magic, format, length, CRC of all but itself, nothing
constexpr std::size_t head_bytes = 16;      // of a record: length of its body, kind, CRC
constexpr std::size_t alignment = 16;
constexpr std::uint64_t header_bytes_max = 1 << 16;
constexpr std::uint32_t kind_partial = 1;

[[noreturn]] void refuse(std::string why) { throw error{errc::checkpoint_error, std::move(why)}; }

void put(std::vector<std::byte>& to, std::uint64_t number, int bytes)
{
  for (int i = 0; i < bytes; ++i) to.push_back(static_cast<std::byte>(number >> (8 * i) & 255));
}
void put(std::vector<std::byte>& to, const std::string& text)
{
  put(to, text.size(), 4);
  for (const char c : text) to.push_back(static_cast<std::byte>(c));
}
void put_at(std::vector<std::byte>& to, std::size_t at, std::uint32_t number)
{
  for (std::size_t i = 0; i < 4; ++i) to[at + i] = static_cast<std::byte>(number >> (8 * i) & 255);
}

/// Takes bytes apart from their front. What is missing is 0, and said by whole().
class taker {
 public:
  explicit taker(std::span<const std::byte> from) : left_{from} {}

  std::uint64_t number(std::size_t bytes)
  {
    const auto taken = take(bytes);
    std::uint64_t n = 0;
    for (std::size_t i = 0; i < taken.size(); ++i) n |= static_cast<std::uint64_t>(taken[i]) << (8 * i);
    return n;
  }
  std::uint32_t number32() { return static_cast<std::uint32_t>(number(4)); }
  std::string text()
  {
    const auto taken = take(number32());
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }
  void hash(checkpoint_identity::hash& to)
  {
    const auto taken = take(to.size());
    if (!taken.empty()) std::memcpy(to.data(), taken.data(), taken.size());
  }
  [[nodiscard]] bool whole() const { return whole_; }
  [[nodiscard]] std::span<const std::byte> left() const { return left_; }

 private:
  std::span<const std::byte> take(std::size_t bytes)
  {
    if (bytes > left_.size()) {
      whole_ = false;
      bytes = 0;
    }
    const auto taken = left_.first(bytes);
    left_ = left_.subspan(bytes);
    return taken;
  }
  std::span<const std::byte> left_;
  bool whole_ = true;
};

std::vector<std::byte> read(const checkpoint_bytes& from, std::uint64_t at, std::uint64_t bytes)
{
  std::vector<std::byte> to(static_cast<std::size_t>(bytes));
  if (bytes > 0) from.read(at, to);
  return to;
}

std::uint32_t header_crc(std::span<const std::byte> header)
{
  return crc32c(header.subspan(prologue_bytes), crc32c(header.first(16)));
}

bool whole_spans(interval range, checkpoint_shape shape)
{
  const auto within = (std::uint64_t{1} << shape.span_log2) - 1;
  return range.begin < range.end && range.end <= shape.subtasks && (range.begin & within) == 0 &&
         ((range.end & within) == 0 || range.end == shape.subtasks);
}

interval_set read_fold_set(taker& body, checkpoint_shape shape, const std::string& name)
{
  interval_set set;
  const auto count = body.number32();
  if (count == 0 || count > body.left().size() / 8) refuse(name + " names no subtasks");
  for (std::uint32_t i = 0, end = 0; i < count; ++i) {
    interval range;
    range.begin = body.number32();
    range.end = body.number32();
    if (range.begin < end || !whole_spans(range, shape)) refuse(name + " names subtasks that are no spans of the job");
    end = range.end;
    set.insert(range);
  }
  return set;
}

/// A record's first 16 bytes.
struct record_head {
  std::uint64_t length = 0;  // of the body
  std::uint32_t kind = 0;
  bool right = false;        // its CRC is

  [[nodiscard]] bool known() const { return kind == kind_partial && length >= 16 && length % alignment == 0; }
};

record_head take_head(std::span<const std::byte> bytes, const checkpoint_header& header)
{
  taker from{bytes};
  record_head head;
  head.length = from.number(8);
  head.kind = from.number32();
  head.right = from.number32() == crc32c(bytes.first(12), header.crc);
  return head;
}

/// Whether another record begins at `at` or behind it. Where none does, what was wrong before is the file's end: the one
/// record that may be there in part, any of its sectors with zeros or what the disk had there before.
bool record_follows(const checkpoint_bytes& from, const checkpoint_header& header, std::uint64_t at)
{
  while (at < from.size() && from.size() - at >= head_bytes) {
    const auto size = std::min<std::uint64_t>((from.size() - at) / alignment * alignment, 1 << 16);
    const auto some = read(from, at, size);
    for (std::size_t i = 0; i < some.size(); i += alignment) {
      const auto head = take_head(std::span{some}.subspan(i, head_bytes), header);
      if (head.right && head.known()) return true;
    }
    at += size;
  }
  return false;
}

}  // namespace

std::string why_not_resume(const checkpoint_identity& saved, const checkpoint_identity& mine)
{
  if (saved.library != mine.library || saved.build != mine.build) {
    return "it was written by fastgpu " + saved.library + " (" + saved.build + "), this is " + mine.library + " (" +
           mine.build + ")";
  }
  if (saved.program != mine.program) return "it was written by another program, or another build of this one";
  if (saved.job != mine.job) return "it is of another job, or of other input";
  // A run that mixes classes, or does not depend on them, says none.
  if (!mine.numeric_class.empty() && saved.numeric_class != mine.numeric_class) {
    return "its values are of devices that round differently ('" + saved.numeric_class + "', here '" +
           mine.numeric_class + "')";
  }
  return {};
}

std::vector<std::byte> encode_header(const checkpoint_identity& identity)
{
  std::vector<std::byte> to;
  for (const char c : magic) to.push_back(static_cast<std::byte>(c));
  put(to, checkpoint_format, 4);
  put(to, 0, 4);  // the length
  put(to, 0, 8);  // the CRC, and nothing
  for (const auto* hash : {&identity.job, &identity.program}) {
    for (const auto b : *hash) to.push_back(static_cast<std::byte>(b));
  }
  put(to, identity.library);
  put(to, identity.build);
  put(to, identity.numeric_class);
  to.resize((to.size() + alignment - 1) / alignment * alignment);
  put_at(to, 12, static_cast<std::uint32_t>(to.size()));
  put_at(to, 16, header_crc(to));
  return to;
}

checkpoint_header read_header(const checkpoint_bytes& from)
{
  if (from.size() < prologue_bytes) refuse("it is no checkpoint of fastgpu");
  const auto prologue = read(from, 0, prologue_bytes);
  if (std::memcmp(prologue.data(), magic, sizeof magic) != 0) refuse("it is no checkpoint of fastgpu");
  taker first{std::span{prologue}.subspan(sizeof magic)};
  const auto format = first.number32();
  const auto bytes = first.number32();
  checkpoint_header header;
  header.crc = first.number32();
  if (format != checkpoint_format) {
    refuse("its format is " + std::to_string(format) + ", this library writes and reads " +
           std::to_string(checkpoint_format));
  }
  if (bytes < prologue_bytes || bytes > std::min(header_bytes_max, from.size()) || bytes % alignment != 0 ||
      first.number32() != 0) {
    refuse("its header is damaged");
  }
  const auto all = read(from, 0, bytes);
  if (header_crc(all) != header.crc) refuse("its header is damaged");
  taker rest{std::span{all}.subspan(prologue_bytes)};
  rest.hash(header.identity.job);
  rest.hash(header.identity.program);
  header.identity.library = rest.text();
  header.identity.build = rest.text();
  header.identity.numeric_class = rest.text();
  if (!rest.whole() || rest.left().size() >= alignment) refuse("its header is damaged");
  header.bytes = bytes;
  return header;
}

record_frame frame_record(const checkpoint_header& header, const interval_set& fold_set,
                          std::span<const std::byte> payload)
{
  const auto& ranges = fold_set.intervals();
  const auto used = 16 + 8 * ranges.size() + payload.size();
  const auto body = (used + alignment - 1) / alignment * alignment;
  record_frame frame;
  auto& to = frame.before;
  to.reserve(head_bytes + 16 + 8 * ranges.size());
  put(to, body, 8);
  put(to, kind_partial, 4);
  put(to, crc32c(to, header.crc), 4);
  put(to, 0, 4);  // the body's CRC
  put(to, payload.size(), 8);
  put(to, ranges.size(), 4);
  for (const auto& range : ranges) {
    put(to, range.begin, 4);
    put(to, range.end, 4);
  }
  frame.after.resize(body - used);
  auto crc = crc32c(std::span{to}.subspan(head_bytes + 4), header.crc);
  crc = crc32c(frame.after, crc32c(payload, crc));
  put_at(to, head_bytes, crc);
  return frame;
}

checkpoint_contents read_records(const checkpoint_bytes& from, const checkpoint_header& header, checkpoint_shape shape,
                                 const record_visitor& visit)
{
  checkpoint_contents contents;
  auto at = header.bytes;
  contents.bytes = at;
  while (from.size() - at >= head_bytes) {
    const auto name = "record " + std::to_string(contents.records + 1);
    const auto damaged = name + " is damaged";
    const auto head = take_head(read(from, at, head_bytes), header);
    if (!head.right) {
      if (!record_follows(from, header, at + alignment)) break;
      refuse(damaged);
    }
    if (!head.known()) refuse(damaged);
    const auto left = from.size() - at - head_bytes;
    if (head.length > left) break;  // cut short
    const auto end = at + head_bytes + head.length;
    auto bytes = read(from, at + head_bytes, head.length);
    taker body{bytes};
    if (body.number32() != crc32c(std::span{bytes}.subspan(4), header.crc)) {
      if (!record_follows(from, header, end)) break;
      refuse(damaged);
    }
    const auto payload_bytes = body.number(8);
    const auto fold_set = read_fold_set(body, shape, name);
    const auto behind = body.left().size();
    if (payload_bytes > behind || behind - payload_bytes >= alignment) refuse(damaged);
    for (const auto& range : fold_set.intervals()) {
      if (!contents.saved.try_insert(range)) refuse(name + " has subtasks that were saved before");
    }
    if (visit) {
      bytes.erase(bytes.begin(), bytes.end() - static_cast<std::ptrdiff_t>(behind));
      bytes.resize(static_cast<std::size_t>(payload_bytes));
      visit(fold_set, std::move(bytes));
    }
    ++contents.records;
    contents.bytes = at = end;
  }
  return contents;
}

}  // namespace fastgpu::inline v0::detail
