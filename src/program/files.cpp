#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "program/files.hpp"

namespace program {
namespace {

/// Removes the temporary file unless it was renamed.
struct temporary {
  std::string path;
  int file = -1;
  ~temporary()
  {
    if (file >= 0) ::close(file);
    if (!path.empty()) ::unlink(path.c_str());
  }
};

[[noreturn]] void refuse(const std::string& path)
{
  throw std::runtime_error{path + ": " + std::strerror(errno)};
}

void write_all(int file, std::string_view content, const std::string& path)
{
  while (!content.empty()) {
    const auto written = ::write(file, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) refuse(path);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

void check_writable(const std::string& path)
{
  const std::filesystem::path file{path};
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path{"."};
  const auto refuse_for = [&](int reason) {
    throw std::runtime_error{path + ": cannot write: " + std::strerror(reason)};
  };
  std::error_code unknown;
  if (std::filesystem::is_directory(file, unknown)) refuse_for(EISDIR);
  const bool there = ::access(file.c_str(), F_OK) == 0;
  if (there && ::access(file.c_str(), W_OK) != 0) refuse_for(errno);
  // A plain file is replaced by a new one, for which there must be room in the folder.
  if (there && !std::filesystem::is_regular_file(file, unknown)) return;
  if (::access(folder.c_str(), W_OK | X_OK) != 0) refuse_for(errno);
}

void write_file(const std::string& path, std::string_view content)
{
  // What is no plain file (/dev/null, a pipe) cannot be replaced, only written.
  struct stat what {};
  if (::stat(path.c_str(), &what) == 0 && !S_ISREG(what.st_mode)) {
    temporary direct{{}, ::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    if (direct.file < 0) refuse(path);
    write_all(direct.file, content, path);
    return;
  }
  temporary temp;
  std::string name = path + ".XXXXXX";
  temp.file = ::mkostemp(name.data(), O_CLOEXEC);
  if (temp.file < 0) refuse(path);
  temp.path = name;
  write_all(temp.file, content, path);
  const auto mask = ::umask(0);
  ::umask(mask);
  if (::fchmod(temp.file, 0666 & ~mask) != 0 || ::fsync(temp.file) != 0) refuse(path);
  if (::close(std::exchange(temp.file, -1)) != 0) refuse(path);
  if (::rename(name.c_str(), path.c_str()) != 0) refuse(path);
  temp.path.clear();
}

}  // namespace program
