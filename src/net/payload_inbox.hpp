#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include <fastgpu/error.hpp>

#include "net/messages.hpp"

/// @file
/// Where payloads are put together from their pieces, and how much memory that may take.

namespace fastgpu::inline v0::detail {

/// Bytes that all sessions of a process may hold in payloads that are not complete.
///
/// @par Threads  Any; sessions of several threads may share one.
class payload_budget {
 public:
  explicit payload_budget(std::uint64_t bytes) : left_{bytes} {}

  [[nodiscard]] bool take(std::uint64_t bytes) noexcept
  {
    auto left = left_.load(std::memory_order_relaxed);  // a count: it publishes nothing
    do {
      if (left < bytes) return false;
    } while (!left_.compare_exchange_weak(left, left - bytes, std::memory_order_relaxed));
    return true;
  }
  void give_back(std::uint64_t bytes) noexcept { left_.fetch_add(bytes, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t left() const noexcept { return left_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> left_;
};

/// That of this process: half of the machine's memory.
[[nodiscard]] std::shared_ptr<payload_budget> budget_of_this_process();

/// The one payload of a session that is on its way. Its memory grows as pieces arrive: what was announced is a bound.
///
/// @par Threads  Single-threaded.
class payload_inbox {
 public:
  explicit payload_inbox(std::shared_ptr<payload_budget> budget) : budget_{std::move(budget)} {}
  ~payload_inbox() { clear(); }
  payload_inbox(const payload_inbox&) = delete;
  payload_inbox& operator=(const payload_inbox&) = delete;

  /// A message of which `bytes` bytes will follow. @pre  No other is being received, bytes > 0.
  void begin(message&& what, std::uint64_t bytes);

  [[nodiscard]] bool receiving() const noexcept { return what_.has_value(); }

  /// The next piece. @return  Why not: more than was announced, or no memory.
  [[nodiscard]] std::optional<failure> add(std::span<const std::byte> piece);

  [[nodiscard]] bool complete() const noexcept { return what_ && bytes_.size() == announced_; }

  struct item {
    message what;
    payload bytes;
  };
  /// Hands over what is complete. Its memory is no longer counted: it is the receiver's.
  [[nodiscard]] item take();

  /// Forgets what has come.
  void clear() noexcept;

 private:
  std::shared_ptr<payload_budget> budget_;  // may be null: no bound
  std::optional<message> what_;
  payload bytes_;
  std::uint64_t announced_ = 0;
  std::uint64_t taken_ = 0;  // of the budget
};

}  // namespace fastgpu::inline v0::detail
