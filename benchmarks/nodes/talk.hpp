#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "nodes/peer_process.hpp"
#include "support/paired.hpp"

/// @file
/// A kind's server and client, as contestants.

namespace bench {

class talk {
 public:
  /// @pre  This build has the kind.
  talk(const std::string& kind, const credentials_folder& as, std::uint32_t in_flight);

  [[nodiscard]] const std::string& kind() const noexcept { return kind_; }
  void run(std::uint64_t count);

  /// As many as take about so long.
  [[nodiscard]] std::uint64_t count_for(double seconds);

  /// Joins a contest with `count` things a repetition.
  void join(paired& contest, std::uint64_t count);

  /// Processor time for one thing since it joined.
  [[nodiscard]] double client_cpu_seconds() const { return client_cpu_s_ / things_; }
  [[nodiscard]] double server_cpu_seconds() const { return server_cpu_s_ / things_; }

 private:
  std::string kind_;
  std::uint32_t in_flight_;
  server_process server_;
  std::unique_ptr<client> client_;
  double client_cpu_s_ = 0;
  double server_cpu_s_ = 0;
  double things_ = 0;
};

}  // namespace bench
