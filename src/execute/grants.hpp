#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <fastgpu/error.hpp>
#include <fastgpu/ids.hpp>
#include <fastgpu/seconds.hpp>

#include "detail/interval_set.hpp"
#include "execute/environment.hpp"
#include "execute/ledger.hpp"

/// @file
/// Grants: who may run which subtasks, who gets what came back, and when to give up.

namespace fastgpu::inline v0::detail {

/// Permission for a device to run `part`.
struct grant {
  device_id device;
  interval part;
};

struct retry_limits {
  std::uint32_t attempts = 3;          ///< Of one subtask, before the run fails.
  std::uint32_t failures_in_a_row = 4; ///< Of one device, before it is taken out of the run.
  double budget_share = 0.1;           ///< Failed attempts of a run: this share of its subtasks ...
  std::uint64_t budget_extra = 20;     ///< ... and so many more.
};

/// State machine without I/O over a ledger: takes reports, gives grants. Subtasks that came back go to the device that
/// has failed least, and to another one than the last, where there is one; suspects run alone, so that the culprit can
/// be named.
///
/// @par Threads  Single-threaded: the run's mutex guards it.
class grants {
 public:
  grants(environment& world, ledger& book, std::size_t devices, std::uint32_t subtasks, std::uint32_t span,
         retry_limits limits = {});

  /// One more device, which is usable.
  /// @param name  For failures; empty: "device N".
  void add_device(const std::string& name = {});
  /// A device that was lost is there again.
  void restore(device_id device);

  /// The device will run nothing: it does not match the job, or cannot be opened.
  void exclude(device_id device) { usable_.at(device.value) = false; }
  [[nodiscard]] bool usable(device_id device) const { return usable_.at(device.value); }
  [[nodiscard]] bool any_usable() const;

  /// A placement's range: assigned in the ledger.
  void start(const grant& given) { book_.assign(given.part, given.device); }

  /// `part` cut so that every suspect in it stands alone.
  [[nodiscard]] std::vector<interval> apart(interval part) const;

  /// `device` could not carry out `part`, of which it folded nothing.
  /// @param in_a_row  Failures of the device since its last success, this one included.
  [[nodiscard]] std::vector<grant> failed(device_id device, interval part, const failure& why, std::uint32_t in_a_row);

  /// `device` is gone. `in_flight` was running and is suspected; all else that it held is innocent.
  /// @param hope  Some device may come yet: without a usable one, subtasks stay free.
  [[nodiscard]] std::vector<grant> lost(device_id device, const interval_set& in_flight, const failure& why,
                                        bool hope = false);

  /// Set once the run cannot go on.
  [[nodiscard]] const std::optional<failure>& run_failure() const noexcept { return run_failure_; }

  [[nodiscard]] std::uint64_t retries() const noexcept { return retries_; }    ///< Attempts that failed.
  [[nodiscard]] std::uint64_t wasted() const noexcept { return wasted_; }      ///< Subtasks of those attempts.
  [[nodiscard]] bool tired(device_id device) const { return tired_.at(device.value); }
  /// Attempts that failed on `device`. One that has failed should leave suspects to others.
  [[nodiscard]] std::uint64_t failures(device_id device) const { return failures_.at(device.value); }

 private:
  struct suspect {
    interval part;
    std::uint32_t attempts;
  };

  /// Counts an attempt of every subtask of `part`; fails the run where one has had its last.
  void blame(device_id device, interval part, const failure& why);
  [[nodiscard]] std::optional<device_id> next_device(std::optional<device_id> avoid);
  [[nodiscard]] std::uint32_t suspect_size(interval part) const;
  void give(interval part, std::optional<device_id> avoid, bool alone, std::vector<grant>& to);
  void no_device_left(const failure& why);

  [[maybe_unused]] environment& world_;  // where the time will come from when retries back off, as those of nodes do
  ledger& book_;
  std::uint32_t span_;
  retry_limits limits_;
  std::uint64_t budget_;
  std::vector<std::string> names_;
  std::vector<bool> usable_;
  std::vector<bool> tired_;
  std::vector<std::uint64_t> failures_;
  std::vector<suspect> suspects_;
  std::size_t turn_ = 0;
  std::uint64_t retries_ = 0;
  std::uint64_t wasted_ = 0;
  std::optional<failure> run_failure_;
};

}  // namespace fastgpu::inline v0::detail
