#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <fastgpu/cluster/cluster.hpp>
#include <fastgpu/cluster/credentials.hpp>

#include "net/authority.hpp"
#include "processes/sockets.hpp"
#include "support/folder.hpp"
#include "support/process.hpp"

/// @file
/// Nodes in processes of their own, over TLS.

namespace oracle {

using clock = std::chrono::steady_clock;

inline double seconds_since(clock::time_point t) { return std::chrono::duration<double>(clock::now() - t).count(); }

struct node_setting {
  std::string listen = "127.0.0.1:0";
  std::string devices = "host:2";
  double slowness = 1;
  double dead_after_s = 1;
  bool isolated = false;  ///< Subtasks run in child processes.
};

/// Waits until `child` has printed `lines` lines, and gives the last of them.
inline std::string line_of(const support::process& child, std::size_t lines = 1)
{
  const auto begin = clock::now();
  while (seconds_since(begin) < 60) {
    const auto said = child.out_so_far();
    std::size_t at = 0;
    for (std::size_t i = 0; at != std::string::npos && i + 1 < lines; ++i) {
      at = said.find('\n', at);
      if (at != std::string::npos) ++at;
    }
    if (at != std::string::npos && said.find('\n', at) != std::string::npos) {
      return said.substr(at, said.find('\n', at) - at);
    }
    if (!child.running()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  throw std::runtime_error{child.name() + ": it does not come up; it says: " + child.err_so_far()};
}

/// A CA with nodes n1, n2, ... and the client "user".
class nodes {
 public:
  explicit nodes(std::size_t count) : processes_(count), settings_(count), addresses_(count)
  {
    fastgpu::detail::principals who;
    for (std::size_t i = 1; i <= count; ++i) who.nodes.push_back(std::to_string(i).insert(0, 1, 'n'));
    who.clients = {"user"};
    fastgpu::detail::create_credentials(folder_.path("ca"), who);
  }

  [[nodiscard]] std::size_t size() const { return processes_.size(); }
  [[nodiscard]] std::string folder_of(const std::string& name) const { return folder_.path("ca") + "/" + name; }
  [[nodiscard]] const support::folder& folder() const { return folder_; }
  [[nodiscard]] fastgpu::credentials user() const { return fastgpu::credentials::load(folder_of("user")); }
  /// Where it listens, or has listened.
  [[nodiscard]] const std::string& address(std::size_t which) const { return addresses_.at(which); }
  [[nodiscard]] support::process& process(std::size_t which) const { return *processes_.at(which); }
  [[nodiscard]] bool running(std::size_t which) const { return processes_[which] && processes_[which]->running(); }

  void start(std::size_t which, const node_setting& how)
  {
    settings_.at(which) = how;
    addresses_.at(which) = how.listen;
    restart(which);
  }
  void start_all(const node_setting& how)
  {
    for (std::size_t i = 0; i < size(); ++i) start(i, how);
  }
  /// Where it has listened before.
  void restart(std::size_t which)
  {
    spawn(which);
    await(which);
  }
  /// Begins it; who connects finds it soon.
  void spawn(std::size_t which)
  {
    const auto& how = settings_.at(which);
    processes_[which].reset();
    processes_[which] = std::make_unique<support::process>(
        "fastgpu_test_node",
        support::arguments{addresses_[which], folder_of(std::to_string(which + 1).insert(0, 1, 'n')), how.devices,
                           std::to_string(how.slowness), std::to_string(how.dead_after_s),
                           how.isolated ? "process" : "none"});
  }
  void await(std::size_t which) { addresses_[which] = line_of(*processes_[which]); }
  void send(std::size_t which, int signal) const
  {
    if (processes_[which]) processes_[which]->send(signal);
  }
  /// To a process that runs a node's subtasks: a child where it has some, else itself.
  void send_to_worker(std::size_t which, int signal) const
  {
    if (processes_[which] && processes_[which]->id() != 0) ::kill(family_of(processes_[which]->id()).back(), signal);
  }
  /// Those that are gone are started, those that are frozen go on.
  void repair()
  {
    for (std::size_t i = 0; i < size(); ++i) {
      send(i, SIGCONT);
      if (!running(i)) restart(i);
    }
  }

  /// A cluster of `local` devices and all nodes.
  [[nodiscard]] fastgpu::cluster join(const std::string& local = "none", double dead_after_s = 1) const
  {
    fastgpu::cluster_options options;
    options.devices = local;
    options.node_dead_after = fastgpu::seconds{dead_after_s};
    fastgpu::cluster cluster{options};
    const auto me = user();
    for (const auto& address : addresses_) cluster.add_node(address, me);
    return cluster;
  }

 private:
  support::folder folder_;
  std::vector<std::unique_ptr<support::process>> processes_;
  std::vector<node_setting> settings_;
  std::vector<std::string> addresses_;
};

}  // namespace oracle
