#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <fastgpu/ids.hpp>

#include "detail/interval_set.hpp"

/// @file
/// The ledger: which subtasks are free, assigned or committed. It makes aggregation exactly-once.

namespace fastgpu::inline v0::detail {

/// What a device says of a partial that it has closed.
struct seal {
  device_id device;
  std::uint32_t incarnation = 0;  ///< Of the device, when the partial was opened.
  std::uint64_t counter = 0;      ///< Subtasks that the device counted while folding.
};

/// One partial among several that were merged before they came to the host.
struct merged_seal {
  seal what;
  const interval_set* fold_set = nullptr;
};

enum class verdict {
  committed,  ///< Every subtask of the fold-set counts now; take the values.
  fenced,     ///< From an incarnation that is over: drop the values.
  violation,  ///< Contradicts the ledger: a defect. Drop the values; the run fails and says so.
};

/// State machine without I/O. A subtask is free, assigned to one device, or committed; it is committed once. The unit
/// of commit is a sealed partial: its whole fold-set in one step, and only from the device's current incarnation.
///
/// @par Threads  Single-threaded: the run's mutex guards it.
class ledger {
 public:
  /// All of `subtasks` are free; `devices` devices are at incarnation 1.
  ledger(std::uint32_t subtasks, std::size_t devices);

  /// One more device, at incarnation 1.
  void add_device() { holders_.emplace_back(); }

  /// An earlier run committed these. @pre  All of `part` is free.
  void resume(const interval_set& part);

  /// Free subtasks become assigned to `to`. @pre  All of `part` is free.
  void assign(interval part, device_id to);

  /// Unstarted subtasks change hands. @pre  All of `part` is assigned to `from`.
  void move(interval part, device_id from, device_id to);

  /// Subtasks assigned to `from` become free: refused, or failed before they were folded.
  /// @pre  All of `part` is assigned to `from`.
  void release(interval part, device_id from);

  /// Judges a sealed partial and commits its fold-set if it may.
  [[nodiscard]] verdict accept(const seal& what, const interval_set& fold_set);

  /// Judges the partials that one value was merged from. Commits all of their fold-sets, or none.
  /// @return  A verdict each. Where one is not `committed`, nothing is, and the value must not be used.
  [[nodiscard]] std::vector<verdict> accept_merged(std::span<const merged_seal> seals);

  /// The device is gone: its incarnation ends, and all that was assigned to it, folded or not, becomes free.
  /// @return  What became free.
  interval_set lose(device_id device);

  [[nodiscard]] std::uint32_t incarnation(device_id device) const { return at(device).incarnation; }
  [[nodiscard]] const interval_set& assigned(device_id device) const { return at(device).assigned; }
  [[nodiscard]] const interval_set& committed() const noexcept { return committed_; }
  [[nodiscard]] const interval_set& free() const noexcept { return free_; }
  [[nodiscard]] bool complete() const noexcept { return committed_.count() == subtasks_; }
  [[nodiscard]] std::uint64_t fenced() const noexcept { return fenced_; }  ///< Seals refused as late.

 private:
  struct holder {
    std::uint32_t incarnation = 1;
    interval_set assigned;
  };
  [[nodiscard]] verdict judge(const seal& what, const interval_set& fold_set) const;
  void commit(device_id device, const interval_set& fold_set);
  [[nodiscard]] holder& at(device_id device) { return holders_.at(device.value); }
  [[nodiscard]] const holder& at(device_id device) const { return holders_.at(device.value); }

  std::uint32_t subtasks_;
  interval_set free_;
  interval_set committed_;
  std::vector<holder> holders_;
  std::uint64_t fenced_ = 0;
};

}  // namespace fastgpu::inline v0::detail
