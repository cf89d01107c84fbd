#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "net/codec.hpp"
#include "net/frame.hpp"
#include "support/session_pair.hpp"

/// @file
/// A peer that is no session: it writes frames as it likes, right ones and wrong ones.

namespace support {

/// Offsets in a frame's header.
inline constexpr std::size_t at_version = 4, at_type = 6, at_flags = 8, at_body_bytes = 12, at_sequence = 16;

template <class Integer>
void poke(std::vector<std::byte>& frame, std::size_t at, Integer value)
{
  net::store_little(value, frame.data() + at);
}

class raw_peer {
 public:
  [[nodiscard]] std::vector<std::byte> frame(net::frame_type type, std::span<const std::byte> body = {})
  {
    std::vector<std::byte> out;
    const auto begin = frames_.begin(type, out);
    out.insert(out.end(), body.begin(), body.end());
    net::frame_writer::end(begin, out);
    return out;
  }
  [[nodiscard]] std::vector<std::byte> hello(const net::session_self& self = pair_options{}.client)
  {
    return greeting(net::frame_type::hello, self);
  }
  [[nodiscard]] std::vector<std::byte> welcome(const net::session_self& self = pair_options{}.server)
  {
    return greeting(net::frame_type::welcome, self);
  }
  [[nodiscard]] std::vector<std::byte> message(const net::message& what)
  {
    return frame(type(what), net::encode(what));
  }

  /// The frame that announces a payload.
  [[nodiscard]] std::vector<std::byte> announcement(const net::message& what, std::uint64_t bytes)
  {
    std::vector<std::byte> body(sizeof bytes);
    net::store_little(bytes, body.data());
    net::encoder{}.append(what, body);
    return frame(type(what, net::frame_type::first_with_payload), body);
  }

  [[nodiscard]] static net::frame_type type(const net::message& what,
                                            net::frame_type first = net::frame_type::first_message)
  {
    return static_cast<net::frame_type>(static_cast<std::size_t>(first) + what.index());
  }

 private:
  std::vector<std::byte> greeting(net::frame_type type, const net::session_self& self)
  {
    std::vector<std::byte> body;
    net::encoder{}.append(net::hello{self.name, self.library, self.build, self.wanted}, body);
    return frame(type, body);
  }

  net::frame_writer frames_;
};

}  // namespace support
