#pragma once

#include <string>
#include <vector>

#include <fastgpu/cluster/credentials.hpp>
#include <fastgpu/result.hpp>

#include "net/openssl.hpp"
#include "net/peer.hpp"

/// @file
/// TLS as sessions use it: version 1.3 alone, both ends with certificates of one CA, and the protocol's name agreed
/// upon. Nothing is resumed: each session is a new handshake.

namespace fastgpu::inline v0::detail {

/// What is asked of a peer beyond a good certificate.
struct peer_expectation {
  role any_of = role::node;  ///< At least one of these.
  std::string name{};        ///< Empty: any.
};

/// @throws error  errc::credentials_error
[[nodiscard]] tls_context_ptr make_tls_context(bool server, X509& certificate, EVP_PKEY& key,
                                               const std::vector<certificate_ptr>& authorities);

/// One end of a connection to be.
/// @throws std::bad_alloc
[[nodiscard]] tls_ptr new_tls(bool server, const credentials& self, peer_expectation expected);

/// Once the handshake is done: who the peer is.
[[nodiscard]] result<peer_identity> peer_of(SSL& tls);

/// Why a handshake or a stream failed, to stand behind the peer's address and a colon. `code`: what the error queue had,
/// 0 if nothing.
[[nodiscard]] failure explain_tls(SSL& tls, unsigned long code);

}  // namespace fastgpu::inline v0::detail
