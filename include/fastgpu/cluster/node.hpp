#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <fastgpu/cluster/cluster.hpp>
#include <fastgpu/cluster/credentials.hpp>
#include <fastgpu/cluster/worker.hpp>
#include <fastgpu/config.hpp>
#include <fastgpu/seconds.hpp>

/// @file
/// A node: this process's devices, offered to coordinators in other processes.

namespace fastgpu::inline v0 {

struct node_options {
  /// Where coordinators connect: `HOST:PORT`, port 0 for any that is free, or `unix:/PATH` for this user's processes.
  std::string listen{};

  /// Or a coordinator that this node dials, `[NAME@]HOST:PORT` or `unix:/PATH`, again and again until it is drained: for
  /// nodes that nobody can connect to. See cluster::accept_nodes(). Both may be given; one must be.
  std::string connect{};

  /// Who this node is. Needed for `HOST:PORT`.
  std::optional<credentials> as{};

  /// What the node is called where it has no credentials. Empty: the machine's name.
  std::string name{};

  /// The devices that it offers.
  cluster_options devices{};

  /// A coordinator of which nothing has been heard for so long is gone, and its jobs with it. 1 to 60 s. A node lets
  /// itself be heard ten times in that time, so give it what its coordinators have as cluster_options::node_dead_after.
  seconds coordinator_dead_after{5.0};

  /// With isolation::process, subtasks run in child processes, one for each coordinator; main() then begins with
  /// run_as_worker(). A child that dies is lost to its run, and started anew; the node goes on.
  isolation isolate = isolation::none;
  /// What children run, which begins with run_as_worker(). Empty: this process's own program.
  std::string worker_program{};

  /// Bound of broadcast data that are kept for jobs to come, in bytes.
  std::uint64_t content_bytes_max = std::uint64_t{4} << 30;

  /// Bound of the memory that the data of one coordinator's jobs may ask for, touched or not, in bytes.
  std::uint64_t job_bytes_max = std::uint64_t{1} << 40;
};

/// Runs subtasks of the kernels that are registered in this program for whoever may submit jobs.
///
/// @par Threads  Any.
class FASTGPU_API node {
 public:
  /// Listens, or dials, from now on.
  /// @throws error  errc::credentials_error where there are none and the address asks for them; errc::node_unreachable
  ///                where the address cannot be listened at; errc::invalid_argument; errc::no_usable_device.
  explicit node(const node_options& options);
  node(const node&) = delete;
  node& operator=(const node&) = delete;
  /// Leaves at once: coordinators take it for lost.
  ~node();

  /// Where it listens, with the port it got; empty where it dials only.
  [[nodiscard]] const std::string& address() const noexcept;
  [[nodiscard]] const std::string& name() const noexcept;

  /// Takes no more work, gives back what is not started, and seals the rest; then run() returns.
  void drain() noexcept;

  /// Waits until the node has drained.
  void run();

 private:
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace fastgpu::inline v0
