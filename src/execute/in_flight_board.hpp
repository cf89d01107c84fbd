#pragma once

#include <cstdint>
#include <vector>

#include <fastgpu/subtask.hpp>

/// @file
/// Which batches are under way, written where it outlives the process.

namespace fastgpu::inline v0::detail {

/// Memory that a worker shares with its parent: which batch each of its threads is at. It outlives the worker, so that
/// the parent knows whom to suspect.
///
/// @par Threads  A slot has one writer; reading is for when the writer is gone.
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
  void write(std::uint32_t slot, std::uint32_t job, interval batch) noexcept;
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
