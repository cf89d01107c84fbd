#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/history.hpp"

/// @file
/// History on disk: one JSON file a machine. What is in a file is not trusted: it is as it should be, or refused.

namespace fastgpu::inline v0::detail {

/// Whose speeds a file has.
struct history_machine {
  std::string cpu;          ///< "AMD EPYC 9654"
  std::uint32_t cores = 0;  ///< Configured ones, whichever this process may use.
  friend bool operator==(const history_machine&, const history_machine&) = default;
};
[[nodiscard]] history_machine this_machine();

/// What was in a file.
struct history_reading {
  std::vector<history_entry> entries;  ///< The last measured first; those older than 90 days are left out.
  std::string refused;                 ///< Why all of it is; empty where it is not, or there is no file.
};

/// Reads a file of 16 MiB at most. @throws std::bad_alloc
[[nodiscard]] history_reading read_history(const std::string& path, const history_machine& here, std::int64_t now_s);

/// The same of a file's contents.
[[nodiscard]] history_reading parse_history(std::string_view text, const history_machine& here, std::int64_t now_s);

/// The contents; beyond 16 MiB those measured least recently are left out.
[[nodiscard]] std::string print_history(const std::vector<history_entry>& entries, const history_machine& here,
                                        std::int64_t now_s);

/// Writes a file that only this user can read, whole or not at all: to a temporary file beside it, then renamed. What
/// the file has by now is kept, and the fresh speeds of `entries` go behind it, so that processes may share a file; of two
/// that write at the same moment the later one wins. A history that is damaged, old or of another machine
/// is replaced; a file that never was one, a device, a pipe, is left alone, and that is why nothing was written.
///
/// @return  Why it could not be written; empty where it was.
/// @throws std::bad_alloc
[[nodiscard]] std::string write_history(const std::string& path, const std::vector<history_entry>& entries,
                                        const history_machine& here, std::int64_t now_s);

}  // namespace fastgpu::inline v0::detail
