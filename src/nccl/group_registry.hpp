#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "nccl/communicator.hpp"

/// @file
/// What a cluster keeps of its GPUs' group from one reduction to the next.

namespace fastgpu::inline v0::detail {

/// The group serves one run at a time; another that asks meanwhile does without.
///
/// @par Threads  Any.
class group_registry {
 public:
  /// @return  The number of a new reduction; none while another is under way.
  [[nodiscard]] std::optional<std::uint64_t> take()
  {
    const std::scoped_lock lock{mutex_};
    if (std::exchange(taken_, true)) return std::nullopt;
    return ++reductions_;
  }

  /// As whom these members reduce, and whether they have a communicator. @pre  Taken.
  [[nodiscard]] std::pair<membership, bool> group_of(std::vector<member_id> members)
  {
    const std::scoped_lock lock{mutex_};
    const bool same = connected_ && last_.members == members;
    if (same) return {last_, true};
    return {membership{last_.epoch, std::move(members), {}}, false};
  }

  /// The reduction is over, and has left this.
  void give_back(membership group, bool connected)
  {
    const std::scoped_lock lock{mutex_};
    last_ = std::move(group);
    connected_ = connected;
    taken_ = false;
  }
  /// It was given up after so many attempts at most.
  void give_back_broken(std::uint32_t attempts)
  {
    const std::scoped_lock lock{mutex_};
    last_.epoch += attempts + 1;
    connected_ = false;
    taken_ = false;
  }
  /// It has not begun.
  void give_back_unused()
  {
    const std::scoped_lock lock{mutex_};
    taken_ = false;
  }

 private:
  std::mutex mutex_;
  membership last_;  // guarded by mutex_, as all below
  bool connected_ = false;
  bool taken_ = false;
  std::uint64_t reductions_ = 0;
};

}  // namespace fastgpu::inline v0::detail
