#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <fastgpu/index.hpp>
#include <fastgpu/view.hpp>

#include "image/kernels.hpp"

/// @file
/// Pictures in memory, and as PNG files.

namespace image {

/// Pixels, row-major without gaps; owns them.
template <class Pixel>
struct picture {
  fastgpu::extents<2> size{};  ///< Rows, columns.
  std::vector<Pixel> pixels;   ///< size.count() of them.

  picture() = default;
  /// All pixels zero.
  explicit picture(fastgpu::extents<2> rows_and_columns)
      : size{rows_and_columns}, pixels(static_cast<std::size_t>(rows_and_columns.count()))
  {
  }

  /// The whole picture as kernels see it. Valid until `pixels` is resized or gone.
  [[nodiscard]] fastgpu::in2<Pixel> view() const { return {pixels.data(), {}, size, {{size[1], 1}}}; }
  [[nodiscard]] fastgpu::out2<Pixel> view() { return {pixels.data(), {}, size, {{size[1], 1}}}; }

  friend bool operator==(const picture&, const picture&) = default;
};

/// A picture as a file holds it: 8 bits a channel, grey or colour.
using any_picture = std::variant<picture<std::uint8_t>, picture<rgb>>;

/// Bytes of a picture, unless told otherwise, at most.
inline constexpr std::uint64_t picture_bytes_max = std::uint64_t{1} << 30;

/// Reads a PNG file, first frame. Neither side may be longer than side_max.
///
/// Values are taken as they are stored, without regard to gamma or colour profiles; where the file's format
/// is not grey or RGB of 8 bits:
///   - palettes become RGB;
///   - grey of 1, 2 and 4 bits is spread over 0 to 255;
///   - 16 bits become 8, rounded to the nearest of 255 steps;
///   - transparency is dropped: the stored colour is kept as it is, whatever the alpha, and not blended.
///
/// Memory for pixels is taken only when the header has been held against `bytes_max` and, for regular files,
/// against the file's length: pixels compress 1032 times at best.
///
/// @throws std::runtime_error  One line, "PATH: reason": no such file, no right to read, no PNG, ends too
///                             early, damaged, too large, not enough memory.
[[nodiscard]] any_picture read_png(const std::string& path, std::uint64_t bytes_max = picture_bytes_max);

/// Writes a PNG file, 8 bits grey or RGB. All or nothing: the bytes go to a temporary file in the same
/// folder, to the disk, and then take the name `path`, so that at no time a half file has that name; on
/// failure nothing is left. What `path` names and is no file (a device, a pipe) is written to as it is;
/// a symbolic link stays, and what it points to is replaced.
///
/// @throws std::runtime_error  One line, "PATH: reason": no such folder, no right to write, disk full, a
///                             picture without pixels.
void write_png(const std::string& path, const any_picture& what);

/// The pixels' bytes, as hashes are taken: row by row, channels interleaved, little-endian, no padding.
template <class Pixel>
[[nodiscard]] std::span<const std::byte> bytes_of(const picture<Pixel>& what)
{
  return std::as_bytes(std::span{what.pixels});
}

}  // namespace image
