#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include <fastgpu/subtask.hpp>

#include "net/network.hpp"
#include "net/stream.hpp"

/// @file
/// A child process that runs subtasks for this one: how it is started, spoken with, and buried.

namespace fastgpu::inline v0::detail {

/// Memory that a worker shares with its parent: which batch each of its threads is at. It outlives the worker, so that
/// the parent knows whom to suspect.
///
/// @par Threads  A slot has one writer; reading is for when the writer is gone.
class in_flight_board {
 public:
  static constexpr std::uint32_t slots = 4096;

  /// A new one, or the one behind a descriptor that was inherited, which is taken over.
  /// @throws error  errc::no_usable_device
  in_flight_board();
  explicit in_flight_board(int descriptor);
  in_flight_board(const in_flight_board&) = delete;
  in_flight_board& operator=(const in_flight_board&) = delete;
  ~in_flight_board();

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

  /// Thread `slot` begins a batch of job `job`, or, with an empty one, has ended it.
  void write(std::uint32_t slot, std::uint32_t job, interval batch) noexcept;
  /// What was under way of `job` when its worker died.
  [[nodiscard]] std::vector<interval> read(std::uint32_t job) const;

 private:
  struct entry;
  entry* entries_ = nullptr;
  int descriptor_ = -1;
};

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

/// The board of this process, where it is a worker; null in any other.
[[nodiscard]] in_flight_board* board_of_this_worker() noexcept;

}  // namespace fastgpu::inline v0::detail
