#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "net/codec.hpp"
#include "net/frame.hpp"
#include "net/messages.hpp"
#include "net/transfer_meter.hpp"

/// @file
/// What waits to be sent, in which order it goes, and how much may be on its way.

namespace fastgpu::inline v0::detail {

struct outbox_limits {
  std::uint32_t piece_bytes = 0;
  std::uint32_t window_bytes = 0;  ///< Given out and not written yet, for pieces to follow.
};

/// Small messages are frames from the start and leave together; payloads wait as they are, shared with others, and
/// are cut when there is room. Small ones go before the next piece. While something is being written the rest waits, so
/// that a burst of messages costs one write.
///
/// @par Threads  Single-threaded.
class outbox {
 public:
  explicit outbox(outbox_limits limits) : limits_{limits} {}

  void add(frame_type bodyless);
  void add(frame_type type, const hello& what);
  void add(const refusal& what);

  /// Waits for release_messages(). @return  Bytes of its body.
  std::size_t add(const message& what);
  /// @param meter  Is told when the payload goes and has gone; may be null.
  /// @return       Bytes of its frame's body, without the payload.
  std::size_t add(const message& what, std::shared_ptr<const payload> bytes, std::shared_ptr<transfer_meter> meter);

  /// From now on messages go, those that have waited first.
  void release_messages();
  /// No payload will go, nor messages that wait for their release: the end comes. What is left goes at once.
  void finish();

  /// What goes now, if anything does.
  [[nodiscard]] std::optional<std::vector<std::byte>> take(seconds now);
  /// So much of what was taken has been written.
  void written(std::size_t bytes);
  /// A payload with a meter has been written to its end: in_socket() is waited for.
  [[nodiscard]] bool waits_for_socket() const noexcept { return !ends_.empty() && ends_.front().at <= written_; }
  /// So much of what was written has not left the socket.
  void in_socket(std::size_t bytes, seconds now);

  /// Of payloads, what was not taken yet.
  [[nodiscard]] std::uint64_t waiting() const noexcept
  {
    std::uint64_t bytes = 0;
    for (const auto& m : bulk_) bytes += m.bytes->size() - m.sent;
    return bytes;
  }

  /// Taken and not written.
  [[nodiscard]] std::uint64_t in_flight() const noexcept { return in_flight_; }
  /// Frames of messages, taken and not written or not even taken. Of payloads only what was taken.
  [[nodiscard]] std::uint64_t held() const noexcept { return in_flight_ + ready_.size() + early_.size() + heads_; }
  [[nodiscard]] bool idle() const noexcept { return held() == 0 && bulk_.empty(); }

 private:
  struct bulk_message {
    std::vector<std::byte> head;  ///< Its frame; the number is set when it goes.
    std::shared_ptr<const payload> bytes;
    std::shared_ptr<transfer_meter> meter;
    std::size_t sent = 0;
  };
  /// Of a payload with a meter.
  struct payload_end {
    std::uint64_t at;  ///< Among all bytes that were ever taken; the largest number until it was taken whole.
    std::shared_ptr<transfer_meter> meter;
  };
  void add_bulk(std::vector<std::byte>& out, seconds now);

  outbox_limits limits_;
  encoder encoder_;
  frame_writer frames_;          // in the order in which they will be read
  frame_writer unnumbered_;      // of frames that are numbered when it is known what goes before them
  std::vector<std::byte> ready_;
  std::vector<std::byte> early_;  // messages before their release
  std::deque<bulk_message> bulk_;
  std::uint64_t heads_ = 0;  // bytes of all in bulk_
  std::uint64_t in_flight_ = 0;
  std::uint64_t written_ = 0;        // ever
  std::deque<payload_end> ends_;     // that have not left the socket, in their order
  std::size_t ends_taken_ = 0;       // of them, the first ones
  bool released_ = false;
  bool finishing_ = false;
};

}  // namespace fastgpu::inline v0::detail
