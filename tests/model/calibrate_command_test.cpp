#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "support/folder.hpp"
#include "support/process.hpp"

/// @file
/// `fastgpu calibrate`, and what predict makes of its file.

namespace {

using namespace support;

class CalibrateCommand : public testing::Test {
 protected:
  static finished calibrate(const arguments& more)
  {
    return run("fastgpu", arguments{"calibrate", "--each", "0.01"} + more);
  }
  static finished predict(const arguments& more)
  {
    return run("fastgpu", arguments{"predict", "--budget", "0.1", "--job", "nas_ep", "--class", "S"} + more);
  }
  static std::string content(const std::string& path)
  {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
  }
  /// Changes the line of the file that begins with `key`.
  static void change(const std::string& path, const std::string& key, const std::string& line)
  {
    auto text = content(path);
    const auto at = text.find("\n" + key + " = ") + 1;
    text.replace(at, text.find('\n', at) - at, line);
    std::ofstream{path} << text;
  }

  support::folder folder_;
};

TEST_F(CalibrateCommand, WritesAClusterThatPredictReads)
{
  const auto file = folder_.path("here.toml");
  const auto end = calibrate({"--devices", "host:2", "--output", file});
  ASSERT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(end.out, "");
  EXPECT_NE(end.err.find("fastgpu calibrate: device host:2"), std::string::npos);
  const auto as_cluster = predict({"--cluster", file});
  EXPECT_EQ(as_cluster.status, 0) << as_cluster.err;
  const auto as_costs = predict({"--node-count", "2", "--calibration", file});
  EXPECT_EQ(as_costs.status, 0) << as_costs.err;
}

TEST_F(CalibrateCommand, WritesNothingWithoutANodeThatItWasGiven)
{
  const auto file = folder_.path("here.toml");
  const auto end = calibrate({"--devices", "host:1", "--nodes", "unix:" + folder_.path("nobody"), "--output", file});
  EXPECT_EQ(end.status, 1) << end.err;
  EXPECT_NE(end.err.find("of the 1 nodes of --nodes only 0 could be measured"), std::string::npos) << end.err;
  EXPECT_EQ(content(file), "");
}

TEST_F(CalibrateCommand, IsCountedByProgramsThatPredict)
{
  const auto file = folder_.path("here.toml");
  ASSERT_EQ(calibrate({"--devices", "host:1", "--output", file}).status, 0);
  change(file, "start", "start = 0.125");
  const arguments options{"--class", "S", "--devices", "host:1", "--repeat", "2", "--json", "-", "--calibration", file};
  const auto end = run("nas_ep", options);
  ASSERT_EQ(end.status, 0) << end.err;
  const auto report = report_of(end);
  const auto& second = report.at("runs").as_array().at(1).at("run").at("predicted");
  EXPECT_NEAR(second.at("start_s").to_number<double>(), 0.125, 0.01);
  const auto refused = run("nas_ep", {"--class", "S", "--calibration", folder_.path("none")});
  EXPECT_EQ(refused.status, 2);
  EXPECT_TRUE(is_one_line(refused.err)) << refused.err;
}

TEST_F(CalibrateCommand, PrintsWithoutAFile)
{
  const auto end = calibrate({"--devices", "paced:1000"});
  ASSERT_EQ(end.status, 0) << end.err;
  EXPECT_NE(end.out.find("[calibration]"), std::string::npos) << end.out;
}

TEST_F(CalibrateCommand, PredictRefusesOldAndForeignCalibrations)
{
  const auto file = folder_.path("here.toml");
  ASSERT_EQ(calibrate({"--devices", "paced:1000", "--output", file}).status, 0);
  const auto good = content(file);
  const auto refused = [&](const char* key, const char* line, const std::string& reason) {
    std::ofstream{file} << good;
    change(file, key, line);
    for (const auto* option : {"--cluster", "--calibration"}) {
      const auto end = predict({option, file});
      EXPECT_EQ(end.status, 2) << reason;
      EXPECT_TRUE(is_one_line(end.err)) << end.err;
      EXPECT_NE(end.err.find(reason), std::string::npos) << end.err;
      EXPECT_NE(end.err.find(file + ":"), std::string::npos) << end.err;
    }
  };
  refused("date", "date = '2020-01-01T00:00:00Z'", "more than 30 days old");
  refused("machine", "machine = 'PDP-11, 1 core'", "another machine, PDP-11");
  refused("version", "version = '0.0.1'", "of version 0.0.1");
  refused("version", "revision = '0.0.1'", "key 'revision' of [calibration] is not known");
  refused("seal", "seal = -1.0", "seal: expected a number, at least 0");
}

TEST_F(CalibrateCommand, RefusesBadUseInOneLine)
{
  const auto file = folder_.path("cluster.toml");
  std::ofstream{file} << "[[node]]\n[[node.device]]\nname = 'x'\n";
  for (const auto& [end, reason] : {
           std::pair{predict({"--calibration", folder_.path("none")}), "No such file"},
           std::pair{predict({"--calibration", file}), "it is no calibration"},
           std::pair{predict({"--calibration", file, "--cluster", file}), "--calibration"},
           std::pair{calibrate({"--each", "100"}), "--each"},
           std::pair{calibrate({"--devices", "host:x"}), "host:x"},
       }) {
    EXPECT_EQ(end.status, 2) << reason;
    EXPECT_TRUE(is_one_line(end.err)) << end.err;
    EXPECT_NE(end.err.find(reason), std::string::npos) << end.err;
  }
  const auto end = calibrate({"--output", folder_.path("no/such/folder")});
  EXPECT_EQ(end.status, 1);
  EXPECT_TRUE(is_one_line(end.err)) << end.err;
}

}  // namespace
