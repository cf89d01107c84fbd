#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "execute/coordinator.hpp"
#include "execute/remote_participant.hpp"
#include "simulation/checker.hpp"
#include "simulation/local.hpp"
#include "simulation/node.hpp"

/// @file
/// The program that owns the run: the real coordinator, a remote participant for each node, and what surrounds them.

namespace simulation {

/// Values that have come.
struct values_here final : fastgpu::detail::arrived_values {
  explicit values_here(stamped_value v) : held{v} {}
  stamped_value held;
};

enum class outcome { running, done, failed, cancelled };

/// What is wanted of the whole by a node's link, or by the local participant.
class program_core {
 public:
  /// Something was said to a state machine: the alarms may be others.
  virtual void touched() = 0;
  [[nodiscard]] virtual std::uint32_t next_number() = 0;
  [[nodiscard]] virtual bool over() const = 0;

 protected:
  ~program_core() = default;
};

/// The program's end of the sessions with one node.
class node_link final : public session_end, public fastgpu::detail::remote_host {
 public:
  node_link(world& where, program_core& core, fastgpu::detail::coordinator& boss, checker& watch, const scenario& what,
            fastgpu::device_id device, simulated_node& node);

  void connect();
  /// The session ends, from this side.
  void cut_off(const fastgpu::failure& why);
  void close_job();
  void set_alarm();
  /// It will not take part any more: it cannot be reached, has refused, or has lost all too often.
  [[nodiscard]] bool out() const { return gave_up_ || refused_ || losses_ >= scenario_.remote.losses_max; }

  // session_end
  void heard(message&& what, payload&& bytes) override;
  void heard_late(message&& what, payload&& bytes) override;
  void closed() override;
  void suspected(bool now) override;

  // remote_host
  void send(message what, std::shared_ptr<const payload> bytes) override;
  [[nodiscard]] std::uint64_t queued_bytes() const override;
  [[nodiscard]] fastgpu::detail::job_number next_job() override;
  [[nodiscard]] fastgpu::detail::open_job describe() override;
  [[nodiscard]] fastgpu::detail::packed_piece broadcast(std::uint32_t argument) override;
  [[nodiscard]] std::vector<fastgpu::detail::packed_piece> pieces(interval range) override;
  [[nodiscard]] fastgpu::result<std::unique_ptr<fastgpu::detail::arrived_values>> unpack(const interval_set& fold_set,
                                                                                         payload&& bytes) override;
  void cut(const fastgpu::failure& why) override;

 private:
  void try_again();
  void note_heard(const message& what);

  world& world_;
  program_core& core_;
  fastgpu::detail::coordinator& boss_;
  checker& checker_;
  const scenario& scenario_;
  fastgpu::device_id device_;
  simulated_node& node_;
  owned events_;
  alarm_clock alarm_;
  fastgpu::detail::remote_participant participant_;
  session* session_ = nullptr;
  double away_since_ = 0;
  double back_off_ = 0;
  bool gave_up_ = false;
  bool refused_ = false;
  std::uint32_t losses_ = 0;  // in a row
};

class program final : public program_core, public fastgpu::detail::coordinator_owner {
 public:
  program(world& where, const scenario& what, run_facts& facts, const reference& values,
          std::vector<std::unique_ptr<simulated_node>>& nodes);

  void start();
  void cancel();
  [[nodiscard]] outcome how() const noexcept { return outcome_; }
  [[nodiscard]] const fastgpu::failure& why() const noexcept { return why_; }
  [[nodiscard]] bool anybody_left(const std::vector<std::uint32_t>& losses) const;
  [[nodiscard]] const fastgpu::detail::coordinator& boss() const noexcept { return boss_; }
  [[nodiscard]] const checker& watch() const noexcept { return checker_; }
  [[nodiscard]] local_participant* local() noexcept { return local_.get(); }
  void look() { checker_.look_at(boss_); }

  // program_core
  void touched() override;
  std::uint32_t next_number() override { return ++numbers_; }
  bool over() const override { return outcome_ != outcome::running; }

  // coordinator_owner
  void commit(fastgpu::detail::arrived_values& values, const interval_set& fold_set) override;
  void distrust(fastgpu::device_id device, const fastgpu::failure& why) override;
  void decided(const std::optional<fastgpu::failure>& why) override;

 private:
  void end();

  world& world_;
  const scenario& scenario_;
  owned events_;
  alarm_clock alarm_;
  checker checker_;
  fastgpu::detail::coordinator boss_;
  std::unique_ptr<local_participant> local_;
  std::vector<std::unique_ptr<node_link>> links_;  // [participants], null for the local one
  std::uint32_t numbers_ = 0;
  outcome outcome_ = outcome::running;
  fastgpu::failure why_;
};

}  // namespace simulation
