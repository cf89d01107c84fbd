#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include <fastgpu/subtask.hpp>

/// @file
/// The queue of one worker: ranges of subtasks, not subtasks. A take costs one compare-and-swap.

namespace fastgpu::inline v0::detail {

/// A range that the owner takes from in front and thieves from behind, and a side list of ranges that were returned or
/// granted meanwhile.
///
/// The current range is one word, begin and end packed, so that a take is a single compare-and-swap whose value *is*
/// the state: there is no ABA, and no order between two fields to get wrong.
///
/// @par Threads  take_front() and refill(): the owner only. Everything else: any thread.
class interval_deque {
 public:
  /// `n` subtasks from the front, rounded up to whole spans, or what is left. Owner. @pre n >= 1
  [[nodiscard]] interval take_front(std::uint32_t n, std::uint32_t span) noexcept
  {
    auto word = range_.load(std::memory_order_relaxed);
    for (;;) {
      const auto range = unpack(word);
      if (range.empty()) return {};
      const auto cut = std::min<std::uint64_t>(range.end, align_up(std::uint64_t{range.begin} + n, span));
      const interval taken{range.begin, static_cast<std::uint32_t>(cut)};
      if (range_.compare_exchange_weak(word, pack({taken.end, range.end}), std::memory_order_relaxed)) return taken;
    }
  }

  /// From the back, what is beyond the `keep` first subtasks, cut at multiples of `span`. Empty if that is nothing.
  [[nodiscard]] interval steal_back(std::uint32_t keep, std::uint32_t span) noexcept
  {
    auto word = range_.load(std::memory_order_relaxed);
    for (;;) {
      const auto range = unpack(word);
      if (range.empty()) return {};
      const auto cut = align_up(std::uint64_t{range.begin} + keep, span);
      if (cut >= range.end) return {};
      const interval stolen{static_cast<std::uint32_t>(cut), range.end};
      // Acquire, with refill(): a range that runs again comes with what its first attempt wrote.
      if (range_.compare_exchange_weak(word, pack({range.begin, stolen.begin}), std::memory_order_acq_rel,
                                       std::memory_order_relaxed)) {
        return stolen;
      }
    }
  }

  /// Puts `range` where the owner takes from. Owner. @pre  The current range is empty.
  void refill(interval range) noexcept { range_.store(pack(range), std::memory_order_release); }

  /// Adds a range to the side list.
  void add(interval range)
  {
    const std::scoped_lock lock{mutex_};
    side_.push_back(range);
    side_count_.store(side_.size(), std::memory_order_release);  // pairs with has_side()
  }

  /// Takes a whole range from the side list; empty if there is none.
  [[nodiscard]] interval take_side()
  {
    if (!has_side()) return {};
    const std::scoped_lock lock{mutex_};
    if (side_.empty()) return {};
    const auto range = side_.back();
    side_.pop_back();
    side_count_.store(side_.size(), std::memory_order_release);
    return range;
  }

  [[nodiscard]] bool has_side() const noexcept { return side_count_.load(std::memory_order_acquire) != 0; }

  /// What the current range holds, at some moment.
  [[nodiscard]] interval peek() const noexcept { return unpack(range_.load(std::memory_order_relaxed)); }

  /// Subtasks in both, at some moment.
  [[nodiscard]] std::uint64_t size() const
  {
    std::uint64_t all = peek().size();
    if (!has_side()) return all;
    const std::scoped_lock lock{mutex_};
    for (const auto& range : side_) all += range.size();
    return all;
  }

  /// Empties everything and returns it.
  [[nodiscard]] std::vector<interval> drain()
  {
    std::vector<interval> all;
    const auto range = unpack(range_.exchange(0, std::memory_order_acq_rel));
    if (!range.empty()) all.push_back(range);
    const std::scoped_lock lock{mutex_};
    all.insert(all.end(), side_.begin(), side_.end());
    side_.clear();
    side_count_.store(0, std::memory_order_release);
    return all;
  }

 private:
  static constexpr std::uint64_t pack(interval i) noexcept { return std::uint64_t{i.begin} << 32 | i.end; }
  static constexpr interval unpack(std::uint64_t word) noexcept
  {
    return {static_cast<std::uint32_t>(word >> 32), static_cast<std::uint32_t>(word)};
  }
  /// @pre  `span` is a power of two.
  static constexpr std::uint64_t align_up(std::uint64_t n, std::uint32_t span) noexcept
  {
    return (n + span - 1) & ~std::uint64_t{span - 1};
  }

  alignas(64) std::atomic<std::uint64_t> range_ = 0;
  alignas(64) std::atomic<std::size_t> side_count_ = 0;
  mutable std::mutex mutex_;     // leaf lock
  std::vector<interval> side_;   // guarded by mutex_
};

}  // namespace fastgpu::inline v0::detail
