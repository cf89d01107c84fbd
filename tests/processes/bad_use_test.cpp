#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "processes/nodes.hpp"
#include "support/folder.hpp"
#include "support/forged_credentials.hpp"
#include "support/process.hpp"
#include "support/strange_node.hpp"

/// @file
/// Programs used wrongly, and nodes that do not fit: an exit status and a clear line where the user is.

namespace {

using namespace oracle;
using support::arguments;
using support::operator+;
namespace files = std::filesystem;

struct bad_use {
  std::string name;
  std::string program;
  arguments options;
  int status = 2;
  std::vector<std::string> words{};  ///< All of them in the last line.
  int lines = 1;                     ///< 2: a node's warning comes first.
};

/// Two CAs, "ca" and "other", credentials that are no good, and a node.
class BadUse : public testing::Test {
 protected:
  static void SetUpTestSuite()
  {
    world_ = std::make_unique<nodes>(2);
    fastgpu::detail::add_credentials(at("ca"), {.operators = {"boss"}});
    fastgpu::detail::create_credentials(at("other"), {.nodes = {"n1"}, .clients = {"user"}});
    copy("open");
    files::permissions(at("open/key.pem"), files::perms::others_read, files::perm_options::add);
    copy("keyless");
    files::remove(at("keyless/key.pem"));
    copy("foreign");  // the key and certificate of one CA beside another's
    files::copy_file(at("other/user/ca.pem"), at("foreign/ca.pem"), files::copy_options::overwrite_existing);
    expire("expired", "client/late");
    expire("expired_node", "node/late");
    files::create_directory(at("sockets"));
    files::permissions(at("sockets"), files::perms::owner_all);

    node_ = std::make_unique<support::process>(
        "fastgpu", arguments{"node", "--listen", "127.0.0.1:0", "--credentials", at("ca/n1"), "--devices", "host:1"});
    address_ = line_of(*node_);
    address_.erase(0, address_.rfind(' ') + 1);
  }
  static void TearDownTestSuite()
  {
    node_.reset();
    world_.reset();
  }

  [[nodiscard]] static std::string at(const std::string& file) { return world_->folder().path(file); }

  static void expect(const bad_use& use)
  {
    SCOPED_TRACE(use.name);
    const auto end = support::run(use.program, use.options);
    EXPECT_EQ(end.status, use.status) << end.err;
    EXPECT_EQ(end.out, "");
    EXPECT_EQ(std::count(end.err.begin(), end.err.end(), '\n'), use.lines) << end.err;
    if (end.err.empty()) return;
    const auto begin = end.err.rfind('\n', end.err.size() - 2) + 1;  // npos + 1 is 0
    const auto last = end.err.substr(begin);
    EXPECT_TRUE(last.starts_with(use.program + ": ") || use.program.starts_with("fastgpu_test")) << last;
    for (const auto& word : use.words) {
      EXPECT_NE(last.find(word), std::string::npos) << '\'' << word << "' in: " << last;
    }
  }

  static inline std::unique_ptr<nodes> world_;
  static inline std::unique_ptr<support::process> node_;
  static inline std::string address_;

 private:
  static void copy(const std::string& to) { files::copy(at("ca/user"), at(to), files::copy_options::recursive); }

  /// Credentials that were good until yesterday.
  static void expire(const std::string& folder, const std::string& role_and_name)
  {
    const support::shown_credentials authority{support::read_key(at("ca/ca/key.pem")),
                                               support::read_certificate(at("ca/ca/ca.pem")), {}};
    const auto domain = world_->user().trust_domain();
    const auto made = support::forge(
        {.uris = {"fastgpu://" + domain + "/" + role_and_name}, .begin_days = -2, .end_days = -1}, &authority);
    copy(folder);
    const support::bio_ptr key{BIO_new_file(at(folder + "/key.pem").c_str(), "w")};
    auto* secret = made.key.get();
    support::need(PEM_write_bio_PrivateKey(key.get(), secret, nullptr, nullptr, 0, nullptr, nullptr) == 1, "key");
    const support::bio_ptr certificate{BIO_new_file(at(folder + "/certificate.pem").c_str(), "w")};
    support::need(PEM_write_bio_X509(certificate.get(), made.certificate.get()) == 1, "certificate");
  }
};

TEST_F(BadUse, OfNodeEndsWithOneLine)
{
  const auto node = [](const std::string& listen, const arguments& more = {}) {
    return arguments{"node", "--listen", listen, "--devices", "host:1"} + more;
  };
  const auto as = [](const std::string& folder) { return arguments{"--credentials", at(folder)}; };
  const auto socket = "unix:" + at("sockets/node");
  for (const auto& use : std::vector<bad_use>{
           {"nothing", "fastgpu", {}, 2, {"command is expected"}},
           {"a command that is none", "fastgpu", {"serve"}, 2, {"serve"}},
           {"nowhere to listen", "fastgpu", {"node"}, 2, {"--listen"}},
           {"an option that is none", "fastgpu", node(socket, {"--insecure"}), 2, {"--insecure"}},
           {"TCP without credentials", "fastgpu", node("127.0.0.1:0"), 2, {"--credentials"}},
           {"no folder", "fastgpu", node("127.0.0.1:0", as("nowhere")), 1, {"nowhere", "No such file"}},
           {"no key", "fastgpu", node("127.0.0.1:0", as("keyless")), 1, {"key.pem", "No such file"}},
           {"a key that others can read", "fastgpu", node("127.0.0.1:0", as("open")), 1, {"key.pem", "chmod 600"}},
           {"an expired certificate", "fastgpu", node("127.0.0.1:0", as("expired_node")), 1, {"has expired"}},
           {"two CAs", "fastgpu", node("127.0.0.1:0", as("foreign")), 1, {"not of the CA in ca.pem"}},
           {"a client's credentials", "fastgpu", node("127.0.0.1:0", as("ca/user")), 1, {"'user' is no node's name"}},
           {"a port that is taken", "fastgpu", node(address_, as("ca/n2")), 1, {address_, "the port is taken"}},
           {"an address of another machine", "fastgpu", node("192.0.2.1:0", as("ca/n1")), 1, {"192.0.2.1:0"}},
           {"no port", "fastgpu", node("127.0.0.1", as("ca/n1")), 2, {"expected HOST:PORT"}},
           {"no number", "fastgpu", node("127.0.0.1:http", as("ca/n1")), 2, {"expected a port"}},
           {"a port too large", "fastgpu", node("127.0.0.1:65536", as("ca/n1")), 2, {"expected a port"}},
           {"half a bracket", "fastgpu", node("[::1:80", as("ca/n1")), 2, {"brackets"}},
           {"a name to listen on", "fastgpu", node("n1@127.0.0.1:0", as("ca/n1")), 2, {"no name"}},
           {"an empty address", "fastgpu", node("", as("ca/n1")), 2, {"--listen"}},
           {"a path from here", "fastgpu", node("unix:node"), 2, {"a path from the root"}},
           {"a socket in no folder", "fastgpu", node("unix:" + at("a/b/c")), 1, {"No such file"}},
           {"a folder for all", "fastgpu", node("unix:/tmp/fastgpu-node"), 1, {"/tmp"}},
           {"a file at the socket's place", "fastgpu", node("unix:" + at("keyless/ca.pem")), 1, {"no socket"}},
           {"no device", "fastgpu", {"node", "--listen", socket, "--devices", "none"}, 1, {"no device"}},
           {"devices that are none", "fastgpu", {"node", "--listen", socket, "--devices", "toaster"}, 2, {"'toaster'"}},
       }) {
    expect(use);
  }
}

TEST_F(BadUse, OfNodesByAProgramEndsWithOneLine)
{
  const auto nas = [](const std::string& nodes, const arguments& more = {}) {
    return arguments{"--class", "S", "--devices", "none", "--nodes", nodes} + more;
  };
  const auto as = [](const std::string& folder) { return arguments{"--credentials", at(folder)}; };
  const auto make = [](const std::string& how, const std::string& folder, const arguments& names) {
    return arguments{"credentials", how, at(folder)} + names;
  };
  const auto drain = [&](const std::string& node, const std::string& folder) {
    return arguments{"drain", "--nodes", node} + as(folder);
  };
  for (const auto& use : std::vector<bad_use>{
           {"no device and no node", "nas_ep", {"--class", "S", "--devices", "none"}, 1, {"no node was added"}},
           {"no credentials", "nas_ep", nas(address_), 2, {"--credentials"}},
           {"no folder", "nas_ep", nas(address_, as("nowhere")), 1, {"nowhere"}},
           {"a key that others can read", "nas_ep", nas(address_, as("open")), 1, {"chmod 600"}},
           {"an expired certificate", "nas_ep", nas(address_, as("expired")), 1, {"expired"}},
           {"nonsense", "nas_ep", nas("nonsense", as("ca/user")), 2, {"'nonsense'"}},
           {"a port too large", "nas_ep", nas("localhost:99999", as("ca/user")), 2, {"expected a port"}},
           {"another CA's user", "nas_ep", nas(address_, as("other/user")), 1, {address_, "of another CA"}, 2},
           {"a node's credentials", "nas_ep", nas(address_, as("ca/n2")), 1, {address_, "refused our credentials"}, 2},
           {"another name", "nas_ep", nas("n2@" + address_, as("ca/user")), 1, {"named 'n1', not 'n2'"}, 2},
           {"nobody there", "nas_ep", nas("127.0.0.1:1", as("ca/user")), 1, {"127.0.0.1:1", "refused"}, 2},
           {"no such host", "nas_ep", nas("nobody.invalid:1", as("ca/user")), 1, {"nobody.invalid"}, 2},
           {"no such socket", "nas_ep", nas("unix:" + at("sockets/nobody")), 1, {"No such file"}, 2},
           {"drain of nothing", "fastgpu", {"drain"}, 2, {"--nodes"}},
           {"drain by a client", "fastgpu", drain(address_, "ca/user"), 1, {"user may not be: operate"}},
           {"drain by a node", "fastgpu", drain(address_, "ca/n2"), 1, {"refused our credentials"}},
           {"drain by another CA", "fastgpu", drain(address_, "other/user"), 1, {"of another CA"}},
           {"drain of nobody", "fastgpu", drain("127.0.0.1:1", "ca/boss"), 1, {"127.0.0.1:1"}},
           {"a name that is none", "fastgpu", make("create", "third", {"--node", "Bad Name"}), 2, {"'Bad Name'"}},
           {"a name for two", "fastgpu", make("create", "third", {"--node", "x", "--client", "x"}), 2, {"'x'"}},
           {"a name that is taken", "fastgpu", make("add", "ca", {"--node", "n1"}), 1, {"is there already"}},
           {"no CA", "fastgpu", make("add", "sockets", {"--node", "n9"}), 1, {"/ca: No such file"}},
       }) {
    expect(use);
  }
  EXPECT_TRUE(node_->running());  // whoever asked, and whatever for
}

TEST_F(BadUse, ADrainOfSeveralNodesTriesThemAll)
{
  const auto socket = "unix:" + at("sockets/drained");
  support::process node{"fastgpu", {"node", "--listen", socket, "--devices", "host:1"}};
  (void)line_of(node);
  const auto nobody = "unix:" + at("sockets/nobody");
  const auto end = support::run("fastgpu", {"drain", "--nodes", nobody + "," + socket + "," + nobody});
  EXPECT_EQ(end.status, 1);
  EXPECT_EQ(std::count(end.err.begin(), end.err.end(), '\n'), 2) << end.err;
  EXPECT_NE(end.err.find("fastgpu: " + nobody), std::string::npos) << end.err;
  const auto begin = clock::now();
  while (node.running() && seconds_since(begin) < 20) std::this_thread::sleep_for(std::chrono::milliseconds{5});
  EXPECT_FALSE(node.running());
}

TEST_F(BadUse, AnUnknownKernelRunsWithoutTheNode)
{
  const auto end = support::run("fastgpu_test_coordinator", {at("ca/user"), "host:1", "1000", "100", address_});
  EXPECT_EQ(end.status, 0);
  EXPECT_EQ(end.out, "under way\nright\n");
  EXPECT_TRUE(support::is_one_line(end.err)) << end.err;
  EXPECT_NE(end.err.find("n1 does not take part: kernel 'test.oracle.slow_mix' is not known"), std::string::npos)
      << end.err;
}

TEST_F(BadUse, AnUnknownKernelAndNobodyElseEndsTheRun)
{
  const auto end = support::run("fastgpu_test_coordinator", {at("ca/user"), "none", "1000", "100", address_});
  EXPECT_EQ(end.status, 1);
  EXPECT_NE(end.err.find("no usable device is left"), std::string::npos) << end.err;
  EXPECT_EQ(std::count(end.err.begin(), end.err.end(), '\n'), 2) << end.err;
}

TEST_F(BadUse, ANodeOfAnotherVersionOrBuildIsNamed)
{
  const auto as = fastgpu::credentials::load(at("ca/n2"));
  const support::strange_node newer{"127.0.0.1:0", as, [](auto& self) { self.library = "99.0.0"; }};
  const support::strange_node other{"127.0.0.1:0", as, [](auto& self) { self.build = "another compiler"; }};
  const auto nas = [](const std::string& address) {
    return arguments{"--class", "S", "--devices", "none", "--nodes", address, "--credentials", at("ca/user")};
  };
  expect({"another version", "nas_ep", nas(newer.address()), 1, {"n2", "library version", "\"99.0.0\""}, 2});
  expect({"another build", "nas_ep", nas(other.address()), 1, {"n2", "build", "\"another compiler\""}, 2});
}

}  // namespace
