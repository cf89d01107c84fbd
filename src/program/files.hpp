#pragma once

#include <string>
#include <string_view>

/// @file
/// Output files of programs: whole or not at all.

namespace program {

/// Finds out before the work what would be in the way of a file after it.
/// @throws std::runtime_error  one line with the file's name and the reason.
void check_writable(const std::string& path);

/// Writes a whole file or none: to a temporary file beside it, then renamed.
/// @throws std::runtime_error  one line with the file's name and the reason.
void write_file(const std::string& path, std::string_view content);

}  // namespace program
