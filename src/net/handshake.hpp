#pragma once

#include <optional>

#include "net/codec.hpp"
#include "net/dispatch.hpp"
#include "net/peer.hpp"
#include "net/session.hpp"

/// @file
/// Whether two ends go together, and what the other one may say then. Both ask the same of each other.

namespace fastgpu::inline v0::detail {

/// What a peer is in a session: on which side it stands and which of its rights count.
struct peer_part {
  side stands = side::node;
  role rights = role::none;
};

/// Why there is no session with that peer, from either side's view; nothing where there is one.
///
/// A client that wants to be a node dials in to a coordinator, any other one is a coordinator (or an observer, or an
/// operator) that dials a node.
[[nodiscard]] std::optional<refusal> refusal_of(const session_self& self, const peer_identity& peer, const hello& said);

/// @pre  !refusal_of()
[[nodiscard]] peer_part part_of(const session_self& self, const peer_identity& peer, const hello& said);

/// Why a frame with this message may not come from that peer: its type alone decides. `with_payload`: one follows.
[[nodiscard]] std::optional<refusal> refusal_of(const peer_part& peer, std::size_t type, bool with_payload);

}  // namespace fastgpu::inline v0::detail
