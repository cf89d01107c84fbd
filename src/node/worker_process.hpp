#pragma once

#include <string>

#include <sys/types.h>

#include "execute/in_flight_board.hpp"
#include "net/network.hpp"
#include "net/stream.hpp"

/// @file
/// A child process that runs subtasks for this one: how it is started, spoken with, and buried.

namespace fastgpu::inline v0::detail {

/// In a worker's environment.
inline constexpr const char* worker_mark = "FASTGPU_WORKER";

/// What a worker is started with.
struct worker_options {
  std::string program;  ///< Its path; empty: this process's own.
  std::string devices;
  std::string name;
};

/// A running worker. Destroying it kills it, if it has not ended.
///
/// @par Threads  The network's.
class worker_process {
 public:
  /// @throws error  errc::no_usable_device where it cannot be started.
  explicit worker_process(const worker_options& options);
  worker_process(const worker_process&) = delete;
  worker_process& operator=(const worker_process&) = delete;
  ~worker_process();

  /// The stream to it. Once.
  [[nodiscard]] byte_stream stream(network& on);
  [[nodiscard]] const in_flight_board& board() const noexcept { return board_; }
  [[nodiscard]] pid_t id() const noexcept { return id_; }

  /// Waits a moment for its end and says how it came, e.g. "killed by signal 11 (Segmentation fault)".
  [[nodiscard]] std::string bury();

 private:
  in_flight_board board_;
  std::string name_;
  int socket_ = -1;
  pid_t id_ = -1;
};

}  // namespace fastgpu::inline v0::detail
