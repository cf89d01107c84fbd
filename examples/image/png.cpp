#include "image/png.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include <png.h>

// libpng tells errors by longjmp(). It must not jump over destructors, so the functions with a setjmp(), and
// the callbacks, hold plain data only and call nothing but libpng and the system.

namespace image {
namespace {

static_assert(std::endian::native == std::endian::little, "bytes_of() gives the bytes as they lie in memory");

/// Ends the operation: one line, whatever bytes path and reason have.
[[noreturn]] void fail(const std::string& path, const std::string& reason)
{
  std::string line = path + ": " + reason;
  for (char& c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  throw std::runtime_error{line};
}

[[noreturn]] void fail(const std::string& path, const std::string& what, int error)
{
  fail(path, what + ": " + std::strerror(error));
}

/// Owning file descriptor.
class descriptor {
 public:
  explicit descriptor(int fd) : fd_{fd} {}
  descriptor(descriptor&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  descriptor& operator=(descriptor&&) = delete;
  ~descriptor()
  {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] int get() const { return fd_; }
  /// Like ::close(): some file systems tell a failed write here at the latest.
  [[nodiscard]] int close() { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

/// What libpng's callbacks read and write. Belongs to one call of read_png() or write_png().
struct transfer {
  int fd = -1;
  int error = 0;                    ///< errno of the read or write that failed, 0 if none did.
  bool ended = false;               ///< The file ended before the picture did.
  std::array<char, 200> message{};  ///< What libpng found wrong.
  std::size_t begin = 0, end = 0;   ///< The part of `buffer` that is in use.
  std::array<png_byte, 65536> buffer{};
};

extern "C" {

[[noreturn]] void on_error(png_structp png, png_const_charp message)
{
  auto* const state = static_cast<transfer*>(png_get_error_ptr(png));
  std::snprintf(state->message.data(), state->message.size(), "%s", message);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep to, std::size_t size)
{
  auto* const state = static_cast<transfer*>(png_get_io_ptr(png));
  while (size > 0) {
    if (state->begin == state->end) {
      ssize_t got = 0;
      do {
        got = ::read(state->fd, state->buffer.data(), state->buffer.size());
      } while (got < 0 && errno == EINTR);
      if (got < 0) {
        state->error = errno;
        png_error(png, "cannot read");
      }
      if (got == 0) {
        state->ended = true;
        png_error(png, "ends too early");
      }
      state->begin = 0;
      state->end = static_cast<std::size_t>(got);
    }
    const std::size_t available = state->end - state->begin;
    const std::size_t part = size < available ? size : available;
    std::memcpy(to, state->buffer.data() + state->begin, part);
    state->begin += part;
    to += part;
    size -= part;
  }
}

void on_flush(png_structp png)
{
  auto* const state = static_cast<transfer*>(png_get_io_ptr(png));
  while (state->begin < state->end) {
    const ssize_t put = ::write(state->fd, state->buffer.data() + state->begin, state->end - state->begin);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      state->error = put < 0 ? errno : EIO;
      png_error(png, "cannot write");
    }
    state->begin += static_cast<std::size_t>(put);
  }
  state->begin = 0;
  state->end = 0;
}

void on_write(png_structp png, png_bytep from, std::size_t size)
{
  auto* const state = static_cast<transfer*>(png_get_io_ptr(png));
  while (size > 0) {
    if (state->end == state->buffer.size()) on_flush(png);
    const std::size_t room = state->buffer.size() - state->end;
    const std::size_t part = size < room ? size : room;
    std::memcpy(state->buffer.data() + state->end, from, part);
    state->end += part;
    from += part;
    size -= part;
  }
}

}  // extern "C"

struct header {
  png_uint_32 columns, rows;
  std::uint64_t row_bytes;  ///< Of the file's format, before compression.
  bool colored;
};

/// Reads up to the first pixel. False after an error.
bool read_header(png_structp png, png_infop info, header* out)
{
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // read_png() looks itself, and says more
  png_set_chunk_cache_max(png, 128);
  png_set_chunk_malloc_max(png, 8U << 20);
  png_read_info(png, info);
  out->columns = png_get_image_width(png, info);
  out->rows = png_get_image_height(png, info);
  const unsigned bits = static_cast<unsigned>(png_get_bit_depth(png, info)) * png_get_channels(png, info);
  out->row_bytes = (std::uint64_t{out->columns} * bits + 7) / 8;
  out->colored = (png_get_color_type(png, info) & PNG_COLOR_MASK_COLOR) != 0;
  return true;
}

/// Reads the pixels, converted as read_png() documents, and the file's end. False after an error.
bool read_pixels(png_structp png, png_infop info, const header* expected, png_bytep pixels, std::size_t row_bytes)
{
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_palette_to_rgb(png);
  if (png_get_color_type(png, info) == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, info) < 8) {
    png_set_expand_gray_1_2_4_to_8(png);
  }
  png_set_scale_16(png);
  png_set_strip_alpha(png);
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != row_bytes) png_error(png, "unexpected length of rows");
  for (int pass = 0; pass < passes; ++pass) {
    for (png_uint_32 row = 0; row < expected->rows; ++row) png_read_row(png, pixels + row * row_bytes, nullptr);
  }
  png_read_end(png, nullptr);
  return true;
}

/// Encodes a picture. False after an error.
bool write_pixels(png_structp png, png_infop info, png_uint_32 columns, png_uint_32 rows, int color_type,
                  png_const_bytep pixels, std::size_t row_bytes)
{
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_IHDR(png, info, columns, rows, 8, color_type, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (png_uint_32 row = 0; row < rows; ++row) png_write_row(png, pixels + row * row_bytes);
  png_write_end(png, nullptr);
  on_flush(png);
  return true;
}

/// libpng's two structures for reading, which die together.
class decoder {
 public:
  explicit decoder(transfer& state) : png{png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, on_error, on_warning)}
  {
    if (png != nullptr) info = png_create_info_struct(png);
    if (png == nullptr || info == nullptr) {
      png_destroy_read_struct(&png, &info, nullptr);
      throw std::bad_alloc{};
    }
    png_set_read_fn(png, &state, on_read);
  }
  decoder(const decoder&) = delete;
  decoder& operator=(const decoder&) = delete;
  ~decoder() { png_destroy_read_struct(&png, &info, nullptr); }

  png_structp png;
  png_infop info = nullptr;
};

/// The same for writing.
class encoder {
 public:
  explicit encoder(transfer& state) : png{png_create_write_struct(PNG_LIBPNG_VER_STRING, &state, on_error, on_warning)}
  {
    if (png != nullptr) info = png_create_info_struct(png);
    if (png == nullptr || info == nullptr) {
      png_destroy_write_struct(&png, &info);
      throw std::bad_alloc{};
    }
    png_set_write_fn(png, &state, on_write, on_flush);
  }
  encoder(const encoder&) = delete;
  encoder& operator=(const encoder&) = delete;
  ~encoder() { png_destroy_write_struct(&png, &info); }

  png_structp png;
  png_infop info = nullptr;
};

[[noreturn]] void fail_reading(const std::string& path, const transfer& state)
{
  if (state.error != 0) fail(path, "cannot read", state.error);
  if (state.ended) fail(path, "not a whole PNG file: it ends too early");
  fail(path, std::string{"not a PNG file, or damaged: "} + state.message.data());
}

std::string dimensions(const header& head)
{
  return std::to_string(head.columns) + " x " + std::to_string(head.rows) + " pixels";
}

/// Refuses headers that promise more than is allowed, or than the file can hold.
void check(const std::string& path, const header& head, const struct stat& file, std::uint64_t bytes_max)
{
  if (head.columns > side_max || head.rows > side_max) {
    fail(path, "too large: " + dimensions(head) + ", of at most " + std::to_string(side_max) + " a side");
  }
  const std::uint64_t bytes = std::uint64_t{head.columns} * head.rows * (head.colored ? 3 : 1);
  if (bytes > bytes_max) {
    fail(path, "too large: " + dimensions(head) + " are " + std::to_string(bytes) + " bytes, of at most " +
                   std::to_string(bytes_max));
  }
  if (S_ISREG(file.st_mode) && head.row_bytes * head.rows / 1040 > static_cast<std::uint64_t>(file.st_size)) {
    fail(path, "damaged: " + dimensions(head) + " cannot be in a file of " + std::to_string(file.st_size) + " bytes");
  }
}

template <class Pixel>
any_picture decode(const std::string& path, const decoder& png, const header& head, const transfer& state)
{
  picture<Pixel> result{fastgpu::extents<2>{{head.rows, head.columns}}};
  auto* const bytes = reinterpret_cast<png_bytep>(result.pixels.data());
  if (!read_pixels(png.png, png.info, &head, bytes, head.columns * sizeof(Pixel))) fail_reading(path, state);
  return result;
}

/// The new file, under a name of its own until commit().
class new_file {
 public:
  /// Opens `target` itself if it is there and is no regular file, else a temporary file beside it.
  explicit new_file(std::string target) : target_{std::move(target)}, fd_{open()} {}
  new_file(const new_file&) = delete;
  new_file& operator=(const new_file&) = delete;
  ~new_file()
  {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  [[nodiscard]] int get() const { return fd_.get(); }

  /// Makes the bytes durable, then gives them the target's name.
  void commit()
  {
    if (temporary_.empty()) {
      if (fd_.close() != 0) fail(target_, "cannot write", errno);
      return;
    }
    if (::fsync(fd_.get()) != 0) fail(target_, "cannot write", errno);
    if (fd_.close() != 0) fail(target_, "cannot write", errno);
    if (::rename(temporary_.c_str(), real_target_.c_str()) != 0) fail(target_, "cannot write", errno);
    temporary_.clear();
    // The file is there and whole. Whether its name survives a power cut as well is the folder's business: not
    // every file system lets folders be synchronised, so this may fail.
    const descriptor folder{::open(folder_of(real_target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (folder.get() >= 0) (void)::fsync(folder.get());
  }

 private:
  static std::string folder_of(const std::string& path)
  {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "./" : path.substr(0, slash + 1);
  }

  descriptor open()
  {
    struct stat there {};
    mode_t mode = 0666;  // less the process's umask
    bool replaces = false;
    real_target_ = target_;
    if (::stat(target_.c_str(), &there) == 0) {
      if (!S_ISREG(there.st_mode)) {  // opening a folder for writing fails, as it should
        descriptor fd{::open(target_.c_str(), O_WRONLY | O_CLOEXEC)};
        if (fd.get() < 0) fail(target_, "cannot write", errno);
        return fd;
      }
      if (::access(target_.c_str(), W_OK) != 0) fail(target_, "cannot write", errno);
      mode = there.st_mode & 0777U;  // a replaced file keeps its rights
      replaces = true;
      const std::unique_ptr<char, void (*)(void*)> resolved{::realpath(target_.c_str(), nullptr), std::free};
      if (resolved) real_target_ = resolved.get();
    }
    if (real_target_.empty() || real_target_.back() == '/') fail(target_, "cannot write: not the name of a file");
    static std::atomic<unsigned> counter{0};
    for (;;) {
      std::string name = folder_of(real_target_) + ".png-" + std::to_string(::getpid()) + "-" +
                         std::to_string(counter.fetch_add(1, std::memory_order_relaxed)) + ".tmp";
      descriptor fd{::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)};
      if (fd.get() >= 0) {
        temporary_ = std::move(name);
        if (replaces) (void)::fchmod(fd.get(), mode);
        return fd;
      }
      if (errno != EEXIST) fail(target_, "cannot write", errno);
    }
  }

  std::string target_;
  std::string real_target_;  // with symbolic links resolved
  std::string temporary_;    // empty: writing to the target itself, or committed
  descriptor fd_;            // last: open() sets the others
};

}  // namespace

any_picture read_png(const std::string& path, std::uint64_t bytes_max)
try {
  const descriptor fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (fd.get() < 0) fail(path, "cannot read", errno);
  struct stat file {};
  if (::fstat(fd.get(), &file) != 0) fail(path, "cannot read", errno);
  const auto state = std::make_unique<transfer>();
  state->fd = fd.get();
  const decoder png{*state};
  header head{};
  if (!read_header(png.png, png.info, &head)) fail_reading(path, *state);
  check(path, head, file, bytes_max);
  return head.colored ? decode<rgb>(path, png, head, *state) : decode<std::uint8_t>(path, png, head, *state);
} catch (const std::bad_alloc&) {
  fail(path, "cannot read: not enough memory");
}

void write_png(const std::string& path, const any_picture& what)
try {
  std::visit(
      [&]<class Pixel>(const picture<Pixel>& from) {
        if (from.pixels.empty()) fail(path, "cannot write: a PNG file needs at least one pixel");
        if (from.size[0] > PNG_UINT_31_MAX || from.size[1] > PNG_UINT_31_MAX) {
          fail(path, "cannot write: more than 2^31 - 1 pixels a side");
        }
        new_file file{path};
        const auto state = std::make_unique<transfer>();
        state->fd = file.get();
        const encoder png{*state};
        if (!write_pixels(png.png, png.info, static_cast<png_uint_32>(from.size[1]),
                          static_cast<png_uint_32>(from.size[0]),
                          channels<Pixel> == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY,
                          reinterpret_cast<png_const_bytep>(from.pixels.data()),
                          static_cast<std::size_t>(from.size[1]) * sizeof(Pixel))) {
          if (state->error != 0) fail(path, "cannot write", state->error);
          fail(path, std::string{"cannot write: "} + state->message.data());
        }
        file.commit();
      },
      what);
} catch (const std::bad_alloc&) {
  fail(path, "cannot write: not enough memory");
}

}  // namespace image
