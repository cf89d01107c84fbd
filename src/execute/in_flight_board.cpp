#include "execute/in_flight_board.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
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

interval range_of(std::uint64_t word) noexcept
{
  return {static_cast<std::uint32_t>(word >> 32), static_cast<std::uint32_t>(word)};
}

/// The same in all processes of a machine.
std::int64_t now_ns() noexcept
{
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::int64_t after_ns(seconds s) noexcept
{
  constexpr double most_s = 1e9;
  return static_cast<std::int64_t>(std::min(s.count, most_s) * 1e9);
}

}  // namespace

struct in_flight_board::entry {
  std::atomic<std::uint64_t> range;  // begin and end; 0: nothing
  std::atomic<std::int64_t> until;   // when it is overdue; below 0 if it never is: when it began, so that no two are alike
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

void in_flight_board::write(std::uint32_t slot, std::uint32_t job, interval batch, seconds may_take) noexcept
{
  auto& e = entries_[slot % slots];
  if (!batch.empty()) {
    const auto now = now_ns();
    e.until.store(may_take.count > 0 ? now + after_ns(may_take) : -now, std::memory_order_relaxed);
  }
  e.job.store(job, std::memory_order_relaxed);
  e.range.store(std::uint64_t{batch.begin} << 32 | batch.end, std::memory_order_release);
}

void in_flight_board::limit(std::uint32_t job, seconds may_take) noexcept
{
  const auto until = now_ns() + after_ns(may_take);
  for (std::uint32_t s = 0; s < slots; ++s) {
    auto& e = entries_[s];
    auto set = e.until.load(std::memory_order_acquire);
    if (range_of(e.range.load(std::memory_order_acquire)).empty() || e.job.load(std::memory_order_relaxed) != job) continue;
    // Where its writer has gone on meanwhile, to another job perhaps, the time is another and stays.
    if (set < 0 || until < set) e.until.compare_exchange_strong(set, until);
  }
}

interval in_flight_board::overdue() const noexcept
{
  const auto now = now_ns();
  for (std::uint32_t s = 0; s < slots; ++s) {
    const auto range = range_of(entries_[s].range.load(std::memory_order_acquire));
    if (range.empty()) continue;
    const auto until = entries_[s].until.load(std::memory_order_relaxed);
    if (until >= 0 && until < now) return range;
  }
  return {};
}

std::vector<interval> in_flight_board::read(std::uint32_t job) const
{
  std::vector<interval> under_way;
  for (std::uint32_t s = 0; s < slots; ++s) {
    const auto range = range_of(entries_[s].range.load(std::memory_order_acquire));
    if (!range.empty() && entries_[s].job.load(std::memory_order_relaxed) == job) under_way.push_back(range);
  }
  return under_way;
}

}  // namespace fastgpu::inline v0::detail
