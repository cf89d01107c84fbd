#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include "cuda/gpu.hpp"

/// @file
/// Owners of what a GPU lends: memory that grows, streams, events.

namespace fastgpu::inline v0::detail {

/// Parts of a buffer begin at multiples of this many bytes, which suits every element and every copy.
[[nodiscard]] constexpr std::size_t gpu_aligned(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

enum class gpu_memory_kind { device, pinned };

/// Memory that keeps its size until more is asked for. The content is lost then.
class gpu_buffer {
 public:
  gpu_buffer(gpu& on, gpu_memory_kind kind) : on_{&on}, kind_{kind} {}
  gpu_buffer(gpu_buffer&& other) noexcept
      : on_{other.on_},
        kind_{other.kind_},
        data_{std::exchange(other.data_, nullptr)},
        bytes_{std::exchange(other.bytes_, 0)}
  {
  }
  gpu_buffer& operator=(gpu_buffer&&) = delete;
  ~gpu_buffer() { clear(); }

  /// @pre  Nothing under way uses the memory.
  /// @throws gpu_error  out_of_memory: the buffer is empty then.
  std::byte* reserve(std::size_t bytes)
  {
    if (bytes <= bytes_) return data_;
    const auto wanted = std::max(bytes, bytes_ + bytes_ / 2);
    clear();
    try {
      allocate(wanted);
    } catch (const gpu_error& e) {
      if (e.what_kind() != gpu_error::kind::out_of_memory || wanted == bytes) throw;
      allocate(bytes);  // without room to grow, then
    }
    return data_;
  }
  void swap(gpu_buffer& other) noexcept
  {
    std::swap(on_, other.on_);
    std::swap(kind_, other.kind_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }
  void clear() noexcept
  {
    if (data_ == nullptr) return;
    kind_ == gpu_memory_kind::device ? on_->release(data_) : on_->release_pinned(data_);
    data_ = nullptr;
    bytes_ = 0;
  }
  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] gpu_memory_kind kind() const noexcept { return kind_; }

 private:
  void allocate(std::size_t bytes)
  {
    data_ = static_cast<std::byte*>(kind_ == gpu_memory_kind::device ? on_->allocate(bytes)
                                                                      : on_->allocate_pinned(bytes));
    bytes_ = bytes;
  }

  gpu* on_;
  gpu_memory_kind kind_;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Owning handle of a stream or an event.
template <class Handle>
class gpu_handle {
 public:
  gpu_handle(gpu& on, Handle handle) : on_{&on}, handle_{handle} {}
  gpu_handle(gpu_handle&& other) noexcept : on_{other.on_}, handle_{std::exchange(other.handle_, nullptr)} {}
  gpu_handle& operator=(gpu_handle&&) = delete;
  ~gpu_handle()
  {
    if (handle_ != nullptr) on_->destroy(handle_);
  }
  [[nodiscard]] Handle get() const noexcept { return handle_; }

 private:
  gpu* on_;
  Handle handle_;
};

}  // namespace fastgpu::inline v0::detail
