#pragma once

#include <cstddef>

#include <fastgpu/config.hpp>

/// @file
/// Where the library takes memory from, for programs that want to say. cluster/memory_resource.hpp makes one of a
/// std::pmr::memory_resource.

namespace fastgpu::inline v0 {

/// Memory for values, partials and staged slices: everything whose size depends on a job's data.
///
/// @par Threads    allocate() and deallocate() are called from the library's threads, several at a time.
/// @par Lifetimes  Outlives every cluster and run that uses it.
class FASTGPU_API memory_source {
 public:
  /// @return  At least `bytes` bytes, aligned to `alignment`, a power of two. @throws std::bad_alloc
  [[nodiscard]] virtual void* allocate(std::size_t bytes, std::size_t alignment) = 0;
  /// Takes back what allocate() gave for the same `bytes` and `alignment`.
  virtual void deallocate(void* memory, std::size_t bytes, std::size_t alignment) noexcept = 0;

 protected:
  memory_source() = default;
  memory_source(const memory_source&) = default;
  memory_source& operator=(const memory_source&) = default;
  virtual ~memory_source();
};

}  // namespace fastgpu::inline v0
