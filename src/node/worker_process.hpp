#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include <fastgpu/cluster/cluster.hpp>

#include "execute/in_flight_board.hpp"
#include "net/network.hpp"
#include "net/session.hpp"
#include "net/stream.hpp"

/// @file
/// A child process that runs subtasks for this one: how it is started, spoken with, and buried.

namespace fastgpu::inline v0::detail {

/// Where a worker finds what it inherits: its end of the socket pair, and the board.
inline constexpr int worker_socket = 3;
inline constexpr int worker_board = 4;

/// In a worker's environment.
inline constexpr const char* worker_mark = "FASTGPU_WORKER";

/// What a worker is started with.
struct worker_options {
  std::string program;  ///< Its path; empty: this process's own.
  std::string devices;
  std::string name;
  std::vector<std::string> labels{};
  std::string history{};                ///< cluster_options::history
  gpu_options gpu{};                    ///< But for a memory pool, which is this process's.
  std::uint64_t content_bytes_max = std::uint64_t{4} << 30;
  std::uint64_t job_bytes_max = std::uint64_t{1} << 40;
};

/// A worker for `devices`, all of `of` or one of them.
/// @throws error  errc::invalid_argument where `of` has what cannot be another process's.
[[nodiscard]] worker_options worker_of(const cluster_options& of, const std::string& program, const std::string& devices,
                                       const std::string& name);

/// Of sessions with workers. Its end is seen at once, so silence may last: it hashes what is broadcast, and more, on the
/// thread that should speak.
[[nodiscard]] session_limits worker_limits();

/// The options in a worker's command line; nothing where it is none.
struct worker_command {
  worker_options options;
  pid_t parent = 0;
};
[[nodiscard]] std::vector<std::string> command_of(const worker_options& options);
[[nodiscard]] std::optional<worker_command> parse_worker_command(int argc, const char* const* argv);

/// A running worker. Destroying it kills it, if it has not ended. It is also killed when one of its batches takes longer
/// than it may.
///
/// @par Threads  The network's.
class worker_process {
 public:
  /// @throws error  errc::no_usable_device where it cannot be started.
  worker_process(network& on, const worker_options& options);
  worker_process(const worker_process&) = delete;
  worker_process& operator=(const worker_process&) = delete;
  ~worker_process();

  /// The stream to it. Once.
  [[nodiscard]] byte_stream stream();
  [[nodiscard]] const in_flight_board& board() const noexcept { return board_; }
  [[nodiscard]] pid_t id() const noexcept { return id_; }

  /// Waits a moment for its end and says how it came, e.g. "killed by signal 11 (Segmentation fault)".
  [[nodiscard]] std::string bury();

 private:
  void look_for_overdue();

  network& on_;
  in_flight_board board_;
  std::string name_;
  int socket_ = -1;
  pid_t id_ = -1;
  interval overdue_;  // what it was killed for
  alarm look_;
};

}  // namespace fastgpu::inline v0::detail
