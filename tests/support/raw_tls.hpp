#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include "net/openssl.hpp"
#include "net/socket.hpp"
#include "support/forged_credentials.hpp"

/// @file
/// A peer made of OpenSSL and blocking sockets alone, which may show what it likes. Runs on a thread of its own.

namespace support {

using fastgpu::detail::owned_descriptor;
using fastgpu::detail::tls_context_ptr;
using fastgpu::detail::tls_ptr;

struct raw_options {
  int version_min = TLS1_3_VERSION;
  int version_max = TLS1_3_VERSION;
  std::string protocols = std::string{"\x09"} + "fastgpu/1";  ///< As ALPN has them; empty: none.
  std::string groups{};                                     ///< Empty: OpenSSL's own.
  std::function<void(SSL_CTX*)> with_context{};
  std::function<void(SSL*)> before_handshake{};
};

/// What a raw peer saw.
struct raw_outcome {
  bool handshake = false;       ///< As far as its own side can tell.
  std::string received;         ///< Application data.
  std::string error;            ///< OpenSSL's first; empty where the peer ended without one.
  bool closed = false;          ///< The peer did, before the patience of 5 s was over.
  std::chrono::milliseconds took{};
};

inline tls_context_ptr raw_context(bool server, const shown_credentials& shown, const raw_options& options)
{
  tls_context_ptr context{SSL_CTX_new(server ? TLS_server_method() : TLS_client_method())};
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_min_proto_version(context.get(), options.version_min);
  SSL_CTX_set_max_proto_version(context.get(), options.version_max);
  if (!options.groups.empty()) SSL_CTX_set1_groups_list(context.get(), options.groups.c_str());
  SSL_CTX_set_verify(context.get(), server ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, [](int, X509_STORE_CTX*) { return 1; });
  if (shown.certificate) {
    need(SSL_CTX_use_certificate(context.get(), shown.certificate.get()) == 1, "certificate");
    need(SSL_CTX_use_PrivateKey(context.get(), shown.key.get()) == 1, "key");
  }
  for (const auto& one : shown.chain) SSL_CTX_add1_chain_cert(context.get(), one.get());
  if (!options.protocols.empty()) {
    const auto* raw = reinterpret_cast<const unsigned char*>(options.protocols.data());
    if (server) {
      SSL_CTX_set_alpn_select_cb(
          context.get(),
          [](SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char*, unsigned int, void* ours) {
            const auto& text = *static_cast<const std::string*>(ours);  // whatever was offered
            *chosen = reinterpret_cast<const unsigned char*>(text.data()) + 1;
            *length = static_cast<unsigned char>(text.size() - 1);
            return SSL_TLSEXT_ERR_OK;
          },
          const_cast<std::string*>(&options.protocols));
    } else {
      SSL_CTX_set_alpn_protos(context.get(), raw, static_cast<unsigned int>(options.protocols.size()));
    }
  }
  if (options.with_context) options.with_context(context.get());
  return context;
}

inline void set_patience(int socket, std::chrono::seconds limit)
{
  const ::timeval value{limit.count(), 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &value, sizeof value);
}

inline owned_descriptor raw_connect(std::uint16_t port)
{
  owned_descriptor made{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  ::sockaddr_in there{};
  there.sin_family = AF_INET;
  there.sin_port = htons(port);
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  set_patience(made.get(), std::chrono::seconds{5});
  if (::connect(made.get(), reinterpret_cast<const ::sockaddr*>(&there), sizeof there) != 0) return {};
  return made;
}

/// Shakes hands, says "hello" and listens to the end.
inline raw_outcome converse(SSL& tls, bool server)
{
  raw_outcome saw;
  const auto begin = std::chrono::steady_clock::now();
  ERR_clear_error();
  saw.handshake = (server ? SSL_accept(&tls) : SSL_connect(&tls)) == 1;
  if (saw.handshake) {
    SSL_write(&tls, "hello", 5);
    char some[4096];
    for (int count = 0; (count = SSL_read(&tls, some, sizeof some)) > 0;) {
      saw.received.append(some, static_cast<std::size_t>(count));
      if (saw.received.ends_with("welcome")) break;
    }
  }
  const auto code = ERR_get_error();
  if (code != 0) saw.error = ERR_reason_error_string(code) ? ERR_reason_error_string(code) : "?";
  char byte;
  saw.closed = !saw.received.ends_with("welcome") &&
               (::recv(SSL_get_fd(&tls), &byte, 1, 0) >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK));
  saw.took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  return saw;
}

inline std::future<raw_outcome> raw_client(std::uint16_t port, const shown_credentials& shown, raw_options options = {})
{
  return std::async(std::launch::async, [port, &shown, options = std::move(options)] {
    const auto context = raw_context(false, shown, options);
    const auto socket = raw_connect(port);
    const tls_ptr tls{SSL_new(context.get())};
    SSL_set_fd(tls.get(), socket.get());
    if (options.before_handshake) options.before_handshake(tls.get());
    return converse(*tls, false);
  });
}

/// Serves one caller of `listening`.
inline std::future<raw_outcome> raw_server(int listening, const shown_credentials& shown, raw_options options = {})
{
  return std::async(std::launch::async, [listening, &shown, options = std::move(options)] {
    const auto context = raw_context(true, shown, options);
    // The listening socket does not block; the caller comes soon.
    owned_descriptor socket;
    for (int i = 0; i < 5000 && !socket; ++i) {
      socket = owned_descriptor{::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC)};
      if (!socket) ::usleep(1000);
    }
    set_patience(socket.get(), std::chrono::seconds{5});
    const tls_ptr tls{SSL_new(context.get())};
    SSL_set_fd(tls.get(), socket.get());
    return converse(*tls, true);
  });
}

/// Sends bytes that are no TLS of ours and listens to the end.
inline std::future<raw_outcome> raw_bytes(std::uint16_t port, std::string bytes)
{
  return std::async(std::launch::async, [port, bytes = std::move(bytes)] {
    raw_outcome saw;
    const auto begin = std::chrono::steady_clock::now();
    const auto socket = raw_connect(port);
    ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    char some[4096];
    ::ssize_t count = 0;
    while ((count = ::recv(socket.get(), some, sizeof some, 0)) > 0) saw.received.append(some, static_cast<std::size_t>(count));
    saw.closed = count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
    saw.took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
    return saw;
  });
}

}  // namespace support
