#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "nccl/communicator.hpp"

/// @file
/// What a cluster keeps of its GPUs' group from one reduction to the next.

namespace fastgpu::inline v0::detail {

/// The group serves one run of the process at a time, since collectives of two groups on the same GPUs may wait for each
/// other; another that asks meanwhile does without. After reductions that were given up it is asked for ever more rarely:
/// NCCL may not be there, or not work between these GPUs.
///
/// @par Threads  Any.
class group_registry {
 public:
  /// @return  The number of a new reduction; none while another is under way, or where the last ones were given up.
  [[nodiscard]] std::optional<std::uint64_t> take()
  {
    const std::scoped_lock lock{mutex_};
    if (pass_over_ > 0) {
      --pass_over_;
      return std::nullopt;
    }
    if (one_in_process().exchange(true)) return std::nullopt;
    return ++reductions_;
  }

  /// As whom these members reduce, and whether they have a communicator. @pre  Taken.
  [[nodiscard]] std::pair<membership, bool> group_of(std::vector<member_id> members)
  {
    const std::scoped_lock lock{mutex_};
    if (connected_ && last_.members == members) return {last_, true};
    return {membership{last_.epoch, std::move(members), {}}, false};
  }

  /// The reduction is over, and has left this.
  void give_back(membership group, bool connected)
  {
    const std::scoped_lock lock{mutex_};
    last_ = std::move(group);
    connected_ = connected;
    given_up_ = 0;
    one_in_process().store(false);
  }
  /// It has not begun.
  void give_back_unused() noexcept { one_in_process().store(false); }
  /// It was broken off in this epoch; or given up, since no collective came about.
  void give_back_broken(std::uint64_t epoch, bool given_up) noexcept
  {
    constexpr std::uint32_t doublings_max = 16;
    const std::scoped_lock lock{mutex_};
    last_.epoch = epoch;
    connected_ = false;
    if (given_up) {
      given_up_ = std::min(given_up_ + 1, doublings_max);
      pass_over_ = std::uint64_t{1} << given_up_;
    }
    one_in_process().store(false);
  }

 private:
  static std::atomic<bool>& one_in_process() noexcept
  {
    static std::atomic<bool> taken = false;
    return taken;
  }

  std::mutex mutex_;
  membership last_;  // guarded by mutex_, as all below
  bool connected_ = false;
  std::uint64_t reductions_ = 0;
  std::uint32_t given_up_ = 0;   // in a row
  std::uint64_t pass_over_ = 0;  // runs that do without
};

}  // namespace fastgpu::inline v0::detail
