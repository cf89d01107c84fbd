#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/folder.hpp"
#include "support/process.hpp"

/// @file
/// `fastgpu predict --job`, as its users meet it.

namespace {

using namespace support;

class PredictJob : public testing::Test {
 protected:
  /// @param text  Of a cluster file.
  std::string file(const std::string& text)
  {
    const auto path = folder_.path("cluster.toml");
    std::ofstream{path} << text;
    return path;
  }
  static finished predict(const arguments& more) { return run("fastgpu", arguments{"predict", "--budget", "0.2"} + more); }

  support::folder folder_;
};

constexpr const char* two_kinds = R"(currency = "EUR"
[[node]]
name = "here"
[[node.device]]
name = "host"
count = 2

[[node]]
name = "far"
count = 4
latency = 1e-3
bandwidth = 1e9
price = 36
[[node.device]]
name = "gpu"
count = 2
speed = 10.0
)";

TEST_F(PredictJob, TellsTermsAndCurveOfAClusterFile)
{
  const auto end = predict({"--job", "nas_ep", "--class", "W", "--cluster", file(two_kinds)});
  ASSERT_EQ(end.status, 0) << end.err;
  for (const auto* part : {"job nas_ep: ", "wall-clock time ", "execute", "imbalance", "aggregate",
                           "no schedule takes less than", "speed-up", "price EUR", "doubling saves"}) {
    EXPECT_NE(end.out.find(part), std::string::npos) << part << " in\n" << end.out;
  }
}

TEST_F(PredictJob, TakesAClusterInNumbers)
{
  for (const auto* job : {"block_sort", "nas_ep", "mandelbrot", "uts"}) {
    const auto end = predict({"--job", job, "--node-count", "8", "--gpus-per-node", "2", "--speed", "20", "--price", "3"});
    ASSERT_EQ(end.status, 0) << end.err;
    EXPECT_NE(end.out.find(std::string{"job "} + job), std::string::npos);
    EXPECT_NE(end.out.find("\n       8  "), std::string::npos) << end.out;
  }
}

TEST_F(PredictJob, RefusesBadUseInOneLine)
{
  const auto refuses = [](const arguments& words, const std::string& what) {
    const auto end = predict(words);
    EXPECT_EQ(end.status, 2) << what;
    EXPECT_TRUE(is_one_line(end.err)) << end.err;
    EXPECT_NE(end.err.find(what), std::string::npos) << end.err;
    EXPECT_EQ(end.out, "");
  };
  refuses({"--job", "nas"}, "expected block_sort, image_filter, mandelbrot, nas_ep or uts");
  refuses({"--job", "nas_ep", "--class", "Q"}, "--class");
  refuses({"--job", "nas_ep", "--node-cuont", "8"}, "--node-cuont");
  refuses({"--job", "nas_ep", "--node-count", "0"}, "expected a whole number, at least 1");
  refuses({"--job", "nas_ep", "--node-count", "8.5"}, "expected a whole number, at least 1");
  refuses({"--job", "nas_ep", "--speed", "-1"}, "expected a number above 0");
  refuses({"--job", "nas_ep", "--price", "nan"}, "expected a number, at least 0");
  refuses({"--job", "nas_ep", "--t-task", "1"}, "--t-task is for --formula");
  refuses({"--job", "nas_ep", "--formula", "t_total"}, "not both");
}

TEST_F(PredictJob, RefusesAClusterFileWithLineAndKey)
{
  const auto refuses = [&](const std::string& text, const std::string& what) {
    const auto end = predict({"--job", "nas_ep", "--class", "S", "--cluster", file(text)});
    EXPECT_EQ(end.status, 2) << text;
    EXPECT_TRUE(is_one_line(end.err)) << end.err;
    EXPECT_NE(end.err.find(what), std::string::npos) << end.err;
  };
  refuses("[[node]]\nname = \"a\"\nbandwith = 3\n", ":3: key 'bandwith' of a node is not known");
  refuses("[[node]]\ncount = 0\n", ":2: count: expected a whole number, 1 to 1000000");
  refuses("[[node]]\nlatency = -1.0\n", ":2: latency: expected a number, at least 0");
  refuses("[[node]]\nlatency = \"1 ms\"\n", ":2: latency: expected a number, at least 0");
  refuses("[[node]]\n[[node.device]]\nspeed = 0\n", ":3: speed: expected a number above 0");
  refuses("[[node]]\nname = 3\n", ":2: name: expected a text");
  refuses("[[node]]\n", ":1: node 'node' has no [[node.device]]");
  refuses("node = 3\n", ":1: node: expected tables");
  refuses("[costs]\nmerge = inf\n", ":2: merge: expected a number, at least 0");
  refuses("", "it has no [[node]]");
  refuses("[[node]\n", ":1: ");
}

TEST_F(PredictJob, FailsWhereAClusterFileCannotBeRead)
{
  const auto end = predict({"--job", "nas_ep", "--cluster", folder_.path("nowhere")});
  EXPECT_EQ(end.status, 2);
  EXPECT_TRUE(is_one_line(end.err)) << end.err;
}

}  // namespace
