#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

/// @file
/// Two processes that speak with each other, in several ways: fastgpu's and those it is compared with. The server is a
/// process of its own (fastgpu_benchmark_peer), the client is in the benchmark's.

namespace bench {

/// One payload of the kinds that send payloads.
inline constexpr std::size_t bulk_bytes = std::size_t{64} << 20;

class client {
 public:
  virtual ~client() = default;
  /// Returns when so many subtasks were granted one by one and have been completed, `in_flight` at a time; of a kind that
  /// sends payloads, when so many have arrived.
  virtual void run(std::uint64_t count, std::uint32_t in_flight) = 0;
};

class server {
 public:
  virtual ~server() = default;
  [[nodiscard]] virtual std::string address() const = 0;
};

/// A way to speak.
struct peer_kind {
  std::string name;
  /// @param credentials  Folder of a CA with the node n1 and the client "user".
  std::unique_ptr<server> (*serve)(const std::string& credentials) = nullptr;
  std::unique_ptr<client> (*connect)(const std::string& credentials, const std::string& address) = nullptr;
};

/// All that this build has.
[[nodiscard]] const std::vector<peer_kind>& peer_kinds();
/// Null where there is none of that name.
[[nodiscard]] const peer_kind* peer_named(const std::string& name);

// What peer_kinds() is made of; each in its file.
void add_fastgpu_peers(std::vector<peer_kind>& to);
void add_asio_peers(std::vector<peer_kind>& to);
void add_grpc_peers(std::vector<peer_kind>& to);  ///< Only where gRPC is installed.

/// A subtask as fastgpu's session says it, in bytes: so much others send, too.
struct wire_bytes {
  std::size_t grant = 0;
  std::size_t completion = 0;
};
[[nodiscard]] wire_bytes wire_bytes_of_a_subtask();

}  // namespace bench
