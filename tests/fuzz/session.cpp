#include "fuzz/fuzzed_session.hpp"

#include <utility>

#include "support/raw_peer.hpp"

/// @file
/// What goes on in a session, as a list of steps: mostly frames, with right headers and any bodies, for without them
/// nothing would get behind the first check.

namespace {

using fuzz::fuzzed_session;
using fuzz::reader;
namespace net = fastgpu::detail;

constexpr auto coordinator = net::role::submit | net::role::observe | net::role::operate;

/// Sends something of our own, so that queues are not empty.
void say(fuzzed_session& end, std::uint8_t what)
{
  switch (what % 4) {
    case 0: return end.talk.send(net::take_back{1, what, 1});
    case 1: return end.talk.send(net::grant_ranges{1, false, 0, std::vector<fastgpu::interval>(what)});
    case 2: return end.talk.send(net::job_data_piece{}, std::make_shared<const net::payload>(what * 20u));
    default: return end.talk.send(net::close_job{what});
  }
}

/// A frame of the peer's: the type is small for the session's own, 16 and more for messages, 128 and more for those
/// with a payload.
std::vector<std::byte> frame_of(support::raw_peer& peer, std::uint8_t type, std::span<const std::byte> body)
{
  auto whole = static_cast<std::uint16_t>(type);
  if (type >= 128) whole = static_cast<std::uint16_t>(272 + (type - 128));
  return peer.frame(static_cast<net::frame_type>(whole), body);
}

}  // namespace

void fuzz::session(std::span<const std::byte> input)
{
  reader from{input};
  const auto kind = from.byte();
  const bool server = (kind & 1) != 0;
  const bool node = (kind & 2) != 0;  // the peer is one
  support::raw_peer peer;
  fuzzed_session end{server, server ? net::role::none : node ? coordinator : net::role::node,
                     static_cast<net::role>(15)};
  end.take();
  if (server) {
    end.talk.received(peer.hello({"peer", "0.1.0", "build", false, node ? net::role::node : coordinator}));
  } else {
    end.talk.received(peer.welcome({"peer", "0.1.0", "build", true, net::role::none}));
  }
  require(end.talk.open());

  while (!from.empty()) {
    const auto step = from.byte();
    switch (step) {
      case 0: end.take(); break;
      case 1: end.pass(from.byte() / 16.0); break;
      case 2: say(end, from.byte()); break;
      case 3: end.talk.received(from.bytes(from.byte())); break;  // without a header
      case 4: end.talk.close(); break;
      case 5: end.talk.ended({}); break;
      default: {
        const auto body_bytes = from.number() % 5000;
        const auto frame = frame_of(peer, step - 6, from.bytes(body_bytes));
        const std::size_t cut = step % 3 == 0 ? frame.size() / 2 : 0;
        end.talk.received(std::span{frame}.first(cut));
        end.talk.received(std::span{frame}.subspan(cut));
      }
    }
  }
  end.take();
  end.pass(0.1);
  end.talk.ended({});
  require(end.over());
}
