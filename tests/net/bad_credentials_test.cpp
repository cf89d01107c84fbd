#include <csignal>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "net/certificate.hpp"
#include "net/socket.hpp"
#include "support/io_world.hpp"
#include "support/raw_tls.hpp"

/// @file
/// Who is refused, and why: each case against a good server, as a client, and against a good client, as a server.

namespace {

using namespace support;
using fastgpu::errc;
using fastgpu::detail::parse_address;
using testing::HasSubstr;

enum class seat { client, server };

struct bad_case {
  std::string name;
  std::function<shown_credentials(seat)> show;
  std::string reason;  ///< Part of what the good side says of it.
  bool as_client = true;
  bool as_server = true;
};

void PrintTo(const bad_case& one, std::ostream* to) { *to << one.name; }

/// The authority that all good ones trust, with its key.
shown_credentials authority() { return {read_key(shared_cluster().path("ca/key.pem")), read_certificate(shared_cluster().path("ca/ca.pem")), {}}; }

std::string domain() { return shared_cluster().of("me").trust_domain(); }

/// What the good side expects of who sits there.
std::string good_uri(seat at) { return "fastgpu://" + domain() + (at == seat::client ? "/client/me" : "/node/gpu7"); }

forgery good(seat at) { return {.uris = {good_uri(at)}}; }

/// By the trusted authority, with one thing changed.
std::function<shown_credentials(seat)> issued(const std::function<void(forgery&, seat)>& change)
{
  return [change](seat at) {
    auto what = good(at);
    change(what, at);
    const auto by = authority();
    return forge(what, &by);
  };
}

std::function<shown_credentials(seat)> named(const std::function<std::string(seat)>& uri)
{
  return issued([uri](forgery& what, seat at) { what.uris = {uri(at)}; });
}

shown_credentials of_other_authority(seat at)
{
  static const test_cluster other;
  return read_credentials(other.path(at == seat::client ? "me" : "gpu7"));
}

shown_credentials by_forged_authority(seat at)
{
  // Of the same name as ours, and another key.
  const auto real = authority();
  shown_credentials fake{new_p256(), certificate_ptr{X509_dup(real.certificate.get())}, {}};
  return forge(good(at), &fake);
}

shown_credentials with_an_authority_between(seat at)
{
  const auto root = authority();
  auto between = forge({.usage = "", .is_authority = true}, &root);
  auto leaf = forge(good(at), &between);
  leaf.chain.push_back(std::move(between.certificate));
  return leaf;
}

shown_credentials with_anothers_key(seat at)
{
  auto real = read_credentials(shared_cluster().path(at == seat::client ? "me" : "gpu7"));
  const auto mine = new_p256();
  real.key = mixed_key(*mine, *real.key);
  return real;
}

std::vector<bad_case> all_cases(seat of)
{
  const auto rsa1024 = [] { return key_ptr{EVP_RSA_gen(1024)}; };
  std::vector<bad_case> all{
      {"Nothing", [](seat) { return shown_credentials{}; }, "showed no certificate", true, false},
      {"SelfSigned", [](seat at) { return forge(good(at), nullptr); }, "signed by itself"},
      {"OtherAuthority", of_other_authority, "of another CA"},
      {"ForgedAuthority", by_forged_authority, "of another CA"},
      {"Expired", issued([](forgery& f, seat) { f.begin_days = -30, f.end_days = -1; }), "has expired (20"},
      {"NotYetValid", issued([](forgery& f, seat) { f.begin_days = 1; }), "is not valid before 20"},
      {"UsageOfTheOtherEnd", issued([](forgery& f, seat at) { f.usage = at == seat::client ? "serverAuth" : "clientAuth"; }),
       "(extended key usage)"},
      {"NoUsage", issued([](forgery& f, seat) { f.usage = ""; }), "(extended key usage)"},
      {"UsageForCode", issued([](forgery& f, seat) { f.usage = "codeSigning"; }), "(extended key usage)"},
      {"NoNames", issued([](forgery& f, seat) { f.uris = {}; }), "has no URI name"},
      {"HostNameOnly", issued([](forgery& f, seat) { f.uris = {}, f.hosts = {"localhost"}; }), "has no URI name"},
      {"TwoUris", issued([](forgery& f, seat at) { f.uris = {good_uri(at), good_uri(at)}; }), "more than one URI"},
      {"TwoListsOfNames", issued([](forgery& f, seat) { f.names_twice = true; }), "is malformed"},
      {"OtherTrustDomain", named([](seat at) { return "fastgpu://0123abcd" + good_uri(at).substr(10 + domain().size()); }),
       "of another trust domain, '0123abcd'"},
      {"TrustDomainWithMore", named([](seat at) { return "fastgpu://" + domain() + "0" + good_uri(at).substr(10 + domain().size()); }),
       "of another trust domain"},
      {"StolenFromANodeToSubmit", [](seat) { return read_credentials(shared_cluster().path("gpu8")); },
       "it is a node, 'gpu8', where a client or operator is expected", true, false},
      {"AClientThatServes", [](seat) { return read_credentials(shared_cluster().path("me")); },
       "it is a client, 'me', where a node is expected", false, true},
      {"AnOperatorThatServes", [](seat) { return read_credentials(shared_cluster().path("boss")); },
       "it is an operator, 'boss', where a node is expected", false, true},
      {"OtherNode", [](seat) { return read_credentials(shared_cluster().path("gpu8")); }, "it is named 'gpu8', not 'gpu7'",
       false, true},
      {"UnknownRole", named([](seat) { return "fastgpu://" + domain() + "/admin/me"; }), "has a URI name that is not"},
      {"OtherScheme", named([](seat at) { return "https" + good_uri(at).substr(7); }), "has a URI name that is not"},
      {"LongerPath", named([](seat at) { return good_uri(at) + "/x"; }), "has a URI name that is not"},
      {"Query", named([](seat at) { return good_uri(at) + "?x"; }), "has a URI name that is not"},
      {"EmptyName", named([](seat at) { return good_uri(at).substr(0, good_uri(at).rfind('/') + 1); }),
       "has a URI name that is not"},
      {"NameWithNul", named([](seat at) { return good_uri(at) + std::string{"\0.evil", 6}; }), "has a URI name that is not"},
      {"LongName", named([](seat at) { return good_uri(at) + std::string(64, 'x'); }), "has a URI name that is not"},
      {"WeakKey", issued([rsa1024](forgery& f, seat) { f.make_key = rsa1024; }), "has a key that is too weak"},
      {"Sha1", issued([](forgery& f, seat) { f.hash = EVP_sha1(); }), "has a signature that is too weak"},
      {"AnAuthoritysOwn", issued([](forgery& f, seat) { f.is_authority = true; }), "is a CA's"},
      {"AnAuthorityBetween", with_an_authority_between, "has CAs between"},
      {"AnothersCertificate", with_anothers_key, "TLS failed: bad signature"},
  };
  std::erase_if(all, [&](const bad_case& one) { return of == seat::client ? !one.as_client : !one.as_server; });
  return all;
}

class BadPeer : public testing::TestWithParam<bad_case> {
 protected:
  BadPeer() { std::signal(SIGPIPE, SIG_IGN); }  // of the raw peer's writes
  io_world world;
};
class BadClient : public BadPeer {};
class BadServer : public BadPeer {};

TEST_P(BadClient, IsRefused)
{
  const auto shown = GetParam().show(seat::client);
  held_listener server{world, "127.0.0.1:0", shared_cluster().of("gpu7")};
  auto client = raw_client(parse_address(server.listener.address()).port, shown);
  EXPECT_TRUE(world.run_until([&] { return client.wait_for(0s) == std::future_status::ready; }));
  const auto saw = client.get();

  EXPECT_EQ(server.listener.count().accepted, 0u);
  EXPECT_EQ(server.listener.count().refused, 1u);
  ASSERT_EQ(server.refusals.size(), 1u);
  EXPECT_THAT(server.refusals.front(), HasSubstr(GetParam().reason));
  EXPECT_TRUE(saw.closed);
  EXPECT_LT(saw.took, 2s);
  EXPECT_EQ(saw.received, "");  // but for the alert it is told nothing
  EXPECT_NE(saw.error, "");
}

TEST_P(BadServer, IsRefused)
{
  const auto shown = GetParam().show(seat::server);
  const owned_descriptor listening = fastgpu::detail::listen_on(parse_address("127.0.0.1:0"));
  auto server = raw_server(listening.get(), shown);
  const auto where = "127.0.0.1:" + std::to_string(fastgpu::detail::port_of(listening.get()));
  held_attempt client{world, "gpu7@" + where, shared_cluster().of("me")};
  EXPECT_TRUE(world.run_until([&] { return client.done && server.wait_for(0s) == std::future_status::ready; }));
  const auto saw = server.get();

  EXPECT_FALSE(client.held);
  EXPECT_EQ(client.failed.code, errc::refused);
  EXPECT_THAT(client.failed.detail, testing::StartsWith(where + ": "));
  EXPECT_THAT(client.failed.detail, HasSubstr(GetParam().reason));
  EXPECT_TRUE(saw.closed);
  EXPECT_EQ(saw.received, "");
}

std::string name_of_case(const testing::TestParamInfo<bad_case>& one) { return one.param.name; }
INSTANTIATE_TEST_SUITE_P(, BadClient, testing::ValuesIn(all_cases(seat::client)), name_of_case);
INSTANTIATE_TEST_SUITE_P(, BadServer, testing::ValuesIn(all_cases(seat::server)), name_of_case);

class ShownCredentials : public testing::Test {
 protected:
  ShownCredentials() { std::signal(SIGPIPE, SIG_IGN); }

  /// Shown by a raw client; what the server says where it refuses.
  std::string refusal_of(const shown_credentials& shown, std::optional<fastgpu::credentials> server_self = {})
  {
    held_listener server{world, "127.0.0.1:0", server_self ? server_self : shared_cluster().of("gpu7")};
    auto client = raw_client(parse_address(server.listener.address()).port, shown);
    bool welcomed = false;
    EXPECT_TRUE(world.run_until([&] {
      if (!welcomed && !server.streams.empty() && server.streams.front()->received == "hello") {
        server.streams.front()->stream.write(bytes_of("welcome"));
        welcomed = true;
      }
      return client.wait_for(0s) == std::future_status::ready;
    }));
    EXPECT_EQ(client.get().received, welcomed ? "welcome" : "");
    EXPECT_EQ(server.listener.count().accepted, welcomed ? 1u : 0u);
    return server.refusals.empty() ? "" : server.refusals.front();
  }
  io_world world;
};

// Shows that the cases above are refused for what is bad in them, and not because nobody passes.
TEST_F(ShownCredentials, AreTakenWhereTheyAreGood)
{
  const auto by = authority();
  EXPECT_EQ(refusal_of(read_credentials(shared_cluster().path("me"))), "");
  EXPECT_EQ(refusal_of(read_credentials(shared_cluster().path("boss"))), "");
  EXPECT_EQ(refusal_of(forge(good(seat::client), &by)), "");
  EXPECT_EQ(refusal_of(forge({.uris = {"spiffe" + good_uri(seat::client).substr(7)}, .hosts = {"localhost"}}, &by)), "");
  EXPECT_EQ(refusal_of(forge({.uris = {good_uri(seat::client)}, .make_key = [] { return key_ptr{EVP_RSA_gen(2048)}; }}, &by)), "");
}

TEST_F(ShownCredentials, AreRefusedOnceTheyAreOnTheDenyList)
{
  const test_cluster cluster;
  const auto shown = read_credentials(cluster.path("me"));
  const auto self = cluster.of("gpu7");  // loaded before anybody was denied
  const auto list = cluster.path("gpu7/deny.txt");
  const auto write = [&](const std::string& text) { std::ofstream{list, std::ios::trunc} << text; };

  EXPECT_EQ(refusal_of(shown, self), "");
  write("# left the house\n" + fastgpu::detail::serial_of(*shown.certificate) + "\n");
  EXPECT_THAT(refusal_of(shown, self), HasSubstr("is on our deny list"));
  EXPECT_EQ(refusal_of(read_credentials(cluster.path("boss")), self), "");
  write("spiffe://" + self.trust_domain() + "/client/me  # in the other scheme\n");
  EXPECT_THAT(refusal_of(shown, self), HasSubstr("is on our deny list"));
  write("no idea\n");
  EXPECT_THAT(refusal_of(shown, self), HasSubstr("deny.txt: line 1 is neither"));
  std::filesystem::remove(list);
  EXPECT_EQ(refusal_of(shown, self), "");
}

TEST_F(ShownCredentials, OfANodeAreRefusedOnceTheyAreOnTheClientsDenyList)
{
  const test_cluster cluster;
  held_listener server{world, "127.0.0.1:0", cluster.of("gpu7")};
  const auto self = cluster.of("me");
  std::ofstream{cluster.path("me/deny.txt")} << "fastgpu://" << self.trust_domain() << "/node/gpu7\n";
  held_attempt client{world, server.listener.address(), self};
  ASSERT_TRUE(world.run_until([&] { return client.done; }));
  EXPECT_THAT(client.failed.detail, HasSubstr("is on our deny list"));
}

// In TLS 1.3 the client's handshake is done before the server has looked at its certificate.
TEST_F(ShownCredentials, ThatAServerRefusesAreToldOfByTheStreamsEnd)
{
  const test_cluster cluster;
  std::ofstream{cluster.path("gpu7/deny.txt")} << "fastgpu://" << cluster.of("me").trust_domain() << "/client/me\n";
  held_listener server{world, "127.0.0.1:0", cluster.of("gpu7")};
  held_attempt client{world, server.listener.address(), cluster.of("me")};
  ASSERT_TRUE(world.run_until([&] { return client.done; }));
  if (client.held) {
    ASSERT_TRUE(world.run_until([&] { return client.held->ended.has_value(); }));
    client.failed = *client.held->ended;
  }
  EXPECT_EQ(client.failed.code, errc::refused);
  EXPECT_THAT(client.failed.detail, HasSubstr(server.listener.address() + ": it refused our credentials (TLS alert: "));
}

}  // namespace
