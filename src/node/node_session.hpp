#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cluster/cluster_core.hpp"
#include "net/connection.hpp"
#include "node/content_cache.hpp"
#include "node/coordinator_session.hpp"
#include "node/node_service.hpp"
#include "node/received_job.hpp"

/// @file
/// A coordinator's session whose jobs run in this process.

namespace fastgpu::inline v0::detail {

/// What all sessions of a node share.
struct node_devices {
  ref<cluster_core> core;
  content_cache& contents;
  received_job_limits limits;
  std::string name;
  session_limits session{};
};

/// @par Threads  The network's.
class node_session final : public coordinator_session, private connection_owner, private node_host {
 public:
  /// `of` and `owner` outlive it.
  node_session(network& on, byte_stream stream, const node_devices& of, coordinator_session_owner& owner,
               met how = met::listening);

  void drain() override;
  [[nodiscard]] const std::string& peer() const noexcept override { return session_.peer().name; }

 private:
  // connection_owner
  void opened(connection& which) override;
  void received(connection& which, message&& what, payload&& bytes) override;
  void suspected(connection&, bool) override {}
  void closed(connection& which, const failure& why) override;

  // node_host
  void send(message what, std::shared_ptr<const payload> bytes) override;
  void breach(const failure& why) override;
  [[nodiscard]] opened_job open(const open_job& what, executor_owner& owner) override;
  [[nodiscard]] std::vector<device_info> devices() const override;
  void drain_asked() override;
  void drained() override;

  void rearm() { alarm_.set(service_.next_tick()); }

  network& on_;
  const node_devices& of_;
  coordinator_session_owner& owner_;
  connection session_;
  node_service service_;
  alarm alarm_;
  bool drains_ = false;  // before it was open
};

}  // namespace fastgpu::inline v0::detail
