#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "node/job_executor.hpp"
#include "simulation/scenario.hpp"
#include "simulation/value.hpp"
#include "simulation/world.hpp"

/// @file
/// A model of the executor of granted runs: src/execute/granted_run.cpp without threads and kernels.

namespace simulation {

using fastgpu::failure;
using fastgpu::detail::job_number;

/// A machine's workers, as far as faults change them.
struct machine {
  participant_plan plan;
  double slower = 1;
  std::uint32_t batch_errors = 0;  ///< So many of the batches to come fail.
  bool has_broadcast = false;      ///< Its content is there from before.
};

/// What all executors of a run share.
struct run_facts {
  const scenario* what = nullptr;
  const reference* values = nullptr;
};

/// Workers take batches at the front, fold into a partial each, and close it when they run dry or are asked to. A
/// partial with a revoked subtask in it is dropped whole.
class model_executor final : public fastgpu::detail::job_executor {
 public:
  /// @param tells_failures  Failed batches are told by take_failed() rather than tried again here.
  model_executor(world& where, process whose, machine& on, run_facts& facts, origin from, double seal_every,
                 fastgpu::detail::executor_owner& owner, bool tells_failures);

  [[nodiscard]] std::optional<failure> store(const fastgpu::detail::job_data_piece& piece, payload&& bytes) override;
  [[nodiscard]] bool may_run(interval) const override { return true; }
  void grant(std::span<const interval> ranges) override;
  void stage(interval range) override;
  [[nodiscard]] interval_set take_back(std::uint64_t subtasks) override;
  void revoke(const interval_set& part) override;
  [[nodiscard]] fastgpu::detail::sealed_payload take_sealed() override;
  [[nodiscard]] fastgpu::detail::executor_state state() const override;
  [[nodiscard]] failure why() const override { return why_; }

  /// A worker process dies.
  void lose_child();
  [[nodiscard]] std::vector<std::pair<interval, failure>> take_failed() { return std::exchange(failed_, {}); }
  [[nodiscard]] bool finished() const noexcept { return finished_; }

 private:
  struct partial {
    interval_set fold_set;
    value what;
    std::uint64_t counter = 0;
  };
  struct worker {
    interval batch;
    bool staged = false;
    bool busy = false;
    bool seal_soon = false;
    double left_s = 0;  // of the batch, at full speed
    partial open;
  };

  [[nodiscard]] bool writes_as_backup(interval range) const;
  void begin(std::uint32_t number);
  void run(std::uint32_t number);
  void done(std::uint32_t number);
  void batch_failed(worker& w);
  void close(worker& w);
  void wake();
  void news();
  void finish(failure why);
  [[nodiscard]] interval next_batch();
  void seal_all_soon();
  [[nodiscard]] const scenario& plan() const { return *facts_.what; }

  world& world_;
  machine& machine_;
  run_facts& facts_;
  origin from_;
  double seal_every_;
  fastgpu::detail::executor_owner& owner_;
  bool tells_failures_;
  owned events_;

  std::vector<worker> workers_;
  interval_set unstarted_;
  std::deque<interval> staged_;
  interval_set pieces_;  // subtasks whose data are there
  bool broadcast_;
  partial total_;
  interval_set dropped_;
  interval_set revoked_;
  std::uint64_t done_ = 0;
  std::uint32_t failures_in_a_row_ = 0;
  std::vector<std::pair<interval, failure>> failed_;
  bool news_under_way_ = false;
  bool finished_ = false;
  failure why_;
};

}  // namespace simulation
