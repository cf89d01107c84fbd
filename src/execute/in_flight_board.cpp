#include "execute/in_flight_board.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include <fastgpu/error.hpp>

namespace fastgpu::inline v0::detail {
namespace {

[[noreturn]] void refuse(int number)
{
  throw error{errc::no_usable_device, std::string{"worker: shared memory: "} + std::strerror(number)};
}

}  // namespace

struct in_flight_board::entry {
  std::atomic<std::uint64_t> range;  // begin and end; 0: nothing
  std::atomic<std::uint32_t> job;
};

in_flight_board::in_flight_board() : in_flight_board{::memfd_create("fastgpu-worker", MFD_CLOEXEC)} {}

in_flight_board::in_flight_board(int descriptor) : descriptor_{descriptor}
{
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);  // it is shared with another process
  constexpr auto bytes = slots * sizeof(entry);
  if (descriptor_ < 0) refuse(errno);
  void* at = MAP_FAILED;
  if (::ftruncate(descriptor_, bytes) == 0) {
    at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
  }
  if (at == MAP_FAILED) {
    const auto number = errno;
    ::close(descriptor_);
    refuse(number);
  }
  entries_ = static_cast<entry*>(at);  // zeros, which are what an entry begins as
}

in_flight_board::~in_flight_board()
{
  ::munmap(entries_, slots * sizeof(entry));
  ::close(descriptor_);
}

void in_flight_board::write(std::uint32_t slot, std::uint32_t job, interval batch) noexcept
{
  auto& e = entries_[slot % slots];
  e.job.store(job, std::memory_order_relaxed);
  e.range.store(std::uint64_t{batch.begin} << 32 | batch.end, std::memory_order_release);
}

std::vector<interval> in_flight_board::read(std::uint32_t job) const
{
  std::vector<interval> under_way;
  for (std::uint32_t s = 0; s < slots; ++s) {
    const auto word = entries_[s].range.load(std::memory_order_acquire);
    const interval range{static_cast<std::uint32_t>(word >> 32), static_cast<std::uint32_t>(word)};
    if (!range.empty() && entries_[s].job.load(std::memory_order_relaxed) == job) under_way.push_back(range);
  }
  return under_way;
}

}  // namespace fastgpu::inline v0::detail
