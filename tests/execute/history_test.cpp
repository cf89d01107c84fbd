#include <fastgpu/fastgpu.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "model/history_file.hpp"
#include "support/folder.hpp"
#include "support/log_lines.hpp"
#include "support/undisturbed.hpp"

/// @file
/// Runs that go by a history: what they take on devices of known speed, whatever the history says.

namespace {

using fastgpu::by_speed;
using fastgpu::cluster;
using fastgpu::cluster_options;
using fastgpu::equal;
using fastgpu::minimum_completion_time;
using fastgpu::detail::history;
using fastgpu::detail::history_entry;

constexpr const char* kernel_name = "test.history.index";

/// Takes no time: paced devices say how long a subtask takes.
struct its_index {
  std::uint64_t operator()(std::uint64_t i) const { return i; }
};
FASTGPU_REGISTER("test.history.index", its_index)

fastgpu::run_summary run(cluster& on, std::int64_t subtasks, const fastgpu::assignment_policy& policy)
{
  const auto job = fastgpu::make_job(fastgpu::space<1>{subtasks, fastgpu::by_size{1}}, its_index{},
                                     fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  const auto value = fastgpu::aggregate(fastgpu::execute(on, job, {.policy = policy}));
  const auto n = static_cast<std::uint64_t>(subtasks);
  EXPECT_EQ(value.get(), n * (n - 1) / 2);
  return value.summary();
}

/// Seconds of equal shares: the shortest of three.
double by_equal_s(const std::string& devices, std::int64_t subtasks)
{
  cluster plain{devices};
  return support::undisturbed(
             0, [&] { return run(plain, subtasks, equal{}); }, 3)
      .wall_s;
}

/// Seconds of a run, repeated while it takes longer than it may.
double shortest_s(double may_take_s, cluster& on, std::int64_t subtasks, const fastgpu::assignment_policy& policy)
{
  return support::undisturbed(
             may_take_s, [&] { return run(on, subtasks, policy); }, 5)
      .wall_s;
}

constexpr double noise_s = 0.004;  // of threads that are woken, on a busy machine

class HistoryOfRuns : public testing::Test {
 protected:
  [[nodiscard]] cluster with_history(const std::string& devices) const
  {
    return cluster{cluster_options{.devices = devices, .history = path_}};
  }
  /// Runs by equal shares, in a cluster of their own, leave their speeds in the file: one may be held up.
  void learn(const std::string& devices, std::int64_t subtasks) const
  {
    auto c = with_history(devices);
    for (int i = 0; i < 3; ++i) run(c, subtasks, equal{});
  }
  /// Writes the speeds of each device, last measured at a date.
  void lie(const std::string& devices, std::int64_t subtasks, const std::vector<std::vector<double>>& speeds,
           std::chrono::hours ago = {}) const
  {
    std::remove(path_.c_str());
    const auto infos = cluster{devices}.devices();
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    const auto now_s = std::chrono::duration_cast<std::chrono::seconds>(since_1970).count();
    const auto date_s = now_s - std::chrono::duration_cast<std::chrono::seconds>(ago).count();
    const auto shape = fastgpu::decompose(fastgpu::space<1>{subtasks, fastgpu::by_size{1}}).shape();
    std::vector<history_entry> entries;
    for (std::size_t d = 0; d < speeds.size(); ++d) {
      entries.push_back({kernel_name, fastgpu::detail::history_name(infos.at(d)), fastgpu::detail::size_class_of(shape),
                         date_s, speeds[d], speeds[d].size()});
    }
    ASSERT_EQ(fastgpu::detail::write_history(path_, entries, fastgpu::detail::this_machine(), now_s), "");
  }

  support::folder folder_;
  std::string path_ = folder_.path("history.json");
};

/// A speed and how often it was measured.
std::vector<double> often(std::size_t times, double speed) { return std::vector<double>(times, speed); }

TEST_F(HistoryOfRuns, OutlivesItsCluster)
{
  learn("paced:2000,paced:1000", 60);
  auto c = with_history("paced:2000,paced:1000");
  const auto job = fastgpu::make_job(fastgpu::space<1>{60, fastgpu::by_size{1}}, its_index{},
                                     fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  const auto devices = fastgpu::devices_for(c, job);
  EXPECT_NEAR(devices.at(0).speed, 2000, 900);  // half a millisecond each, on a machine that does other things too
  EXPECT_NEAR(devices.at(1).speed, 1000, 400);
  EXPECT_EQ(run(c, 60, by_speed{}).measured_share, 1);
  EXPECT_EQ(run(c, 60, minimum_completion_time{}).measured_share, 1);
  EXPECT_EQ(run(c, 60, equal{}).measured_share, 0);
  EXPECT_EQ(run(c, 600, by_speed{}).measured_share, 0);  // of another size
}

TEST_F(HistoryOfRuns, IsNoneAtFirst)
{
  auto c = with_history("paced:2000,paced:1000");
  EXPECT_EQ(run(c, 60, by_speed{}).measured_share, 0);
  EXPECT_EQ(run(c, 60, by_speed{}).measured_share, 1);  // of this cluster's first run
}

TEST_F(HistoryOfRuns, HasNoKernelsWithoutAName)
{
  {
    auto c = with_history("paced:2000");
    (void)fastgpu::reduce(
        c, 60, [](std::uint64_t i) { return i; }, fastgpu::sum<std::uint64_t>{});
  }
  EXPECT_EQ(folder_.files(), 0);
}

TEST_F(HistoryOfRuns, IsWrittenOnlyWhereThereIsSomethingNew)
{
  learn("paced:2000", 60);
  ASSERT_EQ(folder_.files(), 1);
  std::remove(path_.c_str());
  (void)with_history("paced:2000");
  EXPECT_EQ(folder_.files(), 0);
}

TEST_F(HistoryOfRuns, IsRefusedInOneLineAndReplaced)
{
  std::ofstream{path_} << R"({"format":"fastgpu-history/1","entries":nonsense)";
  const support::log_lines lines;
  learn("paced:2000", 60);
  ASSERT_EQ(lines.all().size(), 1);
  EXPECT_TRUE(lines.all()[0].starts_with("history '" + path_ + "' is not used: it is damaged: ")) << lines.all()[0];
  learn("paced:2000", 60);
  EXPECT_EQ(lines.all().size(), 1);
}

TEST_F(HistoryOfRuns, LeavesFilesOfOthersAlone)
{
  std::ofstream{path_} << "my notes";
  const support::log_lines lines;
  learn("paced:2000", 60);
  ASSERT_EQ(lines.all().size(), 2);
  EXPECT_EQ(lines.all()[1], "history '" + path_ + "' is not written: it is a file of something else");
  std::string text;
  std::getline(std::ifstream{path_}, text);
  EXPECT_EQ(text, "my notes");
}

TEST_F(HistoryOfRuns, FollowsALink)
{
  const auto target = folder_.path("target.json");
  std::filesystem::create_symlink(target, path_);
  std::ofstream{target} << "";
  learn("paced:2000", 60);
  EXPECT_TRUE(std::filesystem::is_symlink(path_));
  EXPECT_GT(std::filesystem::file_size(target), 20);
}

TEST_F(HistoryOfRuns, ThatCannotBeWrittenIsOneLine)
{
  path_ = folder_.path("nowhere/history.json");
  const support::log_lines lines;
  learn("paced:2000", 60);
  EXPECT_EQ(lines.all(),
            std::vector<std::string>{"history '" + path_ + "' is not written: making it: No such file or directory"});
}

// Times -----------------------------------------------------------------------------------------------------------

// Equal shares are {3, 3}: the slow device has begun its second subtask when the fast one runs out of work, and it takes
// 100 ms. Nobody can steal what is begun.
TEST_F(HistoryOfRuns, MakesFewLongSubtasksFasterThanStealingCan)
{
  const std::string devices{"paced:70,paced:20"};
  learn(devices, 6);
  auto c = with_history(devices);
  const auto by_equal = by_equal_s(devices, 6);
  const auto speed = shortest_s(0.75 * by_equal, c, 6, by_speed{});
  const auto completion = shortest_s(0.75 * by_equal, c, 6, minimum_completion_time{});
  RecordProperty("equal_s", std::to_string(by_equal));
  RecordProperty("by_speed_s", std::to_string(speed));
  RecordProperty("minimum_completion_time_s", std::to_string(completion));
  EXPECT_LT(speed, 0.85 * by_equal);
  EXPECT_LT(completion, 0.85 * by_equal);
}

TEST_F(HistoryOfRuns, IsNeverSlowerThanEqualShares)
{
  struct setting {
    std::string devices;
    std::int64_t subtasks;
  };
  for (const auto& s : {setting{"paced:100,paced:400", 100}, setting{"paced:80,paced:20", 13},
                        setting{"paced:20,paced:70", 6}, setting{"paced:200*2", 20}}) {
    learn(s.devices, s.subtasks);
    auto c = with_history(s.devices);
    const auto may_take_s = 1.02 * by_equal_s(s.devices, s.subtasks) + noise_s;
    for (const fastgpu::assignment_policy& policy :
         {fastgpu::assignment_policy{by_speed{}}, fastgpu::assignment_policy{minimum_completion_time{}}}) {
      SCOPED_TRACE(s.devices + ", " + std::to_string(s.subtasks) + " subtasks, " + policy.name);
      EXPECT_LE(shortest_s(may_take_s, c, s.subtasks, policy), may_take_s);
    }
  }
}

TEST_F(HistoryOfRuns, CostsLittleWhereItIsWrong)
{
  using namespace std::chrono_literals;
  const std::string devices{"paced:100,paced:400"};
  constexpr std::int64_t subtasks = 100;
  const auto by_equal = by_equal_s(devices, subtasks);
  const auto may_take_s = 1.1 * by_equal + noise_s;
  struct wrong {
    const char* how;
    std::vector<std::vector<double>> speeds;
    std::chrono::hours ago;
  };
  auto outliers = often(7, 100 * 500);
  const auto right = often(8, 100);
  outliers.insert(outliers.end(), right.begin(), right.end());
  for (const auto& w : {wrong{"outliers", {outliers, often(15, 400)}, 0h},
                        wrong{"stale", {often(15, 50'000), often(15, 400)}, 24h * 91},
                        wrong{"exchanged", {often(15, 400), often(15, 100)}, 0h},
                        wrong{"500 times too fast", {often(15, 50'000), often(15, 400)}, 0h}}) {
    for (const fastgpu::assignment_policy& policy :
         {fastgpu::assignment_policy{by_speed{}}, fastgpu::assignment_policy{minimum_completion_time{}}}) {
      SCOPED_TRACE(std::string{w.how} + ", " + policy.name);
      const auto first_run = [&] {  // after which more is known
        lie(devices, subtasks, w.speeds, w.ago);
        const support::log_lines lines;
        auto c = with_history(devices);
        EXPECT_EQ(lines.all().size(), w.ago > 0h ? 1 : 0);
        return run(c, subtasks, policy);
      };
      const auto took = support::undisturbed(may_take_s, first_run, 5).wall_s;
      RecordProperty(std::string{w.how} + " " + policy.name, std::to_string(took / by_equal));
      EXPECT_LE(took, may_take_s);
    }
  }
}

TEST_F(HistoryOfRuns, IsNotMovedByOutliers)
{
  const std::string devices{"paced:1000,paced:4000"};
  auto outliers = often(7, 1000 * 500);
  const auto right = often(8, 1000);
  outliers.insert(outliers.end(), right.begin(), right.end());
  lie(devices, 100, {outliers, often(15, 4000)});
  auto c = with_history(devices);
  const auto job = fastgpu::make_job(fastgpu::space<1>{100, fastgpu::by_size{1}}, its_index{},
                                     fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
  const auto table = fastgpu::assign(fastgpu::decompose(job), fastgpu::devices_for(c, job), by_speed{});
  EXPECT_EQ(table.entries.at(0).ranges, (std::vector<fastgpu::interval>{{0, 20}}));
  EXPECT_EQ(table.entries.at(1).ranges, (std::vector<fastgpu::interval>{{20, 100}}));
}

}  // namespace
