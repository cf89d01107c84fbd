#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/connection.hpp"
#include "node/coordinator_session.hpp"
#include "node/worker_process.hpp"

/// @file
/// A coordinator's session whose jobs run in a worker process: what it sends goes to the worker, and comes back.

namespace fastgpu::inline v0::detail {

/// Passes messages on in both directions. When the worker dies, its jobs are lost to the coordinator, which is told what
/// was under way, and the next job it opens gets a new worker; the session goes on.
///
/// @par Threads  The network's.
class relay_session final : public coordinator_session, private connection_owner {
 public:
  /// `owner` outlives it.
  relay_session(network& on, byte_stream stream, worker_options worker, std::vector<device_info> devices,
                coordinator_session_owner& owner, met how = met::listening, session_limits limits = {});
  ~relay_session() override;

  void drain() override;
  [[nodiscard]] const std::string& peer() const noexcept override { return above_.peer().name; }

 private:
  void opened(connection& which) override;
  void received(connection& which, message&& what, payload&& bytes) override;
  void suspected(connection&, bool) override {}
  void closed(connection& which, const failure& why) override;

  void from_above(message&& what, payload&& bytes);
  void from_below(message&& what, payload&& bytes);
  void pass_down(message&& what, payload&& bytes);
  void start_worker();
  void worker_ended(const failure& why);

  network& on_;
  worker_options options_;
  std::vector<device_info> devices_;
  coordinator_session_owner& owner_;
  std::unique_ptr<worker_process> worker_;
  std::unique_ptr<connection> below_;
  std::deque<std::pair<message, payload>> waiting_;  // for the worker's session to open
  std::vector<job_number> jobs_;                      // that the worker was given
  bool draining_ = false;
  connection above_;
};

}  // namespace fastgpu::inline v0::detail
