#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <fastgpu/result.hpp>

#include "net/openssl.hpp"
#include "net/peer.hpp"

/// @file
/// What a certificate says of its holder. Reasons are written to stand behind "its certificate".

namespace fastgpu::inline v0::detail {

/// From a URI `fastgpu://DOMAIN/ROLE/NAME`, or the same with `spiffe:`.
struct certified_name {
  std::string trust_domain;
  std::string role_path;  ///< "node", "client" or "operator".
  std::string name;
  role roles = role::none;

  /// Without the scheme, which says nothing of the holder.
  [[nodiscard]] std::string path() const { return trust_domain + "/" + role_path + "/" + name; }
};

/// [a-z0-9._-], 1 to 63 of them, neither "." nor "..": it is a folder's name too.
[[nodiscard]] bool is_principal_name(std::string_view name) noexcept;

[[nodiscard]] std::optional<certified_name> parse_uri_name(std::string_view uri);

/// The holder's name: of exactly one URI among the subject's alternative names.
[[nodiscard]] result<certified_name> name_of(const X509& certificate);

/// Checks what does not depend on who asks: the key's strength, the signature's hash, that it is not a CA's, and that
/// it states what it may be used for.
[[nodiscard]] std::optional<failure> unfitness_of(X509& certificate, bool as_server);

/// In lower-case hex without leading zeros.
[[nodiscard]] std::string serial_of(const X509& certificate);

/// E.g. "2026-01-31".
[[nodiscard]] std::string day_of(const ASN1_TIME& time);

}  // namespace fastgpu::inline v0::detail
