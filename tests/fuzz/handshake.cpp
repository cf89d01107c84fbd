#include "fuzz/fuzzed_session.hpp"

/// @file
/// Bytes as they come, to an end that knows nothing of the other yet: a server, or clients of both kinds.

void fuzz::handshake(std::span<const std::byte> input)
{
  reader from{input};
  const auto kind = from.byte();
  const bool server = (kind & 1) != 0;
  const auto wanted = server ? net::role::none : (kind & 2) != 0 ? net::role::node : net::role::submit;
  fuzzed_session end{server, wanted, static_cast<net::role>(kind >> 2 & 15)};
  while (!from.empty() && !end.over()) {
    const std::size_t portion = (kind & 64) != 0 ? 1 : 4096;
    end.talk.received(from.bytes(portion));
    end.take();
  }
  end.pass(1);
  end.talk.ended({});
  require(end.over());
}
