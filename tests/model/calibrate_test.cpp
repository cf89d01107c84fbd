#include <fastgpu/model/calibrate.hpp>  // first: shows that the header stands alone

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <fastgpu/cluster/node.hpp>
#include <fastgpu/fastgpu.hpp>
#include <fastgpu/version.hpp>

#include "model/utc.hpp"
#include "support/failure_of.hpp"
#include "support/folder.hpp"

namespace {

using fastgpu::calibrate;
using fastgpu::calibration;
using fastgpu::cluster;
using fastgpu::errc;
using fastgpu::seconds;
using support::failure_of;

constexpr fastgpu::calibrate_options quick{.each = seconds{0.02}};

TEST(Calibrate, KnowsPacedDevicesOfOtherSpeeds)
{
  const cluster c{"paced:200*2,paced:800"};  // a subtask takes longer than a busy machine to wake a thread
  constexpr double tolerance = 0.6;
  auto m = calibrate(c, {.each = seconds{0.1}}).model;
  for (int again = 0; again < 5 && std::abs(m.nodes.at(0).devices.at(1).speed - 4) > tolerance; ++again) {
    m = calibrate(c, {.each = seconds{0.1}}).model;
  }
  ASSERT_EQ(m.nodes.size(), 1);
  ASSERT_EQ(m.nodes[0].devices.size(), 2);
  EXPECT_EQ(m.nodes[0].devices[0].count, 2);
  EXPECT_EQ(m.nodes[0].devices[0].speed, 1);
  EXPECT_NEAR(m.nodes[0].devices[1].speed, 4, tolerance);
  EXPECT_EQ(m.nodes[0].bytes_per_second, 0);
}

TEST(Calibrate, MeasuresWhatAHostDeviceAndItsRunsCost)
{
  const cluster c{"host:1"};
  std::vector<std::string> said;
  auto options = quick;
  options.context = &said;
  options.progress = [](void* to, const char* what) { static_cast<std::vector<std::string>*>(to)->emplace_back(what); };
  const auto m = calibrate(c, options).model;
  const auto& d = m.nodes.at(0).devices.at(0);
  EXPECT_GT(d.memory_bytes_per_second, 1e7);
  EXPECT_GT(d.batch.count, 0);
  EXPECT_LT(d.batch.count, 1e-4);
  EXPECT_GT(m.costs.seal.count, 0);
  EXPECT_LT(m.costs.seal.count, 0.01);
  EXPECT_GT(m.costs.merge_bytes_per_second, 1e6);
  EXPECT_LT(m.costs.start.count, 0.1);
  EXPECT_GE(m.costs.steal.count, 0);
  EXPECT_EQ(said, (std::vector<std::string>{"device host:1", "runs"}));
}

TEST(Calibrate, MeasuresLinksOfNodes)
{
  const support::folder folder;
  const fastgpu::node a{{.listen = "unix:" + folder.path("a"), .name = "a", .devices = {.devices = "host:1"}}};
  const fastgpu::node b{{.listen = "unix:" + folder.path("b"), .name = "b", .devices = {.devices = "host:1*2"}}};
  cluster c{"none"};
  c.add_node(a.address());
  c.add_node(b.address());
  const auto m = calibrate(c, quick).model;
  ASSERT_EQ(m.nodes.size(), 2);
  EXPECT_EQ(m.nodes[1].devices.at(0).count, 2);
  for (const auto& n : m.nodes) {
    EXPECT_GT(n.bytes_per_second, 1e6);
    EXPECT_GT(n.latency.count, 0);
    EXPECT_LT(n.latency.count, 0.5);
  }
  EXPECT_GT(m.uplink_bytes_per_second, 1e6);
  EXPECT_NO_THROW((void)fastgpu::predict({.subtasks = 10, .costs = {seconds{0.1}}}, m));
}

TEST(Calibrate, RefusesWhatCannotBeMeasured)
{
  const cluster none{"none"};
  EXPECT_EQ(failure_of([&] { (void)calibrate(none); }).code, errc::no_usable_device);
  const cluster one{"host:1"};
  for (const auto each : {0.0, -1.0, 11.0}) {
    EXPECT_EQ(failure_of([&] { (void)calibrate(one, {.each = seconds{each}}); }).code, errc::invalid_argument) << each;
  }
}

TEST(Calibration, IsUsedWhereAndWhenItWasMadeAlone)
{
  using namespace std::chrono;
  const auto at = [](system_clock::time_point when) {
    return calibration{{}, fastgpu::detail::utc_text(when), fastgpu::machine_name(), fastgpu::version()};
  };
  const auto now = system_clock::now();
  EXPECT_EQ(fastgpu::why_unusable(at(now)), std::nullopt);
  EXPECT_EQ(fastgpu::why_unusable(at(now - days{29})), std::nullopt);
  const auto refused = [](const calibration& c, const std::string& reason) {
    const auto why = fastgpu::why_unusable(c);
    ASSERT_TRUE(why) << reason;
    EXPECT_NE(why->find(reason), std::string::npos) << *why;
  };
  refused(at(now - days{31}), "more than 30 days old");
  refused(at(now + days{1}), "yet to come");
  for (const auto* date : {"2500-01-01T00:00:00Z", "2611-06-11T20:00:00Z", "9999-12-31T23:59:59Z"}) {
    auto later = at(now);
    later.date = date;
    refused(later, "yet to come");
  }
  auto other = at(now);
  other.machine = "Elsewhere, 3 cores";
  refused(other, "another machine, Elsewhere, 3 cores");
  other = at(now);
  other.version = "0.0.0";
  refused(other, "version 0.0.0");
  for (const auto* date : {"", "yesterday", "2026-11-21", "2026-11-21T20:30:00Zulu"}) {
    other = at(now);
    other.date = date;
    refused(other, "is none");
  }
}

}  // namespace
