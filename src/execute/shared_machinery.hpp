#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "aggregate/partial.hpp"
#include "cluster/node_directory.hpp"
#include "execute/coordinator.hpp"
#include "execute/remote_participant.hpp"
#include "execute/shared_job.hpp"
#include "execute/shared_run.hpp"
#include "node/device_executor.hpp"
#include "node/sealed_values.hpp"

/// @file
/// The inside of a shared run: its coordinator, this process's devices, and its nodes.

namespace fastgpu::inline v0::detail {

/// Values that this process's own devices aggregated.
struct local_values final : arrived_values {
  explicit local_values(std::unique_ptr<partial> v) : values{std::move(v)} {}
  std::unique_ptr<partial> values;
};

/// Values that came from a node.
struct remote_values final : arrived_values {
  explicit remote_values(arrived_partial v) : values{std::move(v)} {}
  arrived_partial values;
};

/// This process's devices as a participant.
class local_participant final : public participant {
 public:
  local_participant(network& on, const ref<cluster_core>& core, shared_job& what, const placement& devices,
                    const run_options& options, coordinator& boss, device_id device, std::function<void()> changed,
                    std::function<void()> no_memory);
  ~local_participant();

  void join();
  /// News for the coordinator.
  void look();
  /// No more batches; afterwards ended() will come true.
  void stop();
  [[nodiscard]] bool ended() const { return run_->ended(); }
  [[nodiscard]] const run_summary& summary() const { return (*run_)->summary(); }
  [[nodiscard]] const run_state& run() const { return **run_; }
  [[nodiscard]] std::optional<seconds> next_tick() const { return joined_ ? std::optional{next_look_} : std::nullopt; }
  void tick();

  // participant
  void grant(std::span<const interval> ranges) override;
  void stage(interval range) override;
  void take_back(std::uint32_t request, std::uint64_t subtasks) override;
  void seal(std::uint64_t request, const interval_set& revoked) override;
  void acknowledge(std::uint64_t) override {}

 private:
  network& on_;
  coordinator& boss_;
  device_id device_;
  std::function<void()> changed_;
  std::uint32_t workers_ = 0;
  std::unique_ptr<watched_run> run_;
  std::shared_ptr<local_participant*> alive_;
  bool joined_ = false;
  std::uint64_t granted_ = 0;
  std::uint64_t seals_ = 0;
  seconds next_look_{};
  double look_after_s_ = 0;
  bool saves_;          // what is sealed goes into a checkpoint
  double last_look_s_;  // the longest between two looks
};

/// A node as a participant, on its present session.
class node_participant final : public node_user, private remote_host {
 public:
  node_participant(network& on, node_link& node, shared_job& what, coordinator& boss, device_id device,
                   std::function<void()> changed);
  ~node_participant();

  [[nodiscard]] remote_participant& machine() noexcept { return machine_; }
  [[nodiscard]] const node_link& node() const noexcept { return node_; }
  [[nodiscard]] device_id device() const noexcept { return device_; }
  /// It has joined, was refused, or cannot be reached: there is nothing to wait for before the start.
  [[nodiscard]] bool settled() const noexcept { return settled_; }
  /// Payloads of the run that went to the node and came from it, in bytes, and how long they took: device_summary.
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept { return sent_meter_->bytes(); }
  [[nodiscard]] std::uint64_t bytes_received() const noexcept { return bytes_received_; }
  [[nodiscard]] double link_s() const { return sent_meter_->under_way_s(on_.now()) + received_s_; }

  // node_user
  void session_opened(node_link& node) override;
  void session_closed(node_link& node, const failure& why) override;
  bool received(node_link& node, message& what, payload& bytes) override;
  void node_drains(node_link& node) override;
  void node_suspected(node_link& node, bool now) override;

  void cut(const failure& why) override { node_.cut(why); }

 private:
  void open_job_on(node_link& node);
  void send(message what, std::shared_ptr<const payload> bytes) override;
  std::uint64_t queued_bytes() const override { return node_.queued_bytes(); }
  job_number next_job() override;
  open_job describe() override { return what_.description; }
  packed_piece broadcast(std::uint32_t argument) override;
  std::vector<packed_piece> pieces(interval range) override;
  result<std::unique_ptr<arrived_values>> unpack(const interval_set& fold_set, payload&& bytes) override;

  network& on_;
  node_link& node_;
  shared_job& what_;
  device_id device_;
  std::function<void()> changed_;
  remote_participant machine_;
  interval_set sent_;  // subtasks whose input this incarnation of the job has there
  std::shared_ptr<transfer_meter> sent_meter_ = std::make_shared<transfer_meter>();
  std::uint64_t bytes_received_ = 0;
  double received_s_ = 0;
  bool settled_ = false;
};

/// @par Threads  The network's.
class shared_machinery final : private coordinator_owner,
                               private directory_user,
                               public std::enable_shared_from_this<shared_machinery> {
 public:
  explicit shared_machinery(shared_run& of);
  ~shared_machinery();

  void start();
  /// The run is over, but for what is still under way here.
  void end(run_phase how, const std::optional<failure>& why);

 private:
  void commit(arrived_values& values, const interval_set& fold_set) override;
  /// @return  False where the run has ended because it could not be.
  [[nodiscard]] bool save(arrived_values& values, const interval_set& fold_set);
  void distrust(device_id device, const failure& why) override;
  void decided(const std::optional<failure>& why) override;
  void node_added(node_link& node) override;

  void add_node(node_link& node);
  /// Begins once everybody who is expected is there, or has been waited for.
  void begin();
  /// After anything that may have changed what comes next.
  void settle();
  void ring();
  void deliver();
  void fill_summary();
  [[nodiscard]] device_summary summary_of(node_participant& node, device_id id) const;
  [[nodiscard]] run_terms terms(double wall_s) const;
  /// For later placements.
  void note_speed(const node_participant& node, const device_summary& did) const;

  shared_run* of_;  // null once delivered
  network& net_;
  node_directory& directory_;
  std::shared_ptr<shared_job> kept_;  // the run may be gone before this
  shared_job& what_ = *kept_;
  coordinator boss_;
  partial total_;
  std::unique_ptr<local_participant> local_;
  device_id local_device_;
  std::vector<std::unique_ptr<node_participant>> nodes_;
  alarm alarm_;
  seconds started_{};
  seconds begin_at_{};
  bool begun_ = false;
  bool delivering_ = false;
  std::optional<run_phase> phase_;
  failure why_;
  std::int64_t aggregate_ns_ = 0;
};

}  // namespace fastgpu::inline v0::detail
