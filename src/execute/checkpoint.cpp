#include "execute/checkpoint.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>

#include <fastgpu/observe/log.hpp>

#include "detail/size_signal.hpp"
#include "node/sealed_values.hpp"

namespace fastgpu::inline v0::detail {
namespace {

std::string said(int number) { return std::generic_category().message(number); }

std::string folder_of(const std::string& path)
{
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

/// A descriptor with its lock, and what goes wrong with it in one line.
class checkpoint::file final : public checkpoint_bytes {
 public:
  explicit file(std::string path) : path_{std::move(path)} {}
  ~file() { close(); }
  file(const file&) = delete;
  file& operator=(const file&) = delete;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[noreturn]] void refuse(const std::string& why) const
  {
    std::string line{"checkpoint '"};
    line.append(path_).append("': ").append(why);
    throw error{errc::checkpoint_error, std::move(line)};
  }
  [[noreturn]] void refuse(const char* doing, int number) const { refuse(doing + (": " + said(number))); }

  /// @return  False where there is none.
  bool open_existing()
  {
    for (;;) {
      close();
      fd_ = ::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);  // of what is no file nobody waits for the other end
      if (fd_ < 0 && errno == ENOENT) return false;
      if (fd_ < 0) refuse("opening it", errno);
      const auto mine = status();
      if (!S_ISREG(mine.st_mode)) refuse("it is no regular file");
      lock();
      struct stat there {};
      const bool same = ::stat(path_.c_str(), &there) == 0 && there.st_dev == mine.st_dev && there.st_ino == mine.st_ino;
      if (!same) continue;  // it was removed, or put in place anew, before it was locked
      size_ = static_cast<std::uint64_t>(status().st_size);
      return true;
    }
  }

  /// Makes the file with `bytes` in it: whole, or not at all. @return  False where there is one by now.
  bool create(std::span<const std::byte> bytes)
  {
    auto draft = path_ + ".XXXXXX";
    fd_ = ::mkostemp(draft.data(), O_CLOEXEC);
    if (fd_ < 0) refuse("making it", errno);
    try {
      lock();
      write(0, {bytes, {}, {}});
      if (::fsync(fd_) != 0) refuse("writing it", errno);
      // Never over another's file, which may be there by now.
      if (::renameat2(AT_FDCWD, draft.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) != 0) {
        const int number = errno;
        if (number == EEXIST) {
          ::unlink(draft.c_str());
          return false;
        }
        // Some file systems know no such flag.
        if (number != EINVAL || ::rename(draft.c_str(), path_.c_str()) != 0) refuse("making it", number);
      }
    } catch (...) {
      ::unlink(draft.c_str());
      throw;
    }
    const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = folder >= 0 && ::fsync(folder) == 0;
    const int number = errno;
    if (folder >= 0) ::close(folder);
    if (!synced && number != EINVAL) refuse("making it", number);  // EINVAL: a file system that does not do this
    size_ = bytes.size();
    return true;
  }

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  void read(std::uint64_t at, std::span<std::byte> to) const override
  {
    while (!to.empty()) {
      const auto n = ::pread(fd_, to.data(), to.size(), static_cast<off_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) refuse("reading it", errno);
      if (n == 0) refuse("somebody else has cut it short");
      to = to.subspan(static_cast<std::size_t>(n));
      at += static_cast<std::uint64_t>(n);
    }
  }

  void cut(std::uint64_t size)
  {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0 || ::fdatasync(fd_) != 0) refuse("cutting it", errno);
    size_ = size;
  }

  void append(const std::array<std::span<const std::byte>, 3>& parts)
  {
    try {
      write(size_, parts);
      if (::fdatasync(fd_) != 0) refuse("writing a record", errno);
    } catch (...) {
      // As it was, if that can be; if not, the next reader takes it for what it is: cut short.
      [[maybe_unused]] const int ignored = ::ftruncate(fd_, static_cast<off_t>(size_));
      throw;
    }
    for (const auto& part : parts) size_ += part.size();
  }

 private:
  [[nodiscard]] struct stat status() const
  {
    struct stat found {};
    if (::fstat(fd_, &found) != 0) refuse("looking at it", errno);
    return found;
  }
  void lock()
  {
    while (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) refuse("another run is using it");
      if (errno != EINTR) refuse("locking it", errno);
    }
  }
  void write(std::uint64_t at, std::array<std::span<const std::byte>, 3> parts) const
  {
    const without_size_signal guard;
    for (;;) {
      std::array<iovec, 3> pieces{};
      int count = 0;
      for (const auto& part : parts) {
        if (!part.empty()) pieces[static_cast<std::size_t>(count++)] = {const_cast<std::byte*>(part.data()), part.size()};
      }
      if (count == 0) return;
      const auto n = ::pwritev(fd_, pieces.data(), count, static_cast<off_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) refuse("writing it", n < 0 ? errno : ENOSPC);
      at += static_cast<std::uint64_t>(n);
      auto taken = static_cast<std::size_t>(n);
      for (auto& part : parts) {
        const auto of_this = std::min(taken, part.size());
        part = part.subspan(of_this);
        taken -= of_this;
      }
    }
  }
  void close() noexcept
  {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  std::string path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

checkpoint::checkpoint(std::string path, const checkpoint_identity& identity, checkpoint_shape shape)
    : file_{std::make_unique<file>(std::move(path))}, shape_{shape}
{
  const auto fresh = encode_header(identity);
  while (!file_->open_existing() && !file_->create(fresh)) {
  }
  try {
    header_ = read_header(*file_);
    if (const auto why = why_not_resume(header_.identity, identity); !why.empty()) file_->refuse(why);
    contents_ = read_records(*file_, header_, shape_, nullptr);
  } catch (const error& e) {
    const std::string line{e.what()};
    if (line.starts_with("checkpoint '")) throw;
    file_->refuse(line);
  }
  if (contents_.bytes < file_->size()) {
    log_line(log_level::warning, "checkpoint '" + file_->path() + "': its last record was never finished; its subtasks run again");
    file_->cut(contents_.bytes);
  }
  if (!contents_.saved.empty()) {
    log_line(log_level::info, "checkpoint '" + file_->path() + "': it has " + std::to_string(contents_.saved.count()) +
                                  " of " + std::to_string(shape_.subtasks) + " subtasks");
  }
}

checkpoint::~checkpoint() = default;

std::unique_ptr<partial> checkpoint::load(const job_data& job, fold_kind fold, memory_source& memory) const
{
  std::unique_ptr<partial> all;
  try {
    std::uint64_t number = 0;
    read_records(*file_, header_, shape_, [&](const interval_set& fold_set, std::vector<std::byte>&& packed) {
      ++number;
      auto arrived = unpack_partial(job, fold, memory, fold_set, std::move(packed));
      if (!arrived) file_->refuse("record " + std::to_string(number) + " holds no partial of this job");
      commit_blocks(job, arrived.value());
      if (all == nullptr) all = std::make_unique<partial>(job, fold, memory);
      all->absorb(std::move(*arrived.value().values));
    });
  } catch (const error& e) {
    const std::string line{e.what()};
    if (line.starts_with("checkpoint '")) throw;
    file_->refuse(line);
  }
  return all;
}

void checkpoint::append(const interval_set& fold_set, std::span<const std::byte> packed)
{
  const auto frame = frame_record(header_, fold_set, packed);
  file_->append({frame.before, packed, frame.after});
}

}  // namespace fastgpu::inline v0::detail
