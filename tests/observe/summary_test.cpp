#include <fastgpu/observe/summary.hpp>  // first: shows that the header stands alone

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "observe/json.hpp"

namespace {

using fastgpu::device_summary;
using fastgpu::errc;
using fastgpu::outcome_kind;
using fastgpu::reduction;
using fastgpu::run_summary;

run_summary some_summary()
{
  run_summary s;
  s.wall_s = 1.25;
  s.assign_s = 0.5;
  s.aggregate_s = 0.0125;
  s.subtasks = 1000;
  s.committed = 1000;
  s.batches = 60;
  s.steals = 7;
  s.retries = 2;
  s.wasted = 30;
  s.fenced = 1;
  s.seals = 5;
  s.reduction = "ordered";
  s.shape = "ordered/1";
  s.policy = "by_speed";
  s.measured_share = 0.75;
  s.numeric_class = "host";
  device_summary d;
  d.id = {0};
  d.name = "host:2";
  d.subtasks = 750;
  d.share = 0.75;
  d.batches = 40;
  d.steals = 5;
  d.busy_s = 2.25;
  d.finished_s = 1.2;
  s.devices.push_back(d);
  d = {};
  d.id = {1};
  d.name = "faulty:7";
  d.subtasks = 250;
  d.share = 0.25;
  d.batches = 20;
  d.steals = 2;
  d.retries = 2;
  d.busy_s = 0.5;
  d.finished_s = 0.75;
  d.lost = true;
  s.devices.push_back(d);
  return s;
}

TEST(Summary, PrintsAsATable)
{
  EXPECT_EQ(
      to_text(some_summary()),
      "done in 1.250 s: 1000 subtasks in 60 batches, 7 steals, 2 retries (30 subtasks wasted), 1 partials fenced, "
      "75.0% placed by measured speed\n"
      "reduction ordered, shape ordered/1, aggregation 12.500 ms\n"
      "device  name                subtasks   share    batches   steals  retries    busy s  done at s\n"
      "0       host:2                   750   75.0%         40        5        0     2.250      1.200\n"
      "1       faulty:7                 250   25.0%         20        2        2     0.500      0.750  lost\n");
}

TEST(Summary, SaysWhyARunIsNotDone)
{
  run_summary s;
  s.outcome = outcome_kind::failed;
  s.why = {make_error_code(errc::kernel_failed), "subtask 3 on device 0 (host:1): no good"};
  s.reduction = "none";
  EXPECT_EQ(to_text(s),
            "failed in 0.000 s: 0 subtasks in 0 batches, 0 steals, 0 retries\n"
            "reason: subtask 3 on device 0 (host:1): no good\n"
            "device  name                subtasks   share    batches   steals  retries    busy s  done at s\n");
}

TEST(Summary, EndsEveryLineHoweverLongAName)
{
  auto s = some_summary();
  s.devices[0].name = std::string(400, 'n');
  s.why.detail = std::string(1000, 'w');
  s.outcome = outcome_kind::cancelled;
  const auto text = to_text(s);
  EXPECT_EQ(text.back(), '\n');
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 6);
  EXPECT_NE(text.find(s.devices[0].name), std::string::npos);
  EXPECT_NE(text.find(s.why.detail), std::string::npos);
}

TEST(Summary, HoldsItsPredictionAgainstTheRun)
{
  run_summary s;
  s.wall_s = 0.5;
  s.reduction = "none";
  s.terms = {.start_s = 0.001, .execute_s = 0.4, .waiting_s = 0.03, .imbalance_s = 0.049, .aggregate_s = 0.02};
  s.predicted.emplace();
  s.predicted->wall = fastgpu::seconds{0.475};
  s.predicted->start = fastgpu::seconds{0.002};
  s.predicted->execute = fastgpu::seconds{0.4};
  s.predicted->batching = fastgpu::seconds{0.01};
  s.predicted->transfer = fastgpu::seconds{0.02};
  s.predicted->imbalance = fastgpu::seconds{0.043};
  EXPECT_EQ(to_text(s),
            "done in 0.500 s: 0 subtasks in 0 batches, 0 steals, 0 retries\n"
            "ms             predicted      measured     error\n"
            "start              2.000         1.000    +0.2 %\n"
            "execute          410.000       400.000    +2.0 %\n"
            "waiting           20.000        30.000    -2.0 %\n"
            "imbalance         43.000        49.000    -1.2 %\n"
            "aggregate          0.000        20.000    -4.0 %\n"
            "wall             475.000       500.000    -5.0 %\n"
            "device  name                subtasks   share    batches   steals  retries    busy s  done at s\n");
}

TEST(Summary, SaysWhyThereIsNoPrediction)
{
  run_summary s;
  s.not_predicted = "device 0 (host:1) has not been measured at this kernel";
  EXPECT_NE(to_text(s).find("\nno prediction: device 0 (host:1) has not been measured at this kernel\n"),
            std::string::npos);
}

TEST(Summary, TellsBytesWhereSomeWent)
{
  auto s = some_summary();
  s.devices[1].bytes_sent = 1'234'567;
  s.devices[1].bytes_received = 800;
  s.devices[1].link_s = 0.0125;
  const auto text = to_text(s);
  EXPECT_NE(text.find("0.750  lost  1.23 MB to it, 800 B from it, link 0.013 s\n"), std::string::npos) << text;
  EXPECT_NE(text.find("1.200\n"), std::string::npos) << text;
}

TEST(Summary, HasTermsAndBytesInJson)
{
  auto s = some_summary();
  s.terms = {.start_s = 1, .execute_s = 2, .waiting_s = 3, .imbalance_s = 4, .aggregate_s = 5};
  s.bytes_sent = 7;
  s.bytes_received = 8;
  s.link_s = 0.5;
  s.devices[0].bytes_sent = 7;
  s.devices[0].bytes_received = 8;
  s.devices[0].link_s = 0.5;
  auto parsed = fastgpu::detail::json::parse(to_json(s)).as_object();
  const std::vector<std::pair<const char*, double>> terms{
      {"start_s", 1}, {"execute_s", 2}, {"waiting_s", 3}, {"imbalance_s", 4}, {"aggregate_s", 5}};
  for (const auto& [key, value] : terms) EXPECT_EQ(parsed.at("terms").at(key).to_number<double>(), value) << key;
  EXPECT_TRUE(parsed.at("predicted").is_null());
  EXPECT_EQ(parsed.at("not_predicted"), "");
  for (const auto& where : {parsed, parsed.at("devices").at(0).as_object()}) {
    EXPECT_EQ(where.at("bytes_sent").to_number<std::uint64_t>(), 7u);
    EXPECT_EQ(where.at("bytes_received").to_number<std::uint64_t>(), 8u);
    EXPECT_EQ(where.at("link_s").to_number<double>(), 0.5);
  }
  s.predicted.emplace();
  s.predicted->wall = fastgpu::seconds{2.5};
  s.predicted->batching = fastgpu::seconds{0.25};
  s.predicted->bound = fastgpu::run_bound::transfer;
  parsed = fastgpu::detail::json::parse(to_json(s)).as_object();
  const auto& predicted = parsed.at("predicted").as_object();
  EXPECT_EQ(predicted.at("wall_s").to_number<double>(), 2.5);
  EXPECT_EQ(predicted.at("batching_s").to_number<double>(), 0.25);
  EXPECT_EQ(predicted.at("bound"), "transfer");
  for (const auto* key : {"low_s", "high_s", "start_s", "execute_s", "transfer_s", "imbalance_s", "aggregate_s",
                          "lower_bound_s"}) {
    EXPECT_TRUE(predicted.contains(key)) << key;
  }
}

TEST(Summary, IsOneJsonObject)
{
  namespace json = fastgpu::detail::json;
  const auto text = to_json(some_summary());
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const auto parsed = json::parse(text).as_object();
  EXPECT_EQ(parsed.at("outcome"), "done");
  EXPECT_EQ(parsed.at("wall_s").to_number<double>(), 1.25);
  EXPECT_EQ(parsed.at("assign_s").to_number<double>(), 0.5);
  EXPECT_EQ(parsed.at("aggregate_s").to_number<double>(), 0.0125);
  const std::vector<std::pair<const char*, std::uint64_t>> counts{
      {"subtasks", 1000}, {"committed", 1000}, {"batches", 60}, {"steals", 7},
      {"retries", 2},     {"wasted", 30},      {"fenced", 1},   {"seals", 5}};
  for (const auto& [key, value] : counts) EXPECT_EQ(parsed.at(key).to_number<std::uint64_t>(), value) << key;
  EXPECT_EQ(parsed.at("reduction"), "ordered");
  EXPECT_EQ(parsed.at("shape"), "ordered/1");
  EXPECT_EQ(parsed.at("policy"), "by_speed");
  EXPECT_EQ(parsed.at("measured_share").to_number<double>(), 0.75);
  EXPECT_EQ(parsed.at("numeric_class"), "host");
  const auto& devices = parsed.at("devices").as_array();
  ASSERT_EQ(devices.size(), 2u);
  const auto& last = devices[1].as_object();
  EXPECT_EQ(last.at("id").to_number<std::uint32_t>(), 1u);
  EXPECT_EQ(last.at("name"), "faulty:7");
  EXPECT_EQ(last.at("subtasks").to_number<std::uint64_t>(), 250u);
  EXPECT_EQ(last.at("share").to_number<double>(), 0.25);
  EXPECT_EQ(last.at("batches").to_number<std::uint64_t>(), 20u);
  EXPECT_EQ(last.at("steals").to_number<std::uint64_t>(), 2u);
  EXPECT_EQ(last.at("retries").to_number<std::uint64_t>(), 2u);
  EXPECT_EQ(last.at("busy_s").to_number<double>(), 0.5);
  EXPECT_EQ(last.at("finished_s").to_number<double>(), 0.75);
  EXPECT_TRUE(last.at("lost").as_bool());
}

TEST(Summary, WritesNamesThatNeedEscapes)
{
  auto s = some_summary();
  s.devices[0].name = "a \"quoted\"\\ name\n\x01";
  const auto parsed = fastgpu::detail::json::parse(to_json(s));
  EXPECT_EQ(parsed.at("devices").at(0).at("name"), "a \"quoted\"\\ name\n\x01");
}

TEST(Summary, WritesNullForWhatIsNotFinite)
{
  auto s = some_summary();
  s.wall_s = std::nan("");
  s.devices[0].busy_s = std::numeric_limits<double>::infinity();
  const auto text = to_json(s);
  boost::system::error_code problem;
  const auto parsed = fastgpu::detail::json::parse(text, problem);
  ASSERT_FALSE(problem) << text;
  EXPECT_TRUE(parsed.at("wall_s").is_null());
  EXPECT_TRUE(parsed.at("devices").at(0).at("busy_s").is_null());
}

TEST(Summary, NamesOutcomesAndReductions)
{
  EXPECT_STREQ(to_string(outcome_kind::done), "done");
  EXPECT_STREQ(to_string(outcome_kind::failed), "failed");
  EXPECT_STREQ(to_string(outcome_kind::cancelled), "cancelled");
  EXPECT_STREQ(to_string(outcome_kind::deadline), "deadline");
  EXPECT_STREQ(to_string(reduction::ordered), "ordered");
  EXPECT_STREQ(to_string(reduction::exact), "exact");
  EXPECT_STREQ(to_string(reduction::fast), "fast");
}

}  // namespace
