#include "execute/checkpoint_format.hpp"  // first: shows that the header stands alone

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "detail/crc32c.hpp"
#include "execute/memory_checkpoint.hpp"
#include "support/failure_of.hpp"
#include "support/splitmix.hpp"

/// @file
/// Checkpoints as bytes, whole and damaged in every way. What is read back is what was written, or part of it; or it is
/// refused.

namespace {

using fastgpu::errc;
using fastgpu::interval;
using fastgpu::detail::checkpoint_header;
using fastgpu::detail::checkpoint_identity;
using fastgpu::detail::checkpoint_shape;
using fastgpu::detail::encode_header;
using fastgpu::detail::frame_record;
using fastgpu::detail::interval_set;
using fastgpu::detail::read_header;
using fastgpu::detail::read_records;
using fastgpu::detail::why_not_resume;
using support::memory_checkpoint;
using bytes = std::vector<std::byte>;

using saved_record = std::pair<interval_set, bytes>;
constexpr checkpoint_shape shape{103, 2};

checkpoint_identity someone()
{
  checkpoint_identity who;
  for (std::size_t i = 0; i < 32; ++i) {
    who.job[i] = static_cast<std::uint8_t>(i);
    who.program[i] = static_cast<std::uint8_t>(100 + i);
  }
  who.library = "1.2.3";
  who.build = "a compiler";
  who.numeric_class = "host";
  return who;
}

bytes noise(std::size_t size)
{
  bytes b(size);
  for (std::size_t i = 0; i < size; ++i) b[i] = static_cast<std::byte>(support::mix(i + 7 * size + 1));
  return b;
}

interval_set set_of(const std::vector<interval>& ranges)
{
  interval_set set;
  for (const auto& range : ranges) set.insert(range);
  return set;
}

std::vector<saved_record> some_records()
{
  return {{set_of({{0, 8}, {20, 24}}), noise(40)},
          {set_of({{8, 20}}), noise(1)},
          {set_of({{24, 48}, {100, 103}}), noise(100)},
          {set_of({{48, 52}}), {}}};
}

void append(bytes& to, std::span<const std::byte> more) { to.insert(to.end(), more.begin(), more.end()); }

/// A file, and where its records end.
struct written {
  bytes all;
  std::vector<std::size_t> ends;  // of the header, too
};

written write(const std::vector<saved_record>& records)
{
  written file{encode_header(someone()), {}};
  file.ends.push_back(file.all.size());
  const auto header = read_header(memory_checkpoint{file.all});
  for (const auto& [fold_set, payload] : records) {
    const auto frame = frame_record(header, fold_set, payload);
    append(file.all, frame.before);
    append(file.all, payload);
    append(file.all, frame.after);
    file.ends.push_back(file.all.size());
  }
  return file;
}

/// How many records are read back, all of them those that were written. -1: refused.
int read_back(const bytes& file, const std::vector<saved_record>& records)
{
  const memory_checkpoint from{file};
  try {
    const auto header = read_header(from);
    EXPECT_EQ(header.identity, someone());
    std::size_t n = 0;
    const auto contents = read_records(from, header, shape, [&](const interval_set& fold_set, bytes&& payload) {
      ASSERT_LT(n, records.size());
      EXPECT_EQ(fold_set, records[n].first);
      EXPECT_EQ(payload, records[n].second);
      ++n;
    });
    EXPECT_EQ(contents.records, n);
    EXPECT_LE(contents.bytes, file.size());
    return static_cast<int>(n);
  } catch (const fastgpu::error& e) {
    EXPECT_EQ(e.code(), errc::checkpoint_error);
    EXPECT_EQ(std::string{e.what()}.find('\n'), std::string::npos);
    return -1;
  }
}

TEST(Crc32c, HasItsPublishedValues)
{
  const auto of = [](std::vector<int> numbers) {
    bytes b;
    for (const auto n : numbers) b.push_back(static_cast<std::byte>(n));
    return fastgpu::detail::crc32c(b);
  };
  EXPECT_EQ(of(std::vector<int>(32, 0)), 0x8a9136aau);  // RFC 3720, B.4
  EXPECT_EQ(of(std::vector<int>(32, 255)), 0x62a8ab43u);
  EXPECT_EQ(of({'1', '2', '3', '4', '5', '6', '7', '8', '9'}), 0xe3069283u);
}

TEST(Crc32c, TakesBytesInPieces)
{
  const auto all = noise(1000);
  const auto whole = fastgpu::detail::crc32c(all);
  for (std::size_t cut = 0; cut < all.size(); cut += 13) {
    const auto first = fastgpu::detail::crc32c(std::span{all}.first(cut));
    EXPECT_EQ(fastgpu::detail::crc32c(std::span{all}.subspan(cut), first), whole);
  }
}

TEST(CheckpointFormat, GivesBackWhatWasWritten)
{
  const auto records = some_records();
  const auto file = write(records);
  EXPECT_EQ(read_back(file.all, records), 4);
  EXPECT_EQ(read_back(write({}).all, {}), 0);
  const memory_checkpoint from{file.all};
  const auto contents = read_records(from, read_header(from), shape, nullptr);
  EXPECT_EQ(contents.saved, set_of({{0, 52}, {100, 103}}));
  EXPECT_EQ(contents.bytes, file.all.size());
  for (const auto end : file.ends) EXPECT_EQ(end % 16, 0);
}

TEST(CheckpointFormat, LeavesOutALastRecordThatWasCutShort)
{
  const auto records = some_records();
  const auto file = write(records);
  for (std::size_t size = 0; size < file.all.size(); ++size) {
    int whole = -1;  // records up to there; a header that is cut is refused
    for (const auto end : file.ends) whole += end <= size ? 1 : 0;
    const bytes cut{file.all.begin(), file.all.begin() + static_cast<std::ptrdiff_t>(size)};
    EXPECT_EQ(read_back(cut, records), whole) << "at " << size;
    if (whole < 0) continue;
    // A file system may have given the room and not what was written there.
    auto zeros = cut;
    zeros.resize(zeros.size() + 16 * (1 + size % 5));
    const auto found = read_back(zeros, records);
    const bool between = size == file.ends[static_cast<std::size_t>(whole)];
    if (between) {
      EXPECT_EQ(found, whole) << "at " << size;
    } else {  // some records end with zeros
      EXPECT_TRUE(found == whole || found == whole + 1) << "at " << size;
    }
  }
}

TEST(CheckpointFormat, DoesWithoutALastRecordOfWhichSectorsAreMissing)
{
  constexpr std::size_t sector = 512;
  for (const std::size_t before : {1, 100, 300, 330, 400, 2000}) {  // where in a sector the last one begins
    const std::vector<saved_record> records{
        {set_of({{0, 8}}), noise(40)}, {set_of({{8, 12}}), noise(before)}, {set_of({{12, 16}, {20, 24}}), noise(2300)}};
    const auto file = write(records);
    const auto begin = file.ends[2];
    const auto first = begin / sector;
    const auto sectors = (file.all.size() + sector - 1) / sector - first;
    ASSERT_LE(sectors, 7u);
    for (unsigned there = 0; there < 1u << sectors; ++there) {
      for (const bool zeros : {true, false}) {  // or what the disk had there
        auto torn = file.all;
        const auto stale = noise(torn.size());
        for (std::size_t i = begin; i < torn.size(); ++i) {
          if ((there >> (i / sector - first) & 1) == 0) torn[i] = zeros ? std::byte{0} : stale[i];
        }
        const bool whole = torn == file.all;  // or what is missing was zeros
        EXPECT_EQ(read_back(torn, records), whole ? 3 : 2) << before << ", sectors " << there;
        const memory_checkpoint from{torn};
        const auto contents = read_records(from, read_header(from), shape, nullptr);
        EXPECT_EQ(contents.bytes, whole ? file.all.size() : begin);
        // Nor is the file always as long as it was to be.
        torn.resize(begin + (torn.size() - begin) * (there % 7 + 1) / 8);
        EXPECT_EQ(read_back(torn, records), 2) << before << ", sectors " << there << ", and cut";
        // What lies before was on the disk: damage there is none of a power failure.
        auto flipped = file.all;
        flipped[file.ends[1] + (there * 5 + before) % (begin - file.ends[1])] ^= std::byte{16};
        for (std::size_t i = begin + sector; i < torn.size(); ++i) flipped[i] = torn[i];
        EXPECT_EQ(read_back(flipped, records), -1) << before << ", sectors " << there << ", and a bit before";
      }
    }
  }
}

TEST(CheckpointFormat, RefusesFlippedBitsOrDoesWithoutTheLastRecord)
{
  const auto records = some_records();
  const auto file = write(records);
  const auto last = file.ends[file.ends.size() - 2];
  for (std::size_t at = 0; at < file.all.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      auto flipped = file.all;
      flipped[at] ^= static_cast<std::byte>(1 << bit);
      const auto found = read_back(flipped, records);
      if (at < last) {
        EXPECT_EQ(found, -1) << at << ", bit " << bit;
      } else {
        EXPECT_EQ(found, 3) << at << ", bit " << bit;
      }
    }
  }
}

TEST(CheckpointFormat, TakesNoRecordOfAnotherFile)
{
  const auto records = some_records();
  auto file = write({records[0], records[1]});
  const auto mine = read_header(memory_checkpoint{file.all});
  auto other = someone();
  other.job[0] ^= 1;
  const auto header = read_header(memory_checkpoint{encode_header(other)});
  append(file.all, frame_record(header, records[3].first, {}).before);
  file.all.resize((file.all.size() + 15) / 16 * 16);
  EXPECT_EQ(read_back(file.all, records), 2);  // as what the disk had there before
  append(file.all, frame_record(mine, records[3].first, {}).before);
  EXPECT_EQ(read_back(file.all, records), -1);
}

TEST(CheckpointFormat, RefusesSubtasksThatWereSavedBefore)
{
  for (const interval again : {interval{0, 4}, interval{4, 24}, interval{20, 103}}) {
    auto records = some_records();
    records.push_back({set_of({again}), noise(3)});
    EXPECT_EQ(read_back(write(records).all, records), -1);
  }
}

TEST(CheckpointFormat, RefusesSubtasksThatAreNoSpansOfTheJob)
{
  for (const interval bad : {interval{52, 53}, interval{53, 60}, interval{100, 104}, interval{96, 102}, interval{104, 108}}) {
    auto records = some_records();
    records.push_back({set_of({bad}), noise(3)});
    EXPECT_EQ(read_back(write(records).all, records), -1) << bad.begin;
  }
  EXPECT_EQ(read_back(write({{interval_set{}, noise(3)}}).all, {}), -1);
}

TEST(CheckpointFormat, RefusesWhatIsNone)
{
  EXPECT_EQ(read_back({}, {}), -1);
  EXPECT_EQ(read_back(noise(5), {}), -1);
  EXPECT_EQ(read_back(noise(5000), {}), -1);
  auto later = write({}).all;
  later[8] = std::byte{2};
  const auto why = support::failure_of([&] { (void)read_header(memory_checkpoint{later}); });
  EXPECT_EQ(why.detail, "its format is 2, this library writes and reads 1");
}

TEST(CheckpointIdentity, SaysWhatDiffers)
{
  const auto mine = someone();
  EXPECT_EQ(why_not_resume(mine, mine), "");
  auto saved = mine;
  saved.library = "1.2.4";
  EXPECT_EQ(why_not_resume(saved, mine), "it was written by fastgpu 1.2.4 (a compiler), this is 1.2.3 (a compiler)");
  saved = mine;
  saved.program[3] = 0;
  EXPECT_EQ(why_not_resume(saved, mine), "it was written by another program, or another build of this one");
  saved = mine;
  saved.job[3] = 0;
  EXPECT_EQ(why_not_resume(saved, mine), "it is of another job, or of other input");
  saved = mine;
  saved.numeric_class = "gpu";
  EXPECT_EQ(why_not_resume(saved, mine), "its values are of devices that round differently ('gpu', here 'host')");
  auto any = mine;
  any.numeric_class.clear();
  EXPECT_EQ(why_not_resume(saved, any), "");
  EXPECT_NE(why_not_resume(any, mine), "");
}

}  // namespace
