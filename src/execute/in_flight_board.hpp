#pragma once

#include <cstdint>
#include <vector>

#include <fastgpu/seconds.hpp>
#include <fastgpu/subtask.hpp>

/// @file
/// Which batches are under way, and until when they may be, written where it outlives the process.

namespace fastgpu::inline v0::detail {

/// Memory that a worker shares with its parent: which batch each of its threads is at. It outlives the worker, so that
/// the parent knows whom to suspect; and where a batch hangs, the parent sees it there and ends the worker.
///
/// @par Threads  A slot has one writer; all others read and limit().
class in_flight_board {
 public:
  static constexpr std::uint32_t slots = 4096;

  /// A new one, or the one behind a descriptor that was inherited, which is taken over.
  /// @throws error  errc::no_usable_device
  in_flight_board();
  explicit in_flight_board(int descriptor);
  in_flight_board(const in_flight_board&) = delete;
  in_flight_board& operator=(const in_flight_board&) = delete;
  ~in_flight_board();

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

  /// Thread `slot` begins a batch of job `job`, or, with an empty one, has ended it.
  /// @param may_take  0: as long as it wants.
  void write(std::uint32_t slot, std::uint32_t job, interval batch, seconds may_take) noexcept;
  /// What is under way of `job` now may take so long from now on, if it may not end earlier.
  void limit(std::uint32_t job, seconds may_take) noexcept;
  /// A batch that has taken longer than it may; an empty one where there is none.
  [[nodiscard]] interval overdue() const noexcept;
  /// What was under way of `job` when its worker died.
  [[nodiscard]] std::vector<interval> read(std::uint32_t job) const;

 private:
  struct entry;
  entry* entries_ = nullptr;
  int descriptor_ = -1;
};

/// The board of this process, where it is a worker; null in any other.
[[nodiscard]] in_flight_board* board_of_this_worker() noexcept;

}  // namespace fastgpu::inline v0::detail
