#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include <fastgpu/cluster/cluster.hpp>

/// @file
/// Nodes as their users have them: processes of the program `fastgpu`, over TLS on loopback.

namespace bench {

class node_processes {
 public:
  /// Starts `count` nodes with these devices each. @throws std::runtime_error
  node_processes(std::uint32_t count, const std::string& devices);
  node_processes(const node_processes&) = delete;
  node_processes& operator=(const node_processes&) = delete;
  ~node_processes();  ///< Ends them.

  /// A cluster of their devices alone.
  [[nodiscard]] fastgpu::cluster join() const;

 private:
  void start(const std::string& name, const std::string& devices);
  void end() noexcept;

  std::string folder_;  // of the credentials
  std::vector<::pid_t> processes_;
  std::vector<std::string> addresses_;
};

}  // namespace bench
