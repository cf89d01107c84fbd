#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <fastgpu/result.hpp>

#include "execute/coordinator.hpp"
#include "net/messages.hpp"

/// @file
/// A node as a participant of one run: the coordinator's words as messages, and a node's messages as its answers.

namespace fastgpu::inline v0::detail {

/// A piece of input with its bytes.
struct packed_piece {
  job_data_piece where;
  std::shared_ptr<const payload> bytes;
};

/// What a remote participant needs of the run and of the session.
class remote_host {
 public:
  virtual void send(message what, std::shared_ptr<const payload> bytes) = 0;
  /// Bytes of payloads that were sent and are not on their way yet.
  [[nodiscard]] virtual std::uint64_t queued_bytes() const = 0;
  /// A number that this session has not used.
  [[nodiscard]] virtual job_number next_job() = 0;
  /// Everything of the job but its number.
  [[nodiscard]] virtual open_job describe() = 0;
  /// All of a broadcast argument.
  [[nodiscard]] virtual packed_piece broadcast(std::uint32_t argument) = 0;
  /// What `range` reads of the slices arguments; empty where there are none.
  [[nodiscard]] virtual std::vector<packed_piece> pieces(interval range) = 0;
  /// Checks and reads a partial. What it gives can be committed.
  [[nodiscard]] virtual result<std::unique_ptr<arrived_values>> unpack(const interval_set& fold_set, payload&& bytes) = 0;
  /// The node is not to be believed: the session ends, but not from within this.
  virtual void cut(const failure& why) = 0;

 protected:
  ~remote_host() = default;
};

struct remote_options {
  std::uint64_t window_bytes = 16 << 20;     ///< Of input that is packed and on its way at a time.
  std::uint32_t grant_subtasks_of_data = 0;  ///< Subtasks whose input is sent in one go; 0: there is none to send.
  seconds reopen_first{0.1};                 ///< After what the node had was lost; doubled each time,
  seconds reopen_most{10.0};                 ///< up to this.
  std::uint32_t losses_max = 5;              ///< In a row, without a partial committed in between.
};

/// State machine without I/O. A job number is an incarnation: what was said under an older one is not heard.
///
/// @par Threads  Single-threaded.
class remote_participant final : public participant {
 public:
  remote_participant(environment& world, coordinator& boss, device_id device, remote_host& host, remote_options options);

  /// A session with the node is there. Opens the job.
  void session_opened(double latency_s, double bytes_per_second);
  /// @param in_flight  What was under way, where that is known: it is suspected.
  void session_closed(const failure& why, const std::vector<interval>& in_flight = {});
  [[nodiscard]] job_number job() const noexcept { return job_; }
  /// @return  Whether the message was this job's.
  bool received(message& what, payload& bytes);
  void node_drains();
  void suspected(bool now);
  [[nodiscard]] bool took_part() const noexcept { return took_part_; }
  /// What its workers did, as far as it told with its seals.
  [[nodiscard]] work_report work() const;
  /// When its last partial came; nothing before the first.
  [[nodiscard]] std::optional<seconds> last_sealed() const noexcept { return last_sealed_; }
  /// From when to when its workers were at work, as far as it told: see run_terms. Nothing where it told of no subtask.
  struct work_time {
    seconds first{};
    seconds last{};
  };
  [[nodiscard]] std::optional<work_time> at_work() const noexcept { return at_work_; }
  /// Of the devices that it runs the job on; 0 before it took part.
  [[nodiscard]] std::uint32_t workers() const noexcept { return workers_; }
  /// Of the devices that it runs the job on.
  [[nodiscard]] const std::vector<std::string>& numeric_classes() const noexcept { return numeric_classes_; }
  /// The run is over, here for good: sessions may come and go.
  void close();

  [[nodiscard]] std::optional<seconds> next_tick() const;
  void tick();

  // participant
  void grant(std::span<const interval> ranges) override;
  void stage(interval range) override;
  void take_back(std::uint32_t request, std::uint64_t subtasks) override;
  void seal(std::uint64_t request, const interval_set& revoked) override;
  void acknowledge(std::uint64_t number) override;

 private:
  enum class state { away, opening, joined, reopening, over };

  void open();
  void on(const job_opened& m);
  void on(const job_refused& m);
  void on(const taken_back& m);
  void on(const job_sealed& m, payload&& bytes);
  void on(const backup_done& m, payload&& bytes);
  void on(const attempt_failed& m);
  void on(const partial_lost& m);
  void on(const job_progress& m);
  [[nodiscard]] bool may_send() const;  ///< More input may be on its way.
  /// Grants some of what waits.
  void send_waiting();
  void send_with_data(interval range, bool staged);
  /// News of subtasks that were done, in which its workers were busy for so long in all; 0: unknown.
  void note_work(double busy_s);
  void cut(const char* what);

  environment& world_;
  coordinator& boss_;
  device_id device_;
  remote_host& host_;
  remote_options options_;
  state state_ = state::away;
  job_number job_ = 0;
  double latency_s_ = 0;
  double bytes_per_second_ = 0;
  std::uint64_t pieces_ = 0;       // sent of this incarnation
  std::deque<interval> waiting_;   // granted to it and not sent
  std::optional<std::pair<std::uint32_t, interval_set>> given_back_;  // of what waited: told at the next tick
  work_report work_;               // of this incarnation,
  work_report earlier_work_;       // and of those before
  std::optional<seconds> last_sealed_;
  std::optional<seconds> granted_at_;  // when anything was first
  std::optional<work_time> at_work_;
  std::uint64_t done_ = 0;         // of this incarnation, as it told
  std::uint32_t workers_ = 0;
  bool took_part_ = false;
  std::vector<job_number> earlier_jobs_;  // of this session
  std::vector<std::string> numeric_classes_;
  seconds reopen_at_{};
  double reopen_after_s_ = 0;
  std::uint32_t losses_ = 0;
};

}  // namespace fastgpu::inline v0::detail
