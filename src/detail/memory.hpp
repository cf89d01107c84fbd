#pragma once

#include <cstddef>
#include <memory>

#include <fastgpu/cluster/memory_source.hpp>

/// @file
/// Memory aligned to 64 bytes, from the cluster's source or the heap.

namespace fastgpu::inline v0::detail {

inline constexpr std::size_t memory_alignment = 64;

/// The heap, where no source was given.
[[nodiscard]] memory_source& heap() noexcept;

struct give_back {
  memory_source* source = nullptr;
  std::size_t bytes = 0;
  void operator()(std::byte* memory) const noexcept { source->deallocate(memory, bytes, memory_alignment); }
};
using aligned_bytes = std::unique_ptr<std::byte[], give_back>;

/// Null for no bytes. @throws std::bad_alloc
[[nodiscard]] inline aligned_bytes allocate_aligned(std::size_t bytes, memory_source& source)
{
  if (bytes == 0) return {};
  return {static_cast<std::byte*>(source.allocate(bytes, memory_alignment)), give_back{&source, bytes}};
}

/// Allocator of containers over a source.
template <class T>
struct source_allocator {
  using value_type = T;
  memory_source* source;

  explicit source_allocator(memory_source& from) noexcept : source{&from} {}
  template <class U>
  source_allocator(const source_allocator<U>& other) noexcept : source{other.source}  // NOLINT: allocators convert
  {
  }
  [[nodiscard]] T* allocate(std::size_t n) { return static_cast<T*>(source->allocate(n * sizeof(T), alignof(T))); }
  void deallocate(T* memory, std::size_t n) noexcept { source->deallocate(memory, n * sizeof(T), alignof(T)); }
  template <class U>
  friend bool operator==(const source_allocator& a, const source_allocator<U>& b) noexcept
  {
    return a.source == b.source;
  }
};

}  // namespace fastgpu::inline v0::detail
