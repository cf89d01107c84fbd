#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "node/node_service.hpp"
#include "simulation/executor.hpp"
#include "simulation/session.hpp"

/// @file
/// A node's process: the real service over model executors.

namespace simulation {

/// The node's end of one session.
class node_end final : public session_end, public fastgpu::detail::node_host {
 public:
  node_end(world& where, process whose, session& over, machine& on, run_facts& facts, std::uint32_t device, bool drains,
           std::function<void()> drain_node, std::function<void()> changed);
  ~node_end();

  void start();
  void drain();
  void lose_child();
  [[nodiscard]] bool open() const { return open_; }
  [[nodiscard]] bool told_drained() const { return told_drained_; }
  [[nodiscard]] std::size_t jobs() const { return service_.jobs(); }

  // session_end
  void heard(message&& what, payload&& bytes) override;
  void heard_late(message&&, payload&&) override {}
  void closed() override;
  void suspected(bool) override {}

  // node_host
  void send(message what, std::shared_ptr<const payload> bytes) override;
  void breach(const fastgpu::failure& why) override;
  [[nodiscard]] fastgpu::detail::opened_job open(const fastgpu::detail::open_job& what,
                                                 fastgpu::detail::executor_owner& owner) override;
  [[nodiscard]] std::vector<fastgpu::device_info> devices() const override { return {}; }
  void drain_asked() override { drain_node_(); }
  void drained() override;

 private:
  class told_executor;

  void set_alarm();
  void tell_change();

  world& world_;
  process process_;
  session& session_;
  machine& machine_;
  run_facts& facts_;
  std::uint32_t device_;
  std::function<void()> drain_node_;
  std::function<void()> changed_;  // it is drained, or closed
  owned events_;
  alarm_clock alarm_;
  std::vector<told_executor*> executors_;  // those that there are
  fastgpu::detail::node_service service_;
  bool open_ = true;
  bool told_drained_ = false;
};

/// One machine with one process on it at a time.
class simulated_node {
 public:
  simulated_node(world& where, run_facts& facts, std::uint32_t device, const participant_plan& plan);
  ~simulated_node();

  [[nodiscard]] bool up() const noexcept { return up_; }
  [[nodiscard]] bool answers() const { return up_ && !world_.frozen(process_) && wire_.open(); }
  void start();
  void crash();
  void freeze();
  void thaw();
  void drain();
  void lose_child();
  [[nodiscard]] machine& hardware() noexcept { return machine_; }
  [[nodiscard]] wire& way() noexcept { return wire_; }
  void cut(end towards);
  void heal(end towards);
  void reset();

  /// @pre  answers()
  [[nodiscard]] session& accept(std::uint32_t number);
  /// Jobs of open sessions.
  [[nodiscard]] std::size_t jobs() const;

 private:
  void look_after_ends();

  world& world_;
  run_facts& facts_;
  std::uint32_t device_;
  machine machine_;
  wire wire_;
  process process_ = always;
  bool up_ = false;
  bool draining_ = false;
  std::vector<std::unique_ptr<session>> sessions_;  // all there were
  std::vector<std::unique_ptr<node_end>> ends_;
};

}  // namespace simulation
