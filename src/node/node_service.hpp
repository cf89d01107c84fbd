#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "execute/environment.hpp"
#include "net/messages.hpp"
#include "node/job_executor.hpp"

/// @file
/// A node's side of one session: what it does with a coordinator's messages.

namespace fastgpu::inline v0::detail {

/// An executor for a job, what its coordinator is to know of it, or why there is none.
struct opened_job {
  std::unique_ptr<job_executor> executor;  ///< Null where the job was refused.
  std::uint32_t workers = 1;
  double subtasks_per_second = 0;
  std::vector<std::uint32_t> missing;      ///< Broadcasts whose content is not there.
  std::vector<std::string> numeric_classes;
  std::uint64_t data_bytes = 0;            ///< Of address space that its data take.
  failure why;
};

/// What the service asks of the node that it belongs to.
class node_host {
 public:
  virtual void send(message what, std::shared_ptr<const payload> bytes) = 0;
  /// The peer broke the protocol: the session is to be closed, but not from within this.
  virtual void breach(const failure& why) = 0;
  [[nodiscard]] virtual opened_job open(const open_job& what, executor_owner& owner) = 0;
  [[nodiscard]] virtual std::vector<device_info> devices() const = 0;
  /// An operator asks the whole node to drain.
  virtual void drain_asked() = 0;
  /// Drained: nothing is left to do for this peer.
  virtual void drained() = 0;

 protected:
  ~node_host() = default;
};

struct node_service_options {
  seconds first_progress{0.01};   ///< After a job's first grant; then twice as long each time,
  seconds progress_every{0.5};    ///< up to this.
  std::uint32_t seals_in_flight = 2;  ///< Partials that were sent and not acknowledged; and those that were asked for:
  std::uint32_t answers_in_flight = 8;
  std::size_t jobs_max = 1024;        ///< Open at a time.
};

/// State machine without I/O: jobs of one coordinator, from open_job to close_job. What it had is gone with the session;
/// a new session begins with nothing.
///
/// @par Threads  Single-threaded.
class node_service final : public executor_owner {
 public:
  node_service(environment& world, node_host& host, node_service_options options = {});
  ~node_service();

  /// The session has opened.
  void opened();
  void received(message&& what, payload&& bytes);

  /// Takes no more work, gives back what is not started, seals the rest, and says when that is done.
  void drain();

  [[nodiscard]] std::optional<seconds> next_tick() const;
  void tick();

  [[nodiscard]] std::size_t jobs() const noexcept { return jobs_.size(); }
  /// What its jobs take of the address space, as far as opened_job says.
  [[nodiscard]] std::uint64_t data_bytes() const noexcept;

  // executor_owner
  void look(job_number number) override;
  void backup_done(job_number number, interval range, std::shared_ptr<const payload> values) override;
  void backup_failed(job_number number, interval range, const failure& why) override;

 private:
  struct waiting_grant {
    std::uint64_t pieces = 0;
    bool staged = false;
    std::vector<interval> ranges;
  };
  struct job {
    std::unique_ptr<job_executor> executor;
    double seal_every_s = 0;
    std::uint64_t pieces = 0;            // that have come
    std::vector<waiting_grant> waiting;  // for pieces, or for a backup of the same to end
    interval_set held;                   // granted, and neither sealed, failed nor given back
    interval_set staged;                 // backups under way
    std::uint64_t granted = 0;           // less what was given back
    std::uint64_t seals = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t asked = 0;             // the last request for a seal that is not answered yet; 0: none
    std::uint64_t data_bytes = 0;
    seconds next_seal{};
    std::optional<seconds> next_progress;
    double progress_after_s = 0;
    bool told_hungry = false;
  };

  void on(const open_job& m);
  void on(job_data_piece& m, payload&& bytes);
  void on(grant_ranges& m);
  void on(const take_back& m);
  void on(const seal_job& m);
  void on(const acknowledge_seal& m);
  void on(const close_job& m);

  [[nodiscard]] job* find(job_number number);
  void breach(const char* what);
  void start(job_number number, job& j, const waiting_grant& g);
  void start_or_wait(job_number number, job& j, waiting_grant&& g);
  void start_waiting(job_number number, job& j);
  void give_back(job_number number, job& j, std::uint32_t request, std::uint64_t subtasks);
  bool answer(job_number number, job& j);
  void seal(job_number number, job& j, std::uint64_t answers);
  void tell_progress(job_number number, job& j);
  [[nodiscard]] std::uint64_t unstarted(const job& j) const;
  void look_at_all();
  void check_drained();

  environment& world_;
  node_host& host_;
  node_service_options options_;
  std::map<job_number, job> jobs_;
  job_number newest_ = 0;
  bool draining_ = false;
  bool told_drained_ = false;
};

}  // namespace fastgpu::inline v0::detail
