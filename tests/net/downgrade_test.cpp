#include <algorithm>
#include <atomic>
#include <csignal>
#include <string>

#include <gmock/gmock.h>

#include "net/socket.hpp"
#include "support/io_world.hpp"
#include "support/raw_tls.hpp"

/// @file
/// What is not TLS 1.3 with fastgpu's protocol name is refused, with good credentials too.

namespace {

using namespace support;
using fastgpu::detail::parse_address;
using testing::HasSubstr;

class Downgrade : public testing::Test {
 protected:
  Downgrade() { std::signal(SIGPIPE, SIG_IGN); }

  /// A peer, given a port, against a server of its own.
  template <class Begin>
  raw_outcome against_server(const Begin& begin)
  {
    held_listener server{world, "127.0.0.1:0", shared_cluster().of("gpu7")};
    std::future<raw_outcome> peer = begin(parse_address(server.listener.address()).port);
    EXPECT_TRUE(world.run_until([&] { return peer.wait_for(0s) == std::future_status::ready; }));
    auto saw = peer.get();
    EXPECT_EQ(server.listener.count().accepted, 0u);
    EXPECT_TRUE(saw.closed);
    EXPECT_LT(saw.took, 1s);
    refusal = server.refusals.empty() ? "" : server.refusals.front();

    // The next one is served.
    held_attempt honest{world, server.listener.address(), shared_cluster().of("me")};
    EXPECT_TRUE(world.run_until([&] { return honest.done && server.listener.count().accepted == 1; }));
    return saw;
  }
  raw_outcome client_with(raw_options options)
  {
    return against_server([&](std::uint16_t port) { return raw_client(port, me, options); });
  }

  /// What a client says of a server with `options` and good credentials.
  fastgpu::failure at_server(raw_options options)
  {
    const auto shown = read_credentials(shared_cluster().path("gpu7"));
    const owned_descriptor listening = fastgpu::detail::listen_on(parse_address("127.0.0.1:0"));
    auto peer = raw_server(listening.get(), shown, std::move(options));
    held_attempt client{world, "127.0.0.1:" + std::to_string(fastgpu::detail::port_of(listening.get())),
                        shared_cluster().of("me")};
    EXPECT_TRUE(world.run_until([&] { return client.done && peer.wait_for(0s) == std::future_status::ready; }));
    EXPECT_FALSE(client.held);
    EXPECT_EQ(peer.get().received, "");
    return client.failed;
  }

  io_world world;
  shown_credentials me = read_credentials(shared_cluster().path("me"));
  std::string refusal;  // of the last server
};

TEST_F(Downgrade, ToOlderTlsIsRefused)
{
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION}) {
    EXPECT_FALSE(client_with({.version_min = version, .version_max = version}).handshake);
    EXPECT_THAT(refusal, HasSubstr("it does not speak TLS 1.3"));
    const auto why = at_server({.version_min = version, .version_max = version});
    EXPECT_EQ(why.code, fastgpu::errc::refused);
    EXPECT_THAT(why.detail, HasSubstr("it does not speak TLS 1.3"));
  }
}

TEST_F(Downgrade, ToNoProtocolNameIsRefused)
{
  EXPECT_THAT(client_with({.protocols = ""}).error, HasSubstr("no application protocol"));
  EXPECT_THAT(refusal, HasSubstr("does not speak fastgpu's protocol"));
  EXPECT_THAT(at_server({.protocols = ""}).detail, HasSubstr("does not speak fastgpu's protocol"));
}

TEST_F(Downgrade, ToAnotherProtocolNameIsRefused)
{
  for (const std::string other : {"\x08http/1.1", "\x02h2", "\x09" "fastgpu/0", "\x07" "fastgpu", "\x0a" "fastgpu/1x"}) {
    EXPECT_THAT(client_with({.protocols = other}).error, HasSubstr("no application protocol")) << other;
    const auto why = at_server({.protocols = other});
    EXPECT_EQ(why.code, fastgpu::errc::refused) << other;
  }
}

TEST_F(Downgrade, ToAnotherKeyExchangeIsRefused)
{
  EXPECT_FALSE(client_with({.groups = "ffdhe2048"}).handshake);
  EXPECT_FALSE(client_with({.groups = "P-521"}).handshake);
}

/// Sends what a resumed session could carry in its first flight.
TEST_F(Downgrade, ToEarlyDataBringsNothingToTheOwner)
{
  raw_options options;
  options.with_context = [](SSL_CTX* context) {
    SSL_CTX_set_psk_use_session_callback(
        context, [](SSL* tls, const EVP_MD*, const unsigned char** id, std::size_t* length, SSL_SESSION** session) {
          static const unsigned char name[] = "old", key[32] = {1};
          auto* made = SSL_SESSION_new();
          SSL_SESSION_set1_master_key(made, key, sizeof key);
          SSL_SESSION_set_cipher(made, SSL_CIPHER_find(tls, reinterpret_cast<const unsigned char*>("\x13\x01")));
          SSL_SESSION_set_protocol_version(made, TLS1_3_VERSION);
          SSL_SESSION_set_max_early_data(made, 1024);
          SSL_SESSION_set1_alpn_selected(made, reinterpret_cast<const unsigned char*>("fastgpu/1"), 9);
          *id = name;
          *length = 3;
          *session = made;
          return 1;
        });
  };
  options.before_handshake = [](SSL* tls) {
    std::size_t written = 0;
    SSL_set_connect_state(tls);
    EXPECT_EQ(SSL_write_early_data(tls, "early", 5, &written), 1);
  };
  held_listener server{world, "127.0.0.1:0", shared_cluster().of("gpu7")};
  auto peer = raw_client(parse_address(server.listener.address()).port, me, options);
  // The server may go on with a whole handshake; what came before it is gone.
  EXPECT_TRUE(world.run_until([&] {
    if (!server.streams.empty() && server.streams.front()->received.size() >= 5) {
      EXPECT_EQ(server.streams.front()->received, "hello");
      server.streams.clear();
    }
    return peer.wait_for(0s) == std::future_status::ready;
  }));
  EXPECT_TRUE(peer.get().closed);
}

TEST_F(Downgrade, ToPlainTextIsRefused)
{
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) all_bytes += static_cast<char>(i);
  for (const std::string& text :
       {std::string{"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"}, std::string{"SSH-2.0-OpenSSH_9.2\r\n"},
        std::string{"hello, let me in please"}, std::string(100'000, '\0'), all_bytes, std::string(20'000, '\xff'),
        std::string{"\x16\x03\x01\xff\xff\x01", 6} + std::string(70'000, 'x')}) {
    const auto saw = against_server([&](std::uint16_t port) { return raw_bytes(port, text); });
    EXPECT_LE(saw.received.size(), 7u) << text.substr(0, 20);  // an alert at most
  }
}

TEST_F(Downgrade, ToRenegotiationIsNotThere)
{
  // TLS 1.3 has none; that a client asks for a key update instead is served, and does no harm.
  held_listener server{world, "127.0.0.1:0", shared_cluster().of("gpu7")};
  raw_options options;
  std::atomic<int> refused{-1};
  auto peer = std::async(std::launch::async, [&, port = parse_address(server.listener.address()).port] {
    const auto context = raw_context(false, me, options);
    const auto socket = raw_connect(port);
    const tls_ptr tls{SSL_new(context.get())};
    SSL_set_fd(tls.get(), socket.get());
    if (SSL_connect(tls.get()) != 1) return std::string{"no handshake"};
    refused = SSL_renegotiate(tls.get()) == 0;
    ERR_clear_error();
    SSL_key_update(tls.get(), SSL_KEY_UPDATE_REQUESTED);
    SSL_write(tls.get(), "hello", 5);
    char some[16];
    const int count = SSL_read(tls.get(), some, sizeof some);
    return std::string(some, static_cast<std::size_t>(std::max(count, 0)));
  });
  bool answered = false;
  EXPECT_TRUE(world.run_until([&] {
    if (!answered && !server.streams.empty() && server.streams.front()->received == "hello") {
      server.streams.front()->stream.write(bytes_of("welcome"));
      answered = true;
    }
    return peer.wait_for(0s) == std::future_status::ready;
  }));
  EXPECT_EQ(peer.get(), "welcome");
  EXPECT_EQ(refused, 1);
}

}  // namespace
