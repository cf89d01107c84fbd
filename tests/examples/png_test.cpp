#include "image/png.hpp"  // first: shows that the header stands alone

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "support/folder.hpp"
#include "support/pictures.hpp"

namespace {

using image::any_picture;
using image::read_png;
using image::rgb;
using image::write_png;
using support::colored;
using support::grey;
using support::random_colored;
using support::random_grey;

using extents = fastgpu::extents<2>;

/// A folder, and short words for what is in it.
class Png : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return folder.path(name); }
  [[nodiscard]] std::size_t files() const { return folder.files(); }

  /// Creates a file of these bytes and returns its path.
  [[nodiscard]] std::string file(const std::string& bytes) const
  {
    std::ofstream{path("in.png"), std::ios::binary}.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path("in.png");
  }

  support::folder folder;
};

std::string content(const std::string& path)
{
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

std::string big_endian(std::uint32_t value)
{
  std::string out;
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(value >> shift & 255U);
  return out;
}

std::string chunk(const std::string& type, const std::string& data)
{
  const std::string body = type + data;
  const auto crc = ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(static_cast<std::uint32_t>(data.size())) + body + big_endian(static_cast<std::uint32_t>(crc));
}

const std::string signature = "\x89PNG\r\n\x1a\n";

std::string head_chunk(std::uint32_t columns, std::uint32_t rows, int bits, int color_type, int interlaced = 0)
{
  return chunk("IHDR", big_endian(columns) + big_endian(rows) + static_cast<char>(bits) +
                           static_cast<char>(color_type) + std::string(2, '\0') + static_cast<char>(interlaced));
}

std::string deflated(const std::string& bytes)
{
  auto size = ::compressBound(static_cast<uLong>(bytes.size()));
  std::string out(size, '\0');
  ::compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()),
             static_cast<uLong>(bytes.size()));
  out.resize(size);
  return out;
}

/// A PNG file of rows that hold their filter byte already.
std::string png_of(const std::string& head, const std::string& before, const std::string& rows)
{
  return signature + head + before + chunk("IDAT", deflated(rows)) + chunk("IEND", "");
}

/// The message that refuses to read, or "accepted".
std::string refusal_to_read(const std::string& path, std::uint64_t bytes_max = image::picture_bytes_max)
{
  try {
    (void)read_png(path, bytes_max);
  } catch (const std::runtime_error& why) {
    const std::string line = why.what();
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_EQ(line.substr(0, path.size() + 2), path + ": ");
    return line.substr(std::min(line.size(), path.size() + 2));
  }
  return "accepted";
}

std::string refusal_to_write(const std::string& path, const any_picture& what)
{
  try {
    write_png(path, what);
  } catch (const std::runtime_error& why) {
    const std::string line = why.what();
    EXPECT_EQ(line.substr(0, path.size() + 2), path + ": ");
    return line.substr(std::min(line.size(), path.size() + 2));
  }
  return "accepted";
}

TEST_F(Png, ComesBackAsItWasWritten)
{
  for (const extents size :
       {extents{{1, 1}}, extents{{1, 13}}, extents{{9, 1}}, extents{{3, 5}}, extents{{300, 211}}}) {
    const any_picture black_and_white = random_grey(size, 1);
    write_png(path("grey.png"), black_and_white);
    EXPECT_EQ(read_png(path("grey.png")), black_and_white);
    const any_picture color = random_colored(size, 2);
    write_png(path("color.png"), color);
    EXPECT_EQ(read_png(path("color.png")), color);
  }
  EXPECT_EQ(files(), 2U);
}

TEST_F(Png, OfAPaletteBecomesRgbWithoutItsTransparency)
{
  const auto file_path =
      file(png_of(head_chunk(3, 1, 2, 3), chunk("PLTE", "abcdefghi") + chunk("tRNS", std::string{"\0\x80", 2}),
                  std::string{"\0\x18", 2}));  // 0 1 2
  const auto in = std::get<colored>(read_png(file_path));
  EXPECT_EQ(in.size, (extents{{1, 3}}));
  EXPECT_EQ(in.pixels, (std::vector<rgb>{{'a', 'b', 'c'}, {'d', 'e', 'f'}, {'g', 'h', 'i'}}));
}

TEST_F(Png, OfFewBitsIsSpread)
{
  using pixels = std::vector<std::uint8_t>;
  const auto read = [&](int bits, const std::string& row) {
    return std::get<grey>(read_png(file(png_of(head_chunk(4, 1, bits, 0), "", std::string(1, '\0') + row)))).pixels;
  };
  EXPECT_EQ(read(1, "\xa0"), (pixels{255, 0, 255, 0}));
  EXPECT_EQ(read(2, "\x1b"), (pixels{0, 85, 170, 255}));
  EXPECT_EQ(read(4, "\x12\xef"), (pixels{17, 34, 238, 255}));
  // A transparent level changes nothing.
  const std::string transparent = chunk("tRNS", std::string{"\0\1", 2});
  EXPECT_EQ(
      std::get<grey>(read_png(file(png_of(head_chunk(4, 1, 2, 0), transparent, std::string{"\0\x1b", 2})))).pixels,
      (pixels{0, 85, 170, 255}));
}

TEST_F(Png, OfSixteenBitsIsRounded)
{
  const auto in = std::get<grey>(
      read_png(file(png_of(head_chunk(5, 1, 16, 0), "", std::string{"\0\0\0\0\x80\0\x81\xff\x7e\xff\xff", 11}))));
  EXPECT_EQ(in.pixels, (std::vector<std::uint8_t>{0, 0, 1, 254, 255}));  // 128 and 129 are around 0.5 * 257
}

TEST_F(Png, LosesItsAlphaAndKeepsItsColor)
{
  const auto color =
      std::get<colored>(read_png(file(png_of(head_chunk(2, 1, 8, 6), "", std::string{"\0abc\0def\xff", 9}))));
  EXPECT_EQ(color.pixels, (std::vector<rgb>{{'a', 'b', 'c'}, {'d', 'e', 'f'}}));
  const auto in = std::get<grey>(read_png(file(png_of(head_chunk(2, 1, 8, 4), "", std::string{"\0a\0b\x80", 5}))));
  EXPECT_EQ(in.pixels, (std::vector<std::uint8_t>{'a', 'b'}));
  const auto keyed = std::get<colored>(read_png(
      file(png_of(head_chunk(1, 1, 8, 2), chunk("tRNS", std::string{"\0a\0b\0c", 6}), std::string{"\0abc", 4}))));
  EXPECT_EQ(keyed.pixels, (std::vector<rgb>{{'a', 'b', 'c'}}));
}

TEST_F(Png, MayBeInterlaced)
{
  // Two by two: the passes hold the first pixel, then the right one, then the lower row.
  const auto in = std::get<grey>(read_png(file(png_of(head_chunk(2, 2, 8, 0, 1), "", std::string{"\0a\0b\0cd", 7}))));
  EXPECT_EQ(in.pixels, (std::vector<std::uint8_t>{'a', 'b', 'c', 'd'}));
}

TEST_F(Png, IsRefusedWhereThereIsNone)
{
  EXPECT_EQ(refusal_to_read(path("missing.png")), "cannot read: No such file or directory");
  EXPECT_EQ(refusal_to_read(folder.path()), "cannot read: Is a directory");
  EXPECT_EQ(refusal_to_read(file("")), "not a whole PNG file: it ends too early");
  EXPECT_EQ(refusal_to_read(file("It was a dark and stormy night.")), "not a PNG file, or damaged: Not a PNG file");
  EXPECT_EQ(refusal_to_read("/dev/zero"), "not a PNG file, or damaged: Not a PNG file");
}

TEST_F(Png, IsRefusedWhereverItEndsTooEarly)
{
  write_png(path("whole.png"), random_colored({{7, 6}}, 4));
  const std::string whole = content(path("whole.png"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(refusal_to_read(file(whole.substr(0, size))), "accepted") << size;
  }
  EXPECT_EQ(refusal_to_read(file(whole)), "accepted");
}

TEST_F(Png, IsNeverTakenForAnotherPictureWhenABitIsWrong)
{
  const any_picture right = random_colored({{7, 6}}, 4);
  write_png(path("whole.png"), right);
  const std::string whole = content(path("whole.png"));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string wrong = whole;
      wrong[at] = static_cast<char>(wrong[at] ^ (1 << bit));
      EXPECT_NE(refusal_to_read(file(wrong)), "accepted") << "byte " << at << ", bit " << bit;
    }
  }
}

TEST_F(Png, WithNotEnoughPixelsIsRefused)
{
  EXPECT_NE(refusal_to_read(file(png_of(head_chunk(4, 4, 8, 0), "", std::string(10, '\0')))), "accepted");
  EXPECT_NE(refusal_to_read(file(signature + head_chunk(4, 4, 8, 0) + chunk("IEND", ""))), "accepted");
  EXPECT_NE(refusal_to_read(file(png_of(head_chunk(0, 4, 8, 0), "", "\0"))), "accepted");
}

TEST_F(Png, ThatIsTooLargeIsRefusedByItsHeader)
{
  const auto claimed = [&](std::uint32_t columns, std::uint32_t rows, int color_type) {
    return file(signature + head_chunk(columns, rows, 8, color_type) + chunk("IDAT", "x") + chunk("IEND", ""));
  };
  EXPECT_EQ(refusal_to_read(claimed(0x7fffffff, 0x7fffffff, 2)),
            "too large: 2147483647 x 2147483647 pixels, of at most 1048576 a side");
  EXPECT_EQ(refusal_to_read(claimed(1048576, 1048576, 2)),
            "too large: 1048576 x 1048576 pixels are 3298534883328 bytes, of at most 1073741824");
  EXPECT_EQ(refusal_to_read(claimed(32768, 32768, 0)), "damaged: 32768 x 32768 pixels cannot be in a file of 58 bytes");
  EXPECT_EQ(refusal_to_read(claimed(10, 10, 2), 299), "too large: 10 x 10 pixels are 300 bytes, of at most 299");
}

TEST_F(Png, OfTheBestCompressionIsAccepted)
{
  const any_picture blank = grey{{{4000, 3000}}};
  write_png(path("blank.png"), blank);
  EXPECT_EQ(read_png(path("blank.png")), blank);
}

TEST_F(Png, IsReadFromAPipe)
{
  const any_picture what = random_grey({{300, 400}}, 8);
  write_png(path("whole.png"), what);
  const std::string command = "cat " + path("whole.png");
  std::FILE* const pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  EXPECT_EQ(read_png("/dev/fd/" + std::to_string(::fileno(pipe))), what);
  ::pclose(pipe);
}

TEST_F(Png, ReplacesAFileAndKeepsItsRights)
{
  const auto target = file("something else");
  ASSERT_EQ(::chmod(target.c_str(), 0640), 0);
  std::filesystem::create_symlink("in.png", path("link.png"));
  const any_picture what = random_grey({{3, 4}}, 8);
  write_png(path("link.png"), what);
  EXPECT_TRUE(std::filesystem::is_symlink(path("link.png")));
  EXPECT_EQ(read_png(target), what);
  struct stat now {};
  ASSERT_EQ(::stat(target.c_str(), &now), 0);
  EXPECT_EQ(now.st_mode & 0777U, 0640U);
  EXPECT_EQ(files(), 2U);
}

TEST_F(Png, LeavesNothingWhereItCannotBeWritten)
{
  const any_picture what = random_grey({{300, 400}}, 8);
  EXPECT_EQ(refusal_to_write(path("missing/out.png"), what), "cannot write: No such file or directory");
  EXPECT_EQ(refusal_to_write(folder.path(), what), "cannot write: Is a directory");
  EXPECT_EQ(refusal_to_write("/proc/out.png", what), "cannot write: No such file or directory");
  EXPECT_EQ(refusal_to_write(path("new/"), what), "cannot write: not the name of a file");
  EXPECT_EQ(refusal_to_write("", what), "cannot write: not the name of a file");
  EXPECT_EQ(refusal_to_write(path("empty.png"), grey{}), "cannot write: a PNG file needs at least one pixel");
  EXPECT_EQ(files(), 0U);
  if (::access("/dev/full", W_OK) == 0) {
    EXPECT_EQ(refusal_to_write("/dev/full", what), "cannot write: No space left on device");
    EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
  }
}

TEST_F(Png, KeepsTheOldFileWhenThereIsNoRoomForTheNewOne)
{
  // A limit on the size of files stands for the full disk.
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const auto target = file("the old one");
  struct rlimit small = before;
  small.rlim_cur = 70000;  // more than one write of 64 KiB, less than the file
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto why = refusal_to_write(target, random_grey({{300, 400}}, 8));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(why, "cannot write: File too large");
  EXPECT_EQ(content(target), "the old one");
  EXPECT_EQ(files(), 1U);
}

}  // namespace
