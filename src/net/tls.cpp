#include "net/tls.hpp"

#include <array>
#include <new>
#include <string_view>
#include <utility>

#include <fastgpu/error.hpp>
#include <fastgpu/observe/log.hpp>

#include "net/certificate.hpp"
#include "net/credentials.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr std::array<unsigned char, 10> protocols{9, 'f', 'a', 's', 't', 'g', 'p', 'u', '/', '1'};
constexpr std::string_view protocol = "fastgpu/1";
constexpr int security_level = 2;   // 112 bits: no RSA below 2048, no SHA-1
constexpr int intermediates_max = 0;  // a leaf and its CA

/// What an SSL carries beside OpenSSL's own.
struct tls_side {
  credentials self;
  peer_expectation expected;
  bool server;
  peer_identity peer{};
  std::string objection{};  // to the peer, as soon as there is one
};

void free_side(void*, void* side, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<tls_side*>(side); }

int side_index()
{
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_side);
  return index;
}

tls_side& side_of(SSL& tls) { return *static_cast<tls_side*>(SSL_get_ex_data(&tls, side_index())); }

std::string explain_chain(X509_STORE_CTX& chain, bool peer_is_server)
{
  auto* leaf = X509_STORE_CTX_get0_cert(&chain);
  if (leaf != nullptr && (X509_get_extension_flags(leaf) & EXFLAG_INVALID) != 0) return "its certificate is malformed";
  const int problem = X509_STORE_CTX_get_error(&chain);
  const auto* certificate = X509_STORE_CTX_get_current_cert(&chain);
  const std::string whose = X509_STORE_CTX_get_error_depth(&chain) > 0 ? "its CA's certificate " : "its certificate ";
  switch (problem) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return whose + "has expired (" + (certificate ? day_of(*X509_get0_notAfter(certificate)) : "") + ")";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return whose + "is not valid before " + (certificate ? day_of(*X509_get0_notBefore(certificate)) : "");
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return "its certificate is signed by itself";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CERT_UNTRUSTED: return "its certificate is of another CA";
    case X509_V_ERR_CERT_CHAIN_TOO_LONG: return "its certificate has CAs between itself and ours";
    case X509_V_ERR_INVALID_PURPOSE:
      return whose + (peer_is_server ? "is not for servers" : "is not for clients") + " (extended key usage)";
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL: return whose + "has a key that is too weak";
    case X509_V_ERR_CA_MD_TOO_WEAK: return whose + "has a signature that is too weak";
    default: return whose + "is refused: " + X509_verify_cert_error_string(problem);
  }
}

bool any_held(role held, role any_of) noexcept
{
  return (static_cast<unsigned>(held) & static_cast<unsigned>(any_of)) != 0;
}

std::string expected_role(role any_of)
{
  return any_of == role::node ? "a node" : has(any_of, role::node) ? "a node or client" : "a client or operator";
}

/// Empty where nothing speaks against the holder of a chain that is good in itself.
std::string objection_to(X509& leaf, tls_side& side)
{
  if (const auto unfit = unfitness_of(leaf, !side.server)) return "its certificate " + unfit->detail;
  const auto named = name_of(leaf);
  if (!named) return "its certificate " + named.error().detail;
  const auto& name = named.value();
  if (name.trust_domain != side.self.trust_domain()) {
    return "its certificate is of another trust domain, '" + name.trust_domain + "'";
  }
  try {
    if (side.self.data()->denied().denies(name, serial_of(leaf))) return "its certificate is on our deny list";
  } catch (const error& e) {
    return e.what();
  }
  if (!any_held(name.roles, side.expected.any_of)) {
    return "it is " + std::string{name.role_path == "operator" ? "an " : "a "} + name.role_path + ", '" + name.name +
           "', where " + expected_role(side.expected.any_of) + " is expected";
  }
  if (!side.expected.name.empty() && name.name != side.expected.name) {
    return "it is named '" + name.name + "', not '" + side.expected.name + "'";
  }
  side.peer = {name.name, name.roles, true};
  return {};
}

/// In the place of OpenSSL's own verification, which it begins with.
int judge(X509_STORE_CTX* chain, void*) noexcept
{
  const auto at = SSL_get_ex_data_X509_STORE_CTX_idx();
  auto& tls = *static_cast<SSL*>(X509_STORE_CTX_get_ex_data(chain, at));
  auto& side = side_of(tls);
  try {
    if (X509_verify_cert(chain) != 1) {
      side.objection = explain_chain(*chain, !side.server);
      if (X509_STORE_CTX_get_error(chain) == X509_V_OK) X509_STORE_CTX_set_error(chain, X509_V_ERR_UNSPECIFIED);
      return 0;
    }
    const auto* links = X509_STORE_CTX_get0_chain(chain);
    if (sk_X509_num(links) != 2) {
      side.objection = "its certificate is not directly of our CA";
    } else {
      side.objection = objection_to(*sk_X509_value(links, 0), side);
    }
    if (side.objection.empty()) return 1;
  } catch (const std::exception&) {  // no memory
  }
  X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

/// A client that names no protocol would pass by select_protocol().
int look_at_hello(SSL* tls, int* alert, void*) noexcept
{
  const unsigned char* names = nullptr;
  std::size_t length = 0;
  if (SSL_client_hello_get0_ext(tls, TLSEXT_TYPE_application_layer_protocol_negotiation, &names, &length) == 1) {
    return SSL_CLIENT_HELLO_SUCCESS;
  }
  *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
  return SSL_CLIENT_HELLO_ERROR;
}

int select_protocol(SSL*, const unsigned char** selected, unsigned char* length, const unsigned char* offered,
                    unsigned int offered_length, void*) noexcept
{
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, length, protocols.data(), protocols.size(), offered, offered_length) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *selected = found;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

tls_context_ptr make_tls_context(bool server, X509& certificate, EVP_PKEY& key,
                                 const std::vector<certificate_ptr>& authorities)
{
  tls_context_ptr made{SSL_CTX_new(server ? TLS_server_method() : TLS_client_method())};
  if (!made) throw std::bad_alloc{};
  auto* context = made.get();

  SSL_CTX_set_security_level(context, security_level);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_verify_depth(context, intermediates_max);
  SSL_CTX_set_cert_verify_callback(context, judge, nullptr);
  // Our CA is not sent along: the peer has it, or sees by its absence and not by a chain too long that it has another.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  bool good = SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
              SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
              SSL_CTX_set1_groups_list(context, "X25519:P-256") == 1 && SSL_CTX_set_num_tickets(context, 0) == 1 &&
              SSL_CTX_set_max_early_data(context, 0) == 1;
  if (server) {
    SSL_CTX_set_client_hello_cb(context, look_at_hello, nullptr);
    SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);
  } else {
    good = good && SSL_CTX_set_alpn_protos(context, protocols.data(), protocols.size()) == 0;
  }

  auto* store = SSL_CTX_get_cert_store(context);
  for (const auto& authority : authorities) good = good && X509_STORE_add_cert(store, authority.get()) == 1;
  good = good && SSL_CTX_use_certificate(context, &certificate) == 1 && SSL_CTX_use_PrivateKey(context, &key) == 1;
  if (!good) throw error{errc::credentials_error, "credentials: TLS cannot use them: " + openssl_reason()};
  return made;
}

tls_ptr new_tls(bool server, const credentials& self, peer_expectation expected)
{
  tls_ptr tls{SSL_new(&self.data()->context(server))};
  auto side = std::make_unique<tls_side>(tls_side{self, std::move(expected), server});
  if (!tls || SSL_set_ex_data(tls.get(), side_index(), side.get()) != 1) throw std::bad_alloc{};
  (void)side.release();  // goes with the SSL
  return tls;
}

result<peer_identity> peer_of(SSL& tls)
{
  const auto refused = [](const char* why) { return failure{make_error_code(errc::refused), why}; };
  const unsigned char* selected = nullptr;
  unsigned int length = 0;
  SSL_get0_alpn_selected(&tls, &selected, &length);
  if (std::string_view{reinterpret_cast<const char*>(selected), length} != protocol) {
    return refused("it does not speak fastgpu's protocol (ALPN)");
  }
  // OpenSSL has seen to these already: a second look costs nothing.
  const auto& side = side_of(tls);
  if (SSL_version(&tls) != TLS1_3_VERSION || SSL_get_verify_result(&tls) != X509_V_OK ||
      SSL_get0_peer_certificate(&tls) == nullptr || side.peer.name.empty() || !side.objection.empty()) {
    return refused("it has not proved who it is");
  }
  return side.peer;
}

failure explain_tls(SSL& tls, unsigned long code)
{
  const auto refused = [](std::string why) { return failure{make_error_code(errc::refused), std::move(why)}; };
  const auto& side = side_of(tls);
  if (!side.objection.empty()) return refused(side.objection);
  const int reason = ERR_GET_REASON(code);
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) {
    return refused(std::string{"TLS failed: "} + (code != 0 ? ERR_reason_error_string(code) : "no reason given"));
  }
  if (reason >= SSL_AD_REASON_OFFSET) {
    const int alert = reason - SSL_AD_REASON_OFFSET;
    switch (alert) {
      case SSL_AD_NO_APPLICATION_PROTOCOL: return refused("it does not speak fastgpu's protocol (TLS alert)");
      case SSL_AD_PROTOCOL_VERSION: return refused("it does not speak TLS 1.3");
      default:
        return refused(std::string{"it refused our credentials (TLS alert: "} + SSL_alert_desc_string_long(alert) + ")");
    }
  }
  switch (reason) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return refused("it showed no certificate");
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNSUPPORTED_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW: return refused("it does not speak TLS 1.3");
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_CALLBACK_FAILED: return refused("it does not speak fastgpu's protocol (ALPN)");
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST: return refused("it speaks HTTP, not TLS");
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_PACKET_LENGTH_TOO_LONG: return refused("it does not speak TLS");
    default: {
      const char* text = ERR_reason_error_string(code);
      return refused(std::string{"TLS failed: "} + (text != nullptr ? text : "no reason given"));
    }
  }
}

}  // namespace fastgpu::inline v0::detail
