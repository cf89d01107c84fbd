#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <fastgpu/error.hpp>

#include "detail/interval_set.hpp"

/// @file
/// How a checkpoint is written down. Bytes alone: files are checkpoint.hpp's.
///
///     header   magic, format, length, CRC; whose job it is, and who wrote it
///     record   length of the body, kind, CRC of these; body: CRC, fold-set, a partial as pack_partial() gives it
///     record   ...
///
/// Numbers are little-endian. Records begin at multiples of 16 bytes, so that no sector boundary cuts their first 16: of
/// one that was being written when the power failed, these are there or are not. All CRCs go on from the header's: a
/// record of another file is none of this one.

namespace fastgpu::inline v0::detail {

inline constexpr std::uint32_t checkpoint_format = 1;

/// Whose values a checkpoint holds.
struct checkpoint_identity {
  using hash = std::array<std::uint8_t, 32>;
  hash job{};      ///< SHA-256 over the job and its inputs.
  hash program{};  ///< Over the code and constants of what has the kernel.
  std::string library;
  std::string build;
  std::string numeric_class;  ///< Of all devices that worked on it, where the bits depend on that; else empty.
  friend bool operator==(const checkpoint_identity&, const checkpoint_identity&) = default;
};

/// Why a run of `mine` must not go on from values of `saved`, "it is of another job"; empty where it may.
[[nodiscard]] std::string why_not_resume(const checkpoint_identity& saved, const checkpoint_identity& mine);

/// Bytes to be read; a file, or memory in tests.
class checkpoint_bytes {
 public:
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  /// @pre  at + to.size() <= size()
  /// @throws error  where they cannot be read
  virtual void read(std::uint64_t at, std::span<std::byte> to) const = 0;

 protected:
  ~checkpoint_bytes() = default;
};

struct checkpoint_header {
  checkpoint_identity identity;
  std::uint64_t bytes = 0;  ///< Where records begin.
  std::uint32_t crc = 0;
};

[[nodiscard]] std::vector<std::byte> encode_header(const checkpoint_identity& identity);
/// @throws error  errc::checkpoint_error, without the name of a file, where there is no header of this format.
[[nodiscard]] checkpoint_header read_header(const checkpoint_bytes& from);

/// A record but for its payload, which is not copied.
struct record_frame {
  std::vector<std::byte> before;
  std::vector<std::byte> after;
};
[[nodiscard]] record_frame frame_record(const checkpoint_header& header, const interval_set& fold_set,
                                        std::span<const std::byte> payload);

struct checkpoint_shape {
  std::uint32_t subtasks = 0;
  std::uint32_t span_log2 = 0;
};

struct checkpoint_contents {
  interval_set saved;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  ///< Up to the end of the last whole record. What follows was never finished.
};

/// Takes a whole record; what it throws ends the reading.
using record_visitor = std::function<void(const interval_set& fold_set, std::vector<std::byte>&& payload)>;

/// Reads all records. The last one is left out where it is not whole, whichever of its sectors are missing: all before
/// it were on the disk when it was begun. A damaged one with the beginning of another behind it is an error.
/// @throws error  errc::checkpoint_error, without the name of a file: a damaged record, or one whose subtasks are no
///                whole spans of the job or in another record, too.
checkpoint_contents read_records(const checkpoint_bytes& from, const checkpoint_header& header, checkpoint_shape shape,
                                 const record_visitor& visit);

}  // namespace fastgpu::inline v0::detail
