#include "detail/mapped_bytes.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <new>

namespace fastgpu::inline v0::detail {

mapped_bytes::mapped_bytes(std::size_t bytes) : bytes_{bytes}
{
  if (bytes == 0) return;
  auto* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc{};
  data_ = static_cast<std::byte*>(at);
}

mapped_bytes::~mapped_bytes()
{
  if (data_ != nullptr) munmap(data_, bytes_);
}

void mapped_bytes::give_back(std::size_t begin, std::size_t end) noexcept
{
  static const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  begin = (begin + page - 1) / page * page;
  end = end / page * page;
  // Where it fails, the pages stay, and cost what they cost.
  if (begin < end) (void)madvise(data_ + begin, end - begin, MADV_DONTNEED);
}

void mapped_bytes::make_read_only() noexcept
{
  // Where it fails, a kernel that writes what it must only read is not caught.
  if (data_ != nullptr) (void)mprotect(data_, bytes_, PROT_READ);
}

}  // namespace fastgpu::inline v0::detail
