#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cluster/cluster_core.hpp"
#include "net/connection.hpp"
#include "node/content_cache.hpp"
#include "node/node_service.hpp"
#include "node/received_job.hpp"

/// @file
/// A coordinator's session with this node, in production.

namespace fastgpu::inline v0::detail {

class node_session;

class node_session_owner {
 public:
  /// The last call; it destroys the session.
  virtual void ended(node_session& which, const failure& why) = 0;
  virtual void drain_all() = 0;

 protected:
  ~node_session_owner() = default;
};

/// What all sessions of a node share.
struct node_devices {
  ref<cluster_core> core;
  content_cache& contents;
  received_job_limits limits;
  std::string name;
  session_limits session{};
};

/// @par Threads  The network's.
class node_session final : private connection_owner, private node_host {
 public:
  /// `of` and `owner` outlive it.
  node_session(network& on, byte_stream stream, const node_devices& of, node_session_owner& owner);

  void drain();
  [[nodiscard]] const std::string& peer() const noexcept { return session_.peer().name; }

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
  node_session_owner& owner_;
  connection session_;
  node_service service_;
  alarm alarm_;
  bool drains_ = false;  // before it was open
};

}  // namespace fastgpu::inline v0::detail
