#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "nccl/group_messages.hpp"

/// @file
/// Commands and reports between processes of one build, over a socket pair. For tests: no session of the library's.

namespace support {

using fastgpu::detail::group_command;
using fastgpu::detail::group_report;

/// Bytes of one message, in the order in which they are put and taken.
class rank_message {
 public:
  rank_message() = default;
  explicit rank_message(std::vector<std::byte> bytes) : bytes_{std::move(bytes)} {}

  template <class T>
    requires std::is_trivially_copyable_v<T>
  void put(const T& value)
  {
    put_bytes(&value, sizeof value);
  }
  void put(std::span<const std::byte> bytes)
  {
    put(std::uint64_t{bytes.size()});
    put_bytes(bytes.data(), bytes.size());
  }
  template <class T>
    requires std::is_trivially_copyable_v<T>
  [[nodiscard]] T take()
  {
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  [[nodiscard]] std::vector<std::byte> take_bytes()
  {
    const auto size = take<std::uint64_t>();
    const auto from = bytes_.begin() + static_cast<std::ptrdiff_t>(at_);
    at_ += size;
    return {from, from + static_cast<std::ptrdiff_t>(size)};
  }
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  void put_bytes(const void* from, std::size_t size)
  {
    const auto* bytes = static_cast<const std::byte*>(from);
    bytes_.insert(bytes_.end(), bytes, bytes + size);
  }

  std::vector<std::byte> bytes_;
  std::size_t at_ = 0;
};

inline rank_message packed(const group_command& c)
{
  rank_message m;
  m.put(c.what);
  m.put(c.stamp);
  m.put(c.connected);
  m.put(c.group.epoch);
  m.put(c.group.id);
  m.put(std::as_bytes(std::span{c.group.members}));
  return m;
}
inline group_command command_in(rank_message m)
{
  group_command c;
  c.what = m.take<group_command::kind>();
  c.stamp = m.take<fastgpu::detail::group_stamp>();
  c.connected = m.take<bool>();
  c.group.epoch = m.take<std::uint64_t>();
  c.group.id = m.take<fastgpu::detail::communicator_id>();
  const auto members = m.take_bytes();
  c.group.members.resize(members.size() / sizeof(fastgpu::detail::member_id));
  std::memcpy(c.group.members.data(), members.data(), members.size());
  return c;
}
inline rank_message packed(const group_report& r)
{
  rank_message m;
  m.put(r.what);
  m.put(r.stamp);
  m.put(r.id);
  m.put(r.for_good);
  m.put(std::span<const std::byte>{r.bytes});
  m.put(std::as_bytes(std::span{r.why.detail}));
  return m;
}
inline group_report report_in(rank_message m)
{
  group_report r;
  r.what = m.take<group_report::kind>();
  r.stamp = m.take<fastgpu::detail::group_stamp>();
  r.id = m.take<fastgpu::detail::communicator_id>();
  r.for_good = m.take<bool>();
  r.bytes = m.take_bytes();
  const auto detail = m.take_bytes();
  r.why = {make_error_code(fastgpu::errc::device_failed),
           std::string{reinterpret_cast<const char*>(detail.data()), detail.size()}};
  return r;
}

/// One end of a connection. Owns the socket.
class rank_channel {
 public:
  explicit rank_channel(int socket) : socket_{socket} {}
  rank_channel(const rank_channel&) = delete;
  rank_channel& operator=(const rank_channel&) = delete;
  ~rank_channel() { ::close(socket_); }

  void send(const rank_message& message)
  {
    const std::uint64_t size = message.bytes().size();
    write(&size, sizeof size);
    write(message.bytes().data(), size);
  }

  /// Waits until something comes, but not long. @return  Whole messages that have come.
  std::vector<rank_message> receive(int milliseconds)
  {
    ::pollfd ready{socket_, POLLIN, 0};
    std::vector<rank_message> messages;
    if (open_ && ::poll(&ready, 1, milliseconds) > 0) {
      std::byte part[4096];
      const auto count = ::recv(socket_, part, sizeof part, MSG_DONTWAIT);
      if (count > 0) {
        unread_.insert(unread_.end(), part, part + count);
      } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        open_ = false;
      }
    }
    for (;;) {
      std::uint64_t size = 0;
      if (unread_.size() < sizeof size) break;
      std::memcpy(&size, unread_.data(), sizeof size);
      if (unread_.size() < sizeof size + size) break;
      const auto begin = unread_.begin() + sizeof size;
      const auto end = begin + static_cast<std::ptrdiff_t>(size);
      messages.emplace_back(std::vector<std::byte>{begin, end});
      unread_.erase(unread_.begin(), end);
    }
    return messages;
  }

  /// False once the other process has closed its end, as it does when it dies.
  [[nodiscard]] bool open() const { return open_; }

 private:
  void write(const void* from, std::size_t size)
  {
    const auto* at = static_cast<const std::byte*>(from);
    while (open_ && size > 0) {
      const auto count = ::send(socket_, at, size, MSG_NOSIGNAL);
      if (count < 0 && errno != EINTR) open_ = false;
      if (count > 0) {
        at += count;
        size -= static_cast<std::size_t>(count);
      }
    }
  }

  int socket_;
  bool open_ = true;
  std::vector<std::byte> unread_;
};

}  // namespace support
