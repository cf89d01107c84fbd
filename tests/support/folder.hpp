#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

/// @file
/// A folder of its own for a test's files.

namespace support {

/// Empty at first, removed with all that is in it.
class folder {
 public:
  folder()
  {
    std::string name = testing::TempDir() + "fastgpu-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{name + ": " + std::strerror(errno)};
    path_ = name;
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;
  ~folder() { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::string path() const { return path_.string(); }
  /// Of a file in it, whether it is there or not.
  [[nodiscard]] std::string path(const std::string& name) const { return (path_ / name).string(); }
  /// How many files there are.
  [[nodiscard]] std::size_t files() const
  {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator{path_}, {}));
  }

 private:
  std::filesystem::path path_;
};

}  // namespace support
