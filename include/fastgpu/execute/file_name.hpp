#pragma once

#include <string>
#include <string_view>
#include <vector>

/// @file
/// A file's name among options.

namespace fastgpu::inline v0 {

/// A path. Not a std::string: in a co_await expression g++ 12 moves options that are made there byte for byte, which a short
/// string, that points into itself, does not survive.
class file_name {
 public:
  file_name() = default;
  file_name(std::string_view path) : path_(path.begin(), path.end()) {}      // NOLINT: implicit, as from one string to another
  file_name(const char* path) : file_name{std::string_view{path}} {}         // NOLINT
  file_name(const std::string& path) : file_name{std::string_view{path}} {}  // NOLINT

  [[nodiscard]] bool empty() const noexcept { return path_.empty(); }
  [[nodiscard]] std::string str() const { return {path_.begin(), path_.end()}; }

 private:
  std::vector<char> path_;
};

}  // namespace fastgpu::inline v0
