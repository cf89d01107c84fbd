#pragma once

#include <cstddef>
#include <utility>

/// @file
/// Memory of which only what is touched costs anything.

namespace fastgpu::inline v0::detail {

/// A mapping of zeros, for data of which perhaps only parts will come. Aligned to pages.
///
/// @par Threads  As for a vector.
class mapped_bytes {
 public:
  mapped_bytes() = default;
  /// @throws std::bad_alloc
  explicit mapped_bytes(std::size_t bytes);
  ~mapped_bytes();
  mapped_bytes(mapped_bytes&& other) noexcept
      : data_{std::exchange(other.data_, nullptr)}, bytes_{std::exchange(other.bytes_, 0)}
  {
  }
  mapped_bytes& operator=(mapped_bytes&& other) noexcept
  {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  /// Null for no bytes.
  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_; }

  /// Gives the system back the pages that lie in [begin, end) whole: they are zeros again.
  void give_back(std::size_t begin, std::size_t end) noexcept;

  /// From now on a write ends the process: for what is shared.
  void make_read_only() noexcept;

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace fastgpu::inline v0::detail
