#pragma once

#include <cstddef>
#include <memory_resource>

#include <fastgpu/cluster/memory_source.hpp>

/// @file
/// A std::pmr::memory_resource as the library's memory. Apart, because <memory_resource> costs as much to compile as
/// all of fastgpu.

namespace fastgpu::inline v0 {

/// Takes the library's memory from `resource`, which must be safe for several threads and outlive this.
class pmr_memory_source final : public memory_source {
 public:
  explicit pmr_memory_source(std::pmr::memory_resource& resource) noexcept : resource_{&resource} {}

  [[nodiscard]] void* allocate(std::size_t bytes, std::size_t alignment) override
  {
    return resource_->allocate(bytes, alignment);
  }
  void deallocate(void* memory, std::size_t bytes, std::size_t alignment) noexcept override
  {
    resource_->deallocate(memory, bytes, alignment);
  }

 private:
  std::pmr::memory_resource* resource_;
};

}  // namespace fastgpu::inline v0
