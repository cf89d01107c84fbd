#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "processes/nodes.hpp"
#include "support/folder.hpp"
#include "support/process.hpp"

/// @file
/// The example own_node in its three forms.

namespace {

using namespace support;

constexpr auto answer = "837799 takes 524 steps\n";

/// Serves at `address`, is used, and drained by `op`: arguments for credentials, or none.
void expect_served(const std::string& address, const arguments& node, const arguments& user, const arguments& op)
{
  process serving{"own_node", arguments{"serve", address} + node};
  const auto line = oracle::line_of(serving);
  const std::string says = "listens at ";
  ASSERT_EQ(line.substr(0, says.size()), says);
  const auto at = line.substr(says.size());
  for (int i = 0; i < 2; ++i) {
    const auto end = run("own_node", arguments{"use", at} + user);
    EXPECT_EQ(end.status, 0) << end.err;
    EXPECT_TRUE(end.out.ends_with(answer)) << end.out;
    EXPECT_EQ(end.err, "");
  }
  EXPECT_EQ(run("fastgpu", arguments{"drain", "--nodes", at} + op).status, 0);
  EXPECT_EQ(serving.wait().status, 0);
}

TEST(OwnNode, IsItsOwnUserWithoutArguments)
{
  const auto end = run("own_node", {});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_TRUE(end.out.ends_with(answer)) << end.out;
}

TEST(OwnNode, ServesAndUsesOverAUnixSocket)
{
  const folder here;
  expect_served("unix:" + here.path("node"), {}, {}, {});
}

TEST(OwnNode, ServesAndUsesOverTheNetworkWithCredentials)
{
  const folder here;
  const auto all = here.path("creds");
  const auto made =
      run("fastgpu", {"credentials", "create", all, "--node", "n1", "--client", "me", "--operator", "op"});
  ASSERT_EQ(made.status, 0) << made.err;
  expect_served("127.0.0.1:0", {all + "/n1"}, {all + "/me"}, {"--credentials", all + "/op"});
}

TEST(OwnNode, SaysInALineWhatIsWrong)
{
  const folder here;
  for (const auto& [options, status] : std::vector<std::pair<arguments, int>>{
           {{"serve"}, 2},
           {{"use"}, 2},
           {{"127.0.0.1:0"}, 2},
           {{"use", "a", "b", "c"}, 2},
           {{"serve", ""}, 1},
           {{"serve", "127.0.0.1:0"}, 1},  // without credentials
           {{"use", "127.0.0.1:1"}, 1},
           {{"serve", "127.0.0.1:0", here.path("nowhere")}, 1},
           {{"use", "127.0.0.1:1", here.path("nowhere")}, 1},
           {{"serve", "unix:" + here.path("no/folder/node")}, 1},
           {{"use", "anywhere"}, 1},
       }) {
    process started{"own_node", options};
    const auto end = started.wait();
    EXPECT_EQ(end.status, status) << started.name();
    EXPECT_EQ(end.out, "") << started.name();
    EXPECT_TRUE(is_one_line(end.err) && end.err.starts_with("own_node: ")) << started.name() << ": " << end.err;
  }
  const auto nobody = run("own_node", {"use", "unix:" + here.path("node")});
  EXPECT_EQ(nobody.status, 1);
  EXPECT_NE(nobody.err.find("\nown_node: "), std::string::npos) << nobody.err;  // behind the cluster's warning
}

}  // namespace
