#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fastgpu/cluster/credentials.hpp>
#include <fastgpu/device/device_info.hpp>
#include <fastgpu/ids.hpp>

#include "net/connect.hpp"
#include "net/connection.hpp"
#include "node/worker_process.hpp"

/// @file
/// A node that a cluster uses, and the session with it, which is made again when it is lost.

namespace fastgpu::inline v0::detail {

class node_link;

/// A run that uses a node. Called on the network's thread.
class node_user {
 public:
  virtual void session_opened(node_link& node) = 0;
  virtual void session_closed(node_link& node, const failure& why) = 0;
  /// @return  Whether the message was for it.
  virtual bool received(node_link& node, message& what, payload& bytes) = 0;
  virtual void node_drains(node_link& node) = 0;
  /// Nothing has come from it for a while (`now`), or something has again.
  virtual void node_suspected(node_link& node, bool now) = 0;

 protected:
  ~node_user() = default;
};

/// How sessions with a node are made.
struct node_link_options {
  std::string address;                          ///< `[NAME@]HOST:PORT` or `unix:/PATH`.
  std::optional<fastgpu::credentials> credentials;
  session_limits limits{};
  bool dials_in = false;                        ///< It connects to us; then `address` is its name.
  std::optional<worker_options> worker{};  ///< Not an address, but a child process of this one.
};

/// @par Threads  The network's.
class node_link final : private connection_owner {
 public:
  /// @param changed  Called when what the node offers has changed, or an attempt to reach it has failed.
  node_link(network& on, node_id id, node_link_options options, std::function<void()> changed);
  ~node_link();

  void connect();
  /// A node that has dialled in; its name is that of the peer. It is not dialled when it is lost: it comes again.
  void adopt(byte_stream stream);
  [[nodiscard]] bool dials_in() const noexcept { return options_.dials_in; }
  [[nodiscard]] bool connected() const noexcept { return session_ != nullptr; }
  /// Says goodbye; gone() comes true soon.
  void leave();
  [[nodiscard]] bool gone() const noexcept { return leaving_ && !session_; }
  void add(node_user& user);
  void remove(node_user& user);
  [[nodiscard]] bool used() const noexcept { return !users_.empty(); }

  /// @pre  ready()
  void send(message what, std::shared_ptr<const payload> bytes, std::shared_ptr<transfer_meter> meter = nullptr);
  void cut(const failure& why);
  [[nodiscard]] job_number next_job() { return ++jobs_; }
  /// Of the payload that node_user::received() is given, see session.
  [[nodiscard]] double payload_took_s() const { return session_ ? session_->payload_took_s() : 0; }
  [[nodiscard]] std::uint64_t queued_bytes() const { return session_ ? session_->queued_bytes() : 0; }

  [[nodiscard]] node_id id() const noexcept { return id_; }
  /// Its session is open and it has said what it offers.
  [[nodiscard]] bool ready() const noexcept { return ready_; }
  [[nodiscard]] bool draining() const noexcept { return draining_; }
  [[nodiscard]] const std::vector<device_info>& devices() const noexcept { return devices_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::string& address() const noexcept { return options_.address; }
  [[nodiscard]] double latency_s() const noexcept { return latency_s_; }
  /// A child process of this one.
  [[nodiscard]] bool is_worker() const noexcept { return options_.worker.has_value(); }
  /// Of a child that died, what was under way of a job, from session_closed() on until there is a new one.
  [[nodiscard]] std::vector<interval> in_flight(job_number job) const;
  /// Why the last attempt failed or the last session ended; no code where there is none.
  [[nodiscard]] const failure& trouble() const noexcept { return trouble_; }
  [[nodiscard]] std::uint64_t attempts() const noexcept { return attempts_; }
  [[nodiscard]] session::counters traffic() const;

 private:
  void opened(connection& which) override;
  void received(connection& which, message&& what, payload&& bytes) override;
  void suspected(connection& which, bool now) override;
  void closed(connection& which, const failure& why) override;
  void connected(result<byte_stream> stream);
  void spawn();
  void try_later(const failure& why);

  network& on_;
  node_id id_;
  node_link_options options_;
  std::function<void()> changed_;
  std::vector<node_user*> users_;
  connection_attempt attempt_;
  std::unique_ptr<worker_process> worker_;
  std::unique_ptr<connection> session_;
  alarm again_;
  alarm failed_;  // a worker could not be started, for trouble_
  alarm mute_;    // its session is open, and it does not say what it offers
  std::string name_;
  std::vector<device_info> devices_;
  bool ready_ = false;
  bool draining_ = false;
  bool warned_ = false;
  bool leaving_ = false;
  seconds hello_at_{};
  double latency_s_ = 0;
  failure trouble_;
  std::uint64_t attempts_ = 0;
  std::uint32_t failures_ = 0;
  job_number jobs_ = 0;
  session::counters past_traffic_;
};

}  // namespace fastgpu::inline v0::detail
