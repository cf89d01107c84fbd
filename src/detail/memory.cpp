#include "detail/memory.hpp"

#include <new>

namespace fastgpu::inline v0 {

memory_source::~memory_source() = default;

namespace detail {
namespace {

class heap_source final : public memory_source {
 public:
  void* allocate(std::size_t bytes, std::size_t alignment) override
  {
    return ::operator new(bytes, std::align_val_t{alignment});
  }
  void deallocate(void* memory, std::size_t, std::size_t alignment) noexcept override
  {
    ::operator delete(memory, std::align_val_t{alignment});
  }
};

}  // namespace

memory_source& heap() noexcept
{
  alignas(heap_source) static std::byte storage[sizeof(heap_source)];
  static auto& instance = *new (storage) heap_source;  // never destroyed: runs may outlive static objects
  return instance;
}

}  // namespace detail
}  // namespace fastgpu::inline v0
