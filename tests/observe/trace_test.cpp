#include "observe/trace_buffer.hpp"  // first: shows that the header stands alone

#include <algorithm>
#include <clocale>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/fastgpu.hpp>
#include <fastgpu/observe/log.hpp>

#include "observe/json.hpp"

namespace {

using fastgpu::interval;
using fastgpu::detail::chrome_trace_json;
using fastgpu::detail::term_tracks;
using fastgpu::detail::trace_buffer;
using fastgpu::detail::trace_kind;
namespace json = fastgpu::detail::json;

/// One event of a parsed trace.
struct parsed_event {
  std::string phase;
  std::string name;
  std::uint32_t device = 0;
  std::uint32_t worker = 0;
  double begin_us = 0;
  double length_us = 0;
  interval part;
};

std::vector<parsed_event> events_of(const std::string& trace)
{
  std::vector<parsed_event> all;
  const auto parsed = json::parse(trace).as_object();
  for (const auto& item : parsed.at("traceEvents").as_array()) {
    const auto& fields = item.as_object();
    parsed_event e;
    e.phase = json::value_to<std::string>(fields.at("ph"));
    if (e.phase == "M") continue;
    e.name = json::value_to<std::string>(fields.at("name"));
    e.device = fields.at("pid").to_number<std::uint32_t>();
    e.worker = fields.at("tid").to_number<std::uint32_t>();
    e.begin_us = fields.at("ts").to_number<double>();
    if (e.phase == "X") e.length_us = fields.at("dur").to_number<double>();
    if (const auto* given = fields.if_contains("args")) {
      e.part = {given->at("begin").to_number<std::uint32_t>(), given->at("end").to_number<std::uint32_t>()};
    }
    all.push_back(e);
  }
  return all;
}

TEST(Trace, WithoutTracksIsAnEmptyList)
{
  const auto parsed = json::parse(chrome_trace_json({})).as_object();
  EXPECT_TRUE(parsed.at("traceEvents").as_array().empty());
  EXPECT_EQ(parsed.at("displayTimeUnit"), "ms");
}

TEST(Trace, NamesDevicesAndWorkers)
{
  trace_buffer none;
  const auto parsed = json::parse(chrome_trace_json({{"a \"device\"", 2, 1, &none}}));
  const auto& events = parsed.at("traceEvents").as_array();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].at("ph"), "M");
  EXPECT_EQ(events[0].at("name"), "process_name");
  EXPECT_EQ(events[0].at("pid"), 2);
  EXPECT_EQ(events[0].at("args").at("name"), "a \"device\"");
  EXPECT_EQ(events[1].at("name"), "thread_name");
  EXPECT_EQ(events[1].at("tid"), 1);
  EXPECT_EQ(events[1].at("args").at("name"), "worker 1");
}

TEST(Trace, GivesTimesInMicroseconds)
{
  trace_buffer buffer;
  buffer.add({trace_kind::batch, 1'500, 4'000, {3, 7}});
  buffer.add({trace_kind::steal, 5'000, 5'000, {8, 9}});
  buffer.add({trace_kind::seal, 1'000'000'000'000, 1'000'000'000'250, {}});
  const auto events = events_of(chrome_trace_json({{"host:1", 0, 0, &buffer}}));
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].phase, "X");
  EXPECT_EQ(events[0].name, "batch");
  EXPECT_DOUBLE_EQ(events[0].begin_us, 1.5);
  EXPECT_DOUBLE_EQ(events[0].length_us, 2.5);
  EXPECT_EQ(events[0].part, (interval{3, 7}));
  EXPECT_EQ(events[1].phase, "i");
  EXPECT_EQ(events[1].name, "steal");
  EXPECT_DOUBLE_EQ(events[1].begin_us, 5);
  EXPECT_EQ(events[2].name, "seal");
  EXPECT_DOUBLE_EQ(events[2].begin_us, 1e9);
  EXPECT_DOUBLE_EQ(events[2].length_us, 0.25);
}

TEST(Trace, NamesAllKindsOfEvents)
{
  trace_buffer buffer;
  for (const auto kind :
       {trace_kind::batch, trace_kind::steal, trace_kind::seal, trace_kind::failed, trace_kind::lost}) {
    buffer.add({kind, 0, 0, {}});
  }
  std::vector<std::string> names;
  for (const auto& e : events_of(chrome_trace_json({{"host:1", 0, 0, &buffer}}))) names.push_back(e.name);
  EXPECT_EQ(names, (std::vector<std::string>{"batch", "steal", "seal", "failed", "lost"}));
}

TEST(Trace, CountsWhatIsBeyondItsBound)
{
  constexpr std::size_t bound = 262'144;
  trace_buffer buffer;
  for (std::size_t i = 0; i < bound + 5; ++i) buffer.add({trace_kind::steal, 0, 0, {}});
  EXPECT_EQ(buffer.events().size(), bound);
  EXPECT_EQ(buffer.dropped(), 5u);
  const auto text = chrome_trace_json({{"host:1", 0, 0, &buffer}});
  EXPECT_NE(text.find("\"5 events not kept\""), std::string::npos);
  EXPECT_EQ(events_of(text).size(), bound + 1);
}

TEST(Trace, ShowsThePredictionBesideTheRun)
{
  fastgpu::run_summary s;
  EXPECT_TRUE(term_tracks(s, 3).empty());
  s.terms = {.start_s = 0.001, .execute_s = 0.4, .waiting_s = 0, .imbalance_s = 0.049, .aggregate_s = 0.02};
  s.predicted.emplace();
  s.predicted->start = fastgpu::seconds{0.002};
  s.predicted->execute = fastgpu::seconds{0.3};
  s.predicted->batching = fastgpu::seconds{0.1};
  trace_buffer none;
  const auto events = events_of(chrome_trace_json({{"host:1", 0, 0, &none}}, term_tracks(s, 3)));
  ASSERT_EQ(events.size(), 10u);
  const std::vector<std::string> names{"start", "execute", "waiting", "imbalance", "aggregate"};
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].phase, "X");
    EXPECT_EQ(events[i].name, names[i % 5]);
    EXPECT_EQ(events[i].device, 3u);
    EXPECT_EQ(events[i].worker, i / 5);
  }
  EXPECT_NEAR(events[1].begin_us, 2'000, 1e-3);
  EXPECT_NEAR(events[1].length_us, 400'000, 1e-3);
  EXPECT_NEAR(events[8].begin_us, 401'000, 1e-3);
  EXPECT_NEAR(events[8].length_us, 49'000, 1e-3);
}

TEST(Trace, IsJsonInEveryLocale)
{
  const std::string former = std::setlocale(LC_ALL, nullptr);
  const char* found = nullptr;
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR", "es_ES.UTF-8"}) {
    if (found == nullptr) found = std::setlocale(LC_ALL, name);
  }
  if (found == nullptr) GTEST_SKIP() << "no locale with a decimal comma is installed";
  trace_buffer buffer;
  buffer.add({trace_kind::batch, 1'500, 4'000, {3, 7}});
  const auto text = chrome_trace_json({{"host:1", 0, 0, &buffer}});
  std::setlocale(LC_ALL, former.c_str());
  boost::system::error_code problem;
  (void)json::parse(text, problem);
  EXPECT_FALSE(problem) << text;
}

// Of real runs ----------------------------------------------------------------------------------------------------

struct traced_run {
  fastgpu::outcome_kind outcome;
  std::vector<parsed_event> events;
};

traced_run run_traced(const std::string& devices, std::uint32_t subtasks, fastgpu::batching batches = {})
{
  fastgpu::cluster cluster{devices};
  const auto job = fastgpu::make_job(
      fastgpu::space{static_cast<std::int64_t>(subtasks) * 100, fastgpu::by_size{100}},
      [](std::uint64_t i) { return 1.0 / static_cast<double>(1 + i); }, fastgpu::reduced(fastgpu::sum<double>{}));
  fastgpu::run_options options;
  options.trace = true;
  options.batches = batches;
  auto run = fastgpu::execute(cluster, job, options);
  const auto outcome = run.wait().kind();
  auto events = events_of(run.trace_json());
  std::stable_sort(events.begin(), events.end(),
                   [](const parsed_event& a, const parsed_event& b) { return a.begin_us < b.begin_us; });
  return {outcome, std::move(events)};
}

/// A worker does one thing after the other.
void check_order(const std::vector<parsed_event>& events)
{
  constexpr double rounding_us = 0.002;
  std::map<std::pair<std::uint32_t, std::uint32_t>, double> busy_until;
  for (const auto& e : events) {
    ASSERT_GE(e.begin_us, 0) << e.name;
    ASSERT_GE(e.length_us, 0) << e.name;
    if (e.phase != "X") continue;
    auto& until = busy_until[{e.device, e.worker}];
    ASSERT_GE(e.begin_us, until - rounding_us) << e.name << " of device " << e.device << ", worker " << e.worker;
    until = e.begin_us + e.length_us;
  }
}

/// How often each subtask was in a batch that was done.
std::vector<int> runs_of_subtasks(const std::vector<parsed_event>& events, std::uint32_t subtasks)
{
  std::vector<int> runs(subtasks, 0);
  for (const auto& e : events) {
    if (e.name != "batch") continue;
    EXPECT_LT(e.part.begin, e.part.end);
    EXPECT_LE(e.part.end, subtasks);
    for (auto s = e.part.begin; s < std::min(e.part.end, subtasks); ++s) ++runs[s];
  }
  return runs;
}

bool has(const std::vector<parsed_event>& events, const std::string& name)
{
  return std::any_of(events.begin(), events.end(), [&](const parsed_event& e) { return e.name == name; });
}

TEST(Trace, OfARunShowsEachSubtaskInOneBatch)
{
  const auto run = run_traced("host:2*2", 500);
  ASSERT_EQ(run.outcome, fastgpu::outcome_kind::done);
  ASSERT_NO_FATAL_FAILURE(check_order(run.events));
  EXPECT_EQ(runs_of_subtasks(run.events, 500), std::vector<int>(500, 1));
  EXPECT_TRUE(has(run.events, "seal"));
}

TEST(Trace, OfARunWithFaultsShowsThem)
{
  fastgpu::set_log(fastgpu::log_level::off);  // it reports the devices that it loses
  bool any_fault = false;
  for (int seed = 1; seed <= 5; ++seed) {
    // Slow enough beside them that the faulty devices get something to do.
    const auto run = run_traced("paced:20000,faulty:" + std::to_string(seed) + "*2", 400, fastgpu::batching::fixed(1));
    ASSERT_NO_FATAL_FAILURE(check_order(run.events)) << "seed " << seed;
    const auto runs = runs_of_subtasks(run.events, 400);
    if (run.outcome == fastgpu::outcome_kind::done) {
      EXPECT_EQ(std::count(runs.begin(), runs.end(), 0), 0) << "seed " << seed;
    }
    any_fault = any_fault || has(run.events, "failed") || has(run.events, "lost");
  }
  fastgpu::set_log(fastgpu::log_level::warning);
  EXPECT_TRUE(any_fault);
}

TEST(Trace, OfARunThatWasPredictedShowsItsTerms)
{
  fastgpu::cluster cluster{"host:2"};
  const auto job = fastgpu::make_job(
      fastgpu::space{10'000, fastgpu::by_size{100}}, [](std::uint64_t i) { return 1.0 / static_cast<double>(1 + i); },
      fastgpu::reduced(fastgpu::sum<double>{}));
  fastgpu::run_options options;
  options.trace = true;
  options.predict.emplace();
  const auto terms = [&] {
    auto run = fastgpu::execute(cluster, job, options);
    (void)run.wait();
    const auto events = events_of(run.trace_json());
    return std::count_if(events.begin(), events.end(), [](const parsed_event& e) { return e.device == 1; });
  };
  EXPECT_EQ(terms(), 0);
  EXPECT_EQ(terms(), 10);
}

TEST(Trace, OfARunThatDoesNotRecordIsEmpty)
{
  fastgpu::cluster cluster{"host:1"};
  auto run = fastgpu::execute(
      cluster, fastgpu::make_job(
                   10, [](std::uint64_t i) { return i; }, fastgpu::reduced(fastgpu::sum<std::uint64_t>{})));
  (void)run.wait();
  EXPECT_EQ(run.trace_json(), "");
}

}  // namespace
