#pragma once

#include <string>

#include <fastgpu/error.hpp>

/// @file
/// A coordinator's session with a node, however the node serves it.

namespace fastgpu::inline v0::detail {

class coordinator_session;

/// Who connected: the coordinator to the node, or the node to it.
enum class met { listening, dialling };

class coordinator_session_owner {
 public:
  /// The last call; it destroys the session.
  virtual void ended(coordinator_session& which, const failure& why) = 0;
  /// An operator asks the whole node to drain.
  virtual void drain_all() = 0;

 protected:
  ~coordinator_session_owner() = default;
};

/// @par Threads  The network's.
class coordinator_session {
 public:
  virtual ~coordinator_session() = default;
  /// Takes no more work, gives back what is not started, seals the rest, and ends.
  virtual void drain() = 0;
  /// Its name.
  [[nodiscard]] virtual const std::string& peer() const noexcept = 0;
};

}  // namespace fastgpu::inline v0::detail
