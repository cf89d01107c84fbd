#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fastgpu/error.hpp>
#include <fastgpu/ids.hpp>
#include <fastgpu/seconds.hpp>

#include "detail/interval_set.hpp"
#include "execute/environment.hpp"
#include "execute/grants.hpp"
#include "execute/ledger.hpp"

/// @file
/// The coordinator of one run that several processes share: who runs which subtasks, and what counts.

namespace fastgpu::inline v0::detail {

/// One that carries out granted subtasks: this process's executor, or a node. What the coordinator tells it; answers
/// come through the coordinator's members, never from within these.
class participant {
 public:
  virtual void grant(std::span<const interval> ranges) = 0;
  /// A backup: its value comes apart from all others.
  virtual void stage(interval range) = 0;
  virtual void take_back(std::uint32_t request, std::uint64_t subtasks) = 0;
  virtual void seal(std::uint64_t request, const interval_set& revoked) = 0;
  virtual void acknowledge(std::uint64_t seal) = 0;

 protected:
  ~participant() = default;
};

/// Values of a partial that has come: what they are is known to who commits them.
class arrived_values {
 public:
  virtual ~arrived_values() = default;
};

/// What the coordinator asks of its owner.
class coordinator_owner {
 public:
  /// Takes the values over. Their subtasks count from now on, once.
  virtual void commit(arrived_values& values, const interval_set& fold_set) = 0;
  /// The participant contradicts the ledger: it is to be cut off, and left() called, but not from within this.
  virtual void distrust(device_id device, const failure& why) = 0;
  /// Every subtask is committed, or the run has failed. Called once.
  virtual void decided(const std::optional<failure>& why) = 0;

 protected:
  ~coordinator_owner() = default;
};

/// A sealed partial, as its participant tells it.
struct seal_report {
  std::uint64_t seal = 0;      ///< 1, 2, ... since it joined.
  std::uint64_t answers = 0;   ///< Request of seal(); 0: none.
  std::uint64_t counter = 0;
  bool dry = false;
  interval_set fold_set;
  interval_set dropped;
};

struct participant_info {
  std::uint32_t workers = 1;
  double subtasks_per_second = 0;  ///< 0: unknown.
  double latency_s = 0;            ///< There and back.
  double bytes_per_second = 0;     ///< Of its link; 0: no data have to go over one.
  bool own_memory = true;          ///< Its attempts write memory of their own: two of one subtask may run at a time.
};

struct coordinator_options {
  std::uint32_t span = 1;              ///< Subtasks in a span, which no grant splits.
  double bytes_per_subtask = 0;        ///< Of input, where it has to travel.
  double backup_share = 0.05;          ///< Backups of all subtasks, one at least.
  seconds backup_after{0.1};           ///< The least time that an attempt is left alone.
  std::uint32_t moves_max = 8;         ///< Of one subtask, between participants: each halves what is left, about.
  std::uint32_t losses_max = 5;        ///< Of a participant in a row, before the run does without it.
  retry_limits retries{};
};

struct coordinator_counters {
  std::uint64_t steals = 0;        ///< Between participants.
  std::uint64_t stolen = 0;        ///< Subtasks of these.
  std::uint64_t steals_in_vain = 0;
  std::uint64_t grants = 0;        ///< Messages that gave work.
  std::uint64_t seals = 0;
  std::uint64_t fenced = 0;
  std::uint64_t backups = 0;
  std::uint64_t backups_won = 0;
  std::uint64_t wasted = 0;        ///< Subtasks run that came to nothing.
};

/// State machine without I/O over ledger and grants. Everything is given out at the start, by speed; whoever runs dry
/// gets what came back, else what another has not started, where that is worth the way; and at the very end a backup of
/// what a slow one is at. What is lost runs again; what contradicts the ledger is never used.
///
/// @par Threads  Single-threaded.
class coordinator {
 public:
  coordinator(environment& world, coordinator_owner& owner, std::uint32_t subtasks, coordinator_options options);

  /// One more participant, who has not joined yet.
  /// @param name  For failures; empty: "device N".
  [[nodiscard]] device_id add(const std::string& name = {});

  /// Ranges that start() gives to `device` where it has joined by then, but for what is committed; others are shared out
  /// by speed.
  void reserve(device_id device, interval range);
  /// An earlier run committed these. @pre  Nothing has started.
  void resume(const interval_set& committed) { ledger_.resume(committed); }
  /// Gives out everything. Who joins later steals.
  void start();

  /// @pre     It is not joined. `link` lives until left().
  /// @return  Whether it takes part: not one that was lost again and again with nothing committed in between.
  bool joined(device_id device, participant& link, const participant_info& info);
  /// It is gone, with all that it has not sealed.
  /// @param in_flight  What is suspected of it; empty where it is no subtask's fault.
  /// @param returns    It may join again: while it may, the run waits rather than fails for want of devices.
  void left(device_id device, const interval_set& in_flight, const failure& why, bool returns);
  /// It will not join any more.
  void gave_up(device_id device, const failure& why);
  /// It gives back what it has not started, and takes no more.
  void drains(device_id device);

  /// Nothing is heard of it: until that changes it gets no work, and what it has may be backed up.
  void suspected(device_id device, bool now);

  /// Since it joined it was granted `granted` subtasks as far as it knows, and has run `done`; `unstarted` are not begun.
  void progress(device_id device, std::uint64_t granted, std::uint64_t done, std::uint64_t unstarted);
  void taken_back(device_id device, std::uint32_t request, const interval_set& ranges);
  void sealed(device_id device, const seal_report& report, std::unique_ptr<arrived_values> values);
  void backed_up(device_id device, interval range, std::unique_ptr<arrived_values> values);
  void failed(device_id device, interval range, bool staged, const failure& why);
  /// A kernel's own failure: the run is over.
  void kernel_failed(const failure& why);
  /// Something came from an earlier incarnation.
  void note_fenced() noexcept { ++counters_.fenced; }

  [[nodiscard]] std::optional<seconds> next_tick() const;
  void tick();

  /// The run is over, whatever came of it: nothing more is committed or granted.
  void stop() noexcept { decided_ = true; }

  [[nodiscard]] bool decided() const noexcept { return decided_; }
  [[nodiscard]] bool joined(device_id device) const { return at(device).link != nullptr; }
  /// It has left in good order, or is about to.
  [[nodiscard]] bool drained(device_id device) const { return at(device).draining; }
  [[nodiscard]] const ledger& book() const noexcept { return ledger_; }
  [[nodiscard]] std::uint64_t retries() const noexcept { return grants_.retries(); }
  [[nodiscard]] std::uint64_t committed(device_id device) const { return at(device).committed; }
  /// Of the subtasks, those that were run, committed or not.
  [[nodiscard]] std::uint64_t done() const;
  [[nodiscard]] coordinator_counters count() const;

 private:
  struct member {
    participant* link = nullptr;  // null while it is away
    participant_info info;
    std::uint64_t done = 0;       // since it joined, as it told
    std::uint64_t committed = 0;
    std::uint64_t granted = 0;    // since it joined
    std::uint64_t unstarted = 0;  // as it told, and granted since
    seconds told{};               // when
    double lately_done = 0;       // of the last seconds of work, fading: subtasks,
    double lately_s = 0;          // and time, also such in which none was done
    bool hungry = true;
    bool draining = false;
    bool suspect = false;
    bool returns = true;          // it may join, or join again
    seconds hungry_since{};
    std::uint64_t seals = 0;
    std::uint64_t seal_requests = 0;
    std::uint32_t take_request = 0;  // under way; 0: none
    std::uint32_t take_requests = 0;
    std::optional<device_id> thief;
    bool robs = false;               // a request is under way for it
    interval_set overtaken;          // what backups have won from it, and it has not given up yet
    interval_set staging;            // backups asked of it, wanted still or not, that it has not answered
    bool immovable = false;          // what it has left has moved too often
    seconds next_try{};              // to steal
    seconds asked{};                 // for take_request
    double back_off_s = 0;
    std::uint32_t failures_in_a_row = 0;
    std::uint32_t losses = 0;        // since it was there for a while, or something of it was committed
    bool barred = false;             // there were too many
    seconds joined_at{};
    bool fenced = false;             // it was caught at a contradiction: nothing of it counts until it has left
  };
  struct backup {
    interval range;
    device_id primary;
    device_id by;
    std::uint64_t seal_request = 0;
    std::unique_ptr<arrived_values> values;  // once it is done
  };

  [[nodiscard]] member& at(device_id device) { return members_.at(device.value); }
  [[nodiscard]] const member& at(device_id device) const { return members_.at(device.value); }
  [[nodiscard]] bool takes_work(const member& m) const 
  {
    return m.link != nullptr && !m.draining && !m.suspect && !m.fenced;
  }
  [[nodiscard]] interval_set suspects_among(device_id device, const interval_set& in_flight) const;
  void note_hunger(member& m);

  void give(device_id device, std::span<const interval> ranges);
  void give_all(const std::vector<grant>& given);
  void share_out();
  void find_work();
  [[nodiscard]] bool steal_for(device_id thief);
  void stop_robbing(device_id thief);
  void wake_some();
  void try_later(member& idle);
  [[nodiscard]] const member* longest(device_id thief, device_id& victim) const;
  [[nodiscard]] bool back_up_for(device_id idle);
  [[nodiscard]] bool straggles(device_id device) const;
  void commit_backup(backup done);
  void settle_backups(device_id primary, std::uint64_t answers, const interval_set& fold_set);
  void hand_stolen(device_id victim, device_id thief, const interval_set& ranges);
  void learn_speed(member& m, double subtasks_per_second);
  void measure(member& m, std::uint64_t done, double time_s);
  [[nodiscard]] double usual_worker_speed() const;
  [[nodiscard]] double speed_of(const member& m) const;
  [[nodiscard]] double unstarted_of(const member& m) const;
  void distrust(device_id device, const char* what);
  /// Whether what it says counts. What does not is noted.
  [[nodiscard]] bool is_heard(const member& m);
  [[nodiscard]] bool some_may_come() const;
  /// Grants never split spans, so nothing that comes back may.
  [[nodiscard]] bool in_whole_spans(const interval_set& ranges) const;
  void check_end();
  void decide(const std::optional<failure>& why);

  environment& world_;
  coordinator_owner& owner_;
  coordinator_options options_;
  std::uint32_t subtasks_;
  ledger ledger_;
  grants grants_;
  std::vector<member> members_;
  std::vector<std::pair<device_id, interval>> reserved_;
  std::vector<interval_set> moved_;  // [k]: moved more than k times
  std::vector<backup> backups_;
  interval_set spoiled_;             // backups of these failed, or took their node's work with them
  coordinator_counters counters_;
  double known_speed_ = 0;           // of all whose speed is known, and their
  double known_workers_ = 0;
  std::uint64_t backed_up_ = 0;      // subtasks, ever
  std::size_t idle_ = 0;             // members without work, when they were last looked at
  bool started_ = false;
  bool decided_ = false;
};

}  // namespace fastgpu::inline v0::detail
