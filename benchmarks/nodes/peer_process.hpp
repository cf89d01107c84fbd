#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "nodes/peer.hpp"

/// @file
/// A server in a process of its own, and what two processes take.

namespace bench {

/// A CA with the nodes n1 to n4 and the client "user", in a folder that goes with this.
class credentials_folder {
 public:
  credentials_folder();
  credentials_folder(const credentials_folder&) = delete;
  credentials_folder& operator=(const credentials_folder&) = delete;
  ~credentials_folder();

  [[nodiscard]] std::string path() const { return path_ + "/ca"; }

 private:
  std::string path_;
};

/// fastgpu_benchmark_peer serve KIND. It ends with this.
class server_process {
 public:
  /// @param node  Whose credentials it has; for kinds that are nodes.
  server_process(const std::string& kind, const credentials_folder& as, const std::string& node = "n1");
  server_process(const server_process&) = delete;
  server_process& operator=(const server_process&) = delete;
  ~server_process();

  [[nodiscard]] const std::string& address() const noexcept { return address_; }
  /// Processor time that it has taken.
  [[nodiscard]] double cpu_seconds() const;

 private:
  ::pid_t id_ = 0;
  int input_ = -1;  // it ends when this is closed
  std::string address_;
};

/// Processor time of this process.
[[nodiscard]] double cpu_seconds_here();

/// Memory of this process that is in use.
[[nodiscard]] double resident_bytes_here();

}  // namespace bench
