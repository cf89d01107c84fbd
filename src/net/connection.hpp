#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "net/network.hpp"
#include "net/session.hpp"
#include "net/stream.hpp"

/// @file
/// A session over a stream: where the protocol's state machine meets the socket and the clock.

namespace fastgpu::inline v0::detail {

class connection;

/// Who has a connection. Called on the network's thread; it may destroy the connection within closed(), not elsewhere.
class connection_owner {
 public:
  virtual void opened(connection& which) = 0;
  virtual void received(connection& which, message&& what, payload&& bytes) = 0;
  virtual void suspected(connection& which, bool now) = 0;
  /// The last call. No code in `why`: the peer said goodbye, or close() was called.
  virtual void closed(connection& which, const failure& why) = 0;

 protected:
  ~connection_owner() = default;
};

/// @par Threads  The network's.
class connection final : private session_events {
 public:
  connection(network& on, byte_stream stream, session_self self, connection_owner& owner, session_limits limits = {});
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  /// @param meter  See session::send().
  void send(const message& what, std::shared_ptr<const payload> bytes = nullptr,
            std::shared_ptr<transfer_meter> meter = nullptr);
  /// Says goodbye. closed() follows, from elsewhere.
  void close();
  /// Closes at once, for this reason; closed() follows, from elsewhere.
  void cut(const failure& why);

  [[nodiscard]] bool open() const noexcept { return session_.open(); }
  [[nodiscard]] const peer_identity& peer() const noexcept { return stream_.peer(); }
  [[nodiscard]] const std::string& remote() const noexcept { return stream_.remote(); }
  [[nodiscard]] const session::counters& count() const noexcept { return session_.count(); }
  [[nodiscard]] const session_self& peer_self() const noexcept { return session_.peer_self(); }
  /// See session.
  [[nodiscard]] double payload_took_s() const noexcept { return session_.payload_took_s(); }
  /// Bytes of payloads that wait to be sent.
  [[nodiscard]] std::uint64_t queued_bytes() const noexcept { return session_.queued_payload_bytes(); }

 private:
  void write(std::vector<std::byte> bytes) override;
  void opened() override;
  void received(message&& what, payload&& bytes) override;
  void suspected(bool now) override;
  void closed(const failure& why) override;
  template <class Step>
  void enter(const Step& step);
  void rearm();
  /// Whether payloads that are metered have left the socket: nobody tells, so it is looked at again and again.
  void look_at_socket();
  /// Tells the owner, from a call of its own, that this is over.
  void end_later(const failure& why);

  network& on_;
  connection_owner& owner_;
  byte_stream stream_;
  session session_;
  alarm tick_;
  alarm look_;
  std::optional<seconds> looks_since_;  // what was written is waited for
  std::shared_ptr<connection*> alive_;  // null behind it once this is gone
  bool inside_ = false;   // a call to the session that comes from below
  bool closing_ = false;  // goodbye was said
  bool over_ = false;
};

}  // namespace fastgpu::inline v0::detail
