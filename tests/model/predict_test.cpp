#include <algorithm>
#include <cstddef>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/process.hpp"

/// @file
/// `fastgpu predict`, as its users meet it.

namespace {

using namespace support;

arguments words_of(const std::string& line)
{
  arguments words;
  for (std::size_t at = 0; at < line.size();) {
    const auto end = std::min(line.find(' ', at), line.size());
    if (end > at) words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

finished predict(const std::string& line) { return run("fastgpu", arguments{"predict"} + words_of(line)); }

/// The value with its unit, of one line on what it counts after it.
std::string value_of(const std::string& line)
{
  const auto end = predict(line);
  EXPECT_EQ(end.status, 0) << line << '\n' << end.err;
  EXPECT_EQ(end.err, "");
  const auto counts = end.out.find("\ncounts ");
  EXPECT_NE(counts, std::string::npos) << end.out;
  if (counts == std::string::npos) return end.out;
  EXPECT_TRUE(is_one_line(end.out.substr(counts + 1))) << end.out;
  return end.out.substr(0, counts);
}

TEST(Predict, HasTheWorkedExamplesValues)
{
  EXPECT_EQ(value_of("--formula t_total --node-count 4 --gpus-per-node 2 --t-task 0.5 --t-comm 0.1"),
            "T_total = 4.4 s");
  EXPECT_EQ(value_of("--formula capability --node-count 10 --capability 100 --subtasks 1000"),
            "T = 1000 TFLOPS, t1 = t2 = 1 s");
  EXPECT_EQ(value_of("--formula performance --alpha 1.1 --u 0.8 --s 0.2 --v 0.9"),
            "P = 0.1584 subtasks a second for each unit of GPU resources, the unit of S");
  EXPECT_EQ(value_of("--formula waiting_time --priority 5 --resources 5 --requests 10"), "T_i = 0.004, without a unit");
}

TEST(Predict, HasTheOtherFormulasToo)
{
  EXPECT_EQ(value_of("--formula t_total --node-count 3 --gpus-per-node 4 --t-original 20 --parallelism 2.5 --bytes 5e9 "
                     "--bandwidth 2.5e9"),
            "T_total = 102 s");
  EXPECT_EQ(value_of("--formula waiting_time --resources 2 --service-rate 1 --arrival-rates 1"),
            "W_1 = 0.3333333333 s\nW = 0.3333333333 s");
  EXPECT_EQ(value_of("--formula waiting_time --resources 1 --service-rate 1 --arrival-rates 0.25,0.5"),
            "W_1 = 1 s\nW_2 = 4 s\nW = 3 s");
  EXPECT_EQ(value_of("--formula load_balance --weights 1,2,3 --weights 4,5,9"),
            "p_1 = 2 in the unit of the weights, share 25 %\np_2 = 6 in the unit of the weights, share 75 %");
}

TEST(Predict, TakesArgumentsInAnyOrderAndForm)
{
  EXPECT_EQ(value_of("--t-comm=1e-1 --t-task .5 --gpus-per-node 2 --formula=t_total --node-count=4"),
            "T_total = 4.4 s");
}

TEST(Predict, SaysWhatTheValueCounts)
{
  const std::map<std::string, std::string> counts{
      {"t_total --node-count 1 --gpus-per-node 1 --t-task 1 --t-comm 1", "not wall-clock time"},
      {"t_total --node-count 1 --gpus-per-node 1 --t-original 1 --parallelism 1 --bytes 1 --bandwidth 1", "a bill"},
      {"capability --node-count 1 --capability 1 --subtasks 1", "a lower bound"},
      {"performance --alpha 1 --u 1 --s 1 --v 1", "not a throughput"},
      {"waiting_time --priority 1 --resources 1 --requests 1", "counts no time"},
      {"waiting_time --resources 1 --service-rate 2 --arrival-rates 1", "until its service begins"},
      {"load_balance --weights 1", "share of all load"},
  };
  for (const auto& [line, words] : counts) {
    EXPECT_NE(predict("--formula " + line).out.find(words), std::string::npos) << line;
  }
}

TEST(Predict, HelpsWithEveryFormula)
{
  const auto end = predict("--help");
  EXPECT_EQ(end.status, 0);
  EXPECT_EQ(end.err, "");
  for (const auto* words : {"t_total: N M T_task + N T_comm", "--gpus-per-node M --t-original T_original", "M/M/R",
                            "capability: ", "performance: ", "waiting_time: ", "load_balance: "}) {
    EXPECT_NE(end.out.find(words), std::string::npos) << words;
  }
}

TEST(Predict, RefusesBadUseInOneLine)
{
  const std::string nodes = "--formula t_total --node-count ";
  const std::string task = nodes + "4 --gpus-per-node 2 --t-comm 0.1 --t-task";
  const std::string queue = "--formula waiting_time --service-rate 1 --resources ";
  const std::vector<std::pair<std::string, std::vector<std::string>>> uses{
      {"", {"--job (block_sort", "--formula (t_total, capability, performance, waiting_time or load_balance"}},
      {"--formula", {"--formula"}},
      {"--formula=", {"--formula"}},
      {"--node-count 4", {"--formula", "is required"}},
      {"--formula T_total", {"'T_total'", "expected t_total, capability"}},
      {"t_total --node-count 4", {"t_total"}},
      {"--formula t_total", {"--node-count is missing"}},
      {nodes + "4 --gpus-per-node 2 --t-task 0.5", {"--t-comm is missing", "it takes --node-count"}},
      {nodes + "4 --gpus-per-node 2 --bytes 5", {"--t-original is missing", "--bandwidth"}},
      {task + " 0.5 --alpha 1", {"does not take --alpha"}},
      {task + " 0.5 --bytes 1", {"does not take --bytes beside", "--t-task"}},
      {task + " 0.5 --fast", {"--fast"}},
      {task + " 0.5 7", {"7"}},
      {task, {"--t-task"}},
      {task + " 0.5 --t-task 0.5", {"--t-task"}},
      {task + " -0.5", {"--t-task: T_task = -0.5"}},
      {task + " abc", {"--t-task 'abc'", "a finite number"}},
      {task + " 1s", {"--t-task '1s'"}},
      {task + "=", {"--t-task"}},
      {task + " nan", {"--t-task 'nan'", "a finite number"}},
      {task + " inf", {"--t-task 'inf'"}},
      {task + "=-inf", {"--t-task '-inf'"}},
      {task + " 1e999", {"--t-task '1e999'"}},
      {task + " 1e308", {"T_total = inf"}},
      {nodes + "0 --gpus-per-node 2 --t-task 0.5 --t-comm 0.1", {"--node-count: N = 0", "at least 1"}},
      {nodes + "-4 --gpus-per-node 2 --t-task 0.5 --t-comm 0.1", {"--node-count: N = -4"}},
      {nodes + "4.5 --gpus-per-node 2 --t-task 0.5 --t-comm 0.1", {"--node-count '4.5'", "a whole number"}},
      {nodes + "99999999999999999999 --gpus-per-node 2 --t-task 0.5 --t-comm 0.1", {"--node-count '99999"}},
      {nodes + "1 --gpus-per-node 1 --t-original 1 --parallelism 0 --bytes 1 --bandwidth 1", {"--parallelism: P = 0"}},
      {nodes + "1 --gpus-per-node 1 --t-original 1 --parallelism 1 --bytes 1 --bandwidth 0", {"--bandwidth: B = 0"}},
      {"--formula capability --node-count 0 --capability 100 --subtasks 1", {"--node-count: n = 0"}},
      {"--formula capability --node-count 1 --capability -1 --subtasks 1", {"--capability: C = -1"}},
      {"--formula performance --alpha 1 --u 1.5 --s 1 --v 1", {"--u: U = 1.5", "used / capacity"}},
      {"--formula waiting_time --priority 0 --resources 5 --requests 10", {"--priority: P_i = 0"}},
      {"--formula waiting_time --priority 5 --resources 5", {"--requests is missing"}},
      {queue + "5 --arrival-rates 3,2", {"--arrival-rates: lambda / mu = 5", "less than R = 5"}},
      {queue + "5 --arrival-rates 1,,2", {"--arrival-rates ''"}},
      {queue + "5 --arrival-rates 1,-2", {"--arrival-rates: lambda_2 = -2"}},
      {queue + "5 --arrival-rates 1 --arrival-rates 2", {"--arrival-rates"}},
      {queue + "100000000 --arrival-rates 1", {"--resources: R = 100000000", "at most"}},
      {"--formula load_balance", {"--weights is missing"}},
      {"--formula load_balance --weights 1,2 --weights 3", {"--weights: w_2 = 1 loads"}},
      {"--formula load_balance --weights 1,-2", {"--weights: w_1,2 = -2"}},
      {"--formula load_balance --weights 0,0", {"sum of w = 0"}},
  };
  for (const auto& [line, words] : uses) {
    SCOPED_TRACE(line);
    const auto end = predict(line);
    EXPECT_EQ(end.status, 2);
    EXPECT_EQ(end.out, "");
    EXPECT_TRUE(is_one_line(end.err)) << end.err;
    EXPECT_TRUE(end.err.starts_with("fastgpu: ")) << end.err;
    for (const auto& word : words) {
      EXPECT_NE(end.err.find(word), std::string::npos) << '\'' << word << "' in: " << end.err;
    }
  }
}

TEST(Predict, DoesWhatThePageShows)
{
  std::ifstream page{FASTGPU_TEST_PAGES "/t_total.md"};
  ASSERT_TRUE(page);
  int commands = 0;
  bool inside = false;
  std::string line;
  std::string command;
  std::string shown;
  const auto check = [&] {
    if (command.empty()) return;
    ++commands;
    auto words = words_of(command);
    words.erase(words.begin());
    EXPECT_EQ(run("fastgpu", words).out, shown) << command;
    command.clear();
    shown.clear();
  };
  while (std::getline(page, line)) {
    if (line.starts_with("```")) {
      check();
      inside = line == "```console";
    } else if (inside && line.starts_with("$ fastgpu ")) {
      check();
      command = line.substr(2);
    } else if (inside) {
      shown += line + "\n";
    }
  }
  EXPECT_GE(commands, 7);
}

}  // namespace
