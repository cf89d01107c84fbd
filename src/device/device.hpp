#pragma once

#include <cstdint>
#include <memory>

#include <fastgpu/device/device_info.hpp>
#include <fastgpu/error.hpp>
#include <fastgpu/subtask.hpp>

#include "aggregate/partial.hpp"
#include "execute/environment.hpp"

/// @file
/// The one interface of everything that runs subtasks.

namespace fastgpu::inline v0::detail {

enum class batch_status {
  done,           ///< Folded into the open partial.
  queued,         ///< Under way; poll() will tell.
  kernel_failed,  ///< The kernel threw or raised its flag: the run fails. why() and failed_subtask() tell.
  failed,         ///< The device could not run the batch and folded nothing of it: it may run elsewhere.
  lost,           ///< The device is gone, its open partial with it.
};

/// What a partial was when it was closed.
struct sealed_partial {
  std::unique_ptr<partial> values;  ///< Null where nothing was folded.
  std::uint64_t counter = 0;        ///< Subtasks counted while folding, apart from the fold-set.
};

class group_member;

/// An open partial whose values lie in one place of a GPU's memory. As long as nothing is launched, sealed or dropped.
struct values_in_place {
  group_member* member = nullptr;           ///< The GPU's seat in its group.
  const void* data = nullptr;
  const interval_set* fold_set = nullptr;
  std::uint64_t counter = 0;                ///< As sealed_partial::counter.
};

/// How batches of a session should be cut, where run_options leave it to measurement.
struct batch_hints {
  std::uint32_t first = 1;      ///< Subtasks of a batch, before any was measured.
  double target_ns = 0;         ///< A batch takes at least about this long.
};

/// One worker of a device in one run.
///
/// A kernel's failure, a device's failure and a lost device are statuses, never exceptions: each asks for something
/// else. After `lost` only the destructor is called.
///
/// @par Threads  One at a time: whoever has the worker's seat; for devices that are one_thread() always the same.
class device_session {
 public:
  virtual ~device_session() = default;

  /// Starts `batch`, cut at spans. @pre  Fewer than in_flight_max() batches are under way.
  [[nodiscard]] virtual batch_status launch(interval batch) = 0;

  /// How the oldest batch under way is doing; `batch` is set unless it is still queued. Then it may rest a moment: it is
  /// called again at once.
  [[nodiscard]] virtual batch_status poll(interval& batch)
  {
    batch = {};
    return batch_status::queued;
  }

  /// Batches that may be under way at a time.
  [[nodiscard]] virtual std::uint32_t in_flight_max() const noexcept { return 1; }

  [[nodiscard]] virtual batch_hints hints() const noexcept { return {}; }

  /// Closes the partial and opens a new one. @pre  Nothing is under way.
  /// @throws error  The device is lost, the open partial with it.
  [[nodiscard]] virtual sealed_partial seal() = 0;

  /// Gathers the open partial's values in one place of the device's memory, where a group of devices can reduce them,
  /// and leaves the partial open: seal() still closes it as if nothing had been. @pre  Nothing is under way.
  /// @return        No member where the device is in no group, or there are no values.
  /// @throws error  As seal().
  [[nodiscard]] virtual values_in_place in_place() { return {}; }
  /// Closes the partial without its values, which have been committed with those of others.
  virtual void drop_open() noexcept {}
  /// The same where somebody may still read them: their memory is not used again.
  virtual void leave_values() noexcept {}

  /// Why the last batch failed.
  [[nodiscard]] virtual const failure& why() const noexcept = 0;
  [[nodiscard]] virtual std::uint32_t failed_subtask() const noexcept = 0;
};

struct session_request {
  const job_data* job = nullptr;
  fold_kind fold = fold_kind::none;
  const int* stop = nullptr;   ///< Non-zero once the run is over; read through std::atomic_ref.
  std::uint32_t worker = 0;    ///< Which of the device's workers.
  memory_source* memory = &heap();  ///< For partials and staging.
};

/// Something that runs subtasks: one GPU, or one group of CPU threads.
///
/// @par Threads  info() and open(): any.
class device {
 public:
  virtual ~device() = default;

  /// @pre  The caller fills in `id`; the rest is constant.
  [[nodiscard]] virtual const device_info& info() const noexcept = 0;

  /// Whether a worker's calls must all come from one thread. Else one thread may go on where another left off.
  [[nodiscard]] virtual bool one_thread() const noexcept { return false; }

  /// Opens a worker for a run.
  /// @throws error, std::bad_alloc  The device cannot take part in the run.
  [[nodiscard]] virtual std::unique_ptr<device_session> open(const session_request& request) = 0;
};

}  // namespace fastgpu::inline v0::detail
