#include "net/handshake.hpp"

#include <string>

namespace fastgpu::inline v0::detail {
namespace {

constexpr role coordinator_roles = role::submit | role::observe | role::operate;

constexpr role common(role a, role b) noexcept
{
  return static_cast<role>(static_cast<std::uint8_t>(a) & static_cast<std::uint8_t>(b));
}

/// "node" or "submit, observe".
std::string text_of(role roles)
{
  std::string text;
  const auto add = [&](role one, const char* name) {
    if (has(roles, one)) text.append(text.empty() ? "" : ", ").append(name);
  };
  add(role::node, "node");
  add(role::submit, "submit");
  add(role::observe, "observe");
  add(role::operate, "operate");
  return text.empty() ? "none" : text;
}

std::optional<refusal> mismatch(const std::string& what, const std::string& ours, const std::string& theirs)
{
  return refusal{errc::build_mismatch, what + " \"" + theirs + "\" does not go with \"" + ours + '"'};
}

}  // namespace

std::optional<refusal> refusal_of(const session_self& self, const peer_identity& peer, const hello& said)
{
  if (said.library != self.library) return mismatch("library version", self.library, said.library);
  if (said.build != self.build) return mismatch("build", self.build, said.build);

  if (self.server) {
    const bool node = said.wanted == role::node;
    if (said.wanted == role::none || (!node && !has(coordinator_roles, said.wanted))) {
      return refusal{errc::refused, "nobody can be: " + text_of(said.wanted)};
    }
    if (!has(peer.roles, said.wanted)) {
      return refusal{errc::refused, peer.name + " may not be: " + text_of(said.wanted)};
    }
    return std::nullopt;
  }
  const auto expected = self.wanted == role::node ? role::submit : role::node;
  if (!has(peer.roles, expected)) {
    return refusal{errc::refused, peer.name + " may not be: " + text_of(expected)};
  }
  return std::nullopt;
}

peer_part part_of(const session_self& self, const peer_identity& peer, const hello& said)
{
  const auto clients = self.server ? said.wanted : self.wanted;
  const bool client_is_node = clients == role::node;
  const auto stands = client_is_node == self.server ? side::node : side::coordinator;
  // Of a client's rights only those count that it asked for; a server takes part with all that fit its side.
  const auto rights = self.server ? clients
                                  : common(peer.roles, stands == side::node ? role::node : coordinator_roles);
  return {stands, rights};
}

std::optional<refusal> refusal_of(const peer_part& peer, std::size_t type, bool with_payload)
{
  // One sentence for all: it says nothing of what is there and what would be allowed.
  const auto refused = [&](errc code) {
    return refusal{code, "message type " + std::to_string(type) + " is not for you to send"};
  };
  if (type >= dispatch_table.size()) return refused(errc::protocol_error);
  const auto& line = dispatch_table[type];
  if (line.from != peer.stands || !has(peer.rights, line.needed)) return refused(errc::refused);
  if (with_payload && !line.may_carry_payload) return refused(errc::protocol_error);
  return std::nullopt;
}

}  // namespace fastgpu::inline v0::detail
