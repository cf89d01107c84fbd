#include "simulation/simulation.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>

#include <gtest/gtest.h>

#include "simulation/bugs.hpp"

/// @file
/// Seeds by the thousand. FASTGPU_SIMULATION_SEEDS chooses how many; one that is wrong is looked at by
/// `fastgpu_simulation --first SEED --seeds 1 --trace`.

namespace {

namespace detail = fastgpu::detail;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr std::uint64_t usual_seeds = 400;
constexpr bool instrumented = true;
constexpr std::uint64_t twice_seeds = 20;
#else
constexpr std::uint64_t usual_seeds = 5000;
constexpr bool instrumented = false;
constexpr std::uint64_t twice_seeds = 500;
#endif
constexpr std::uint64_t shards = 4;  // which may run side by side
constexpr std::uint64_t bug_seeds = 2000;

std::uint64_t seeds_wanted()
{
  const auto* wanted = std::getenv("FASTGPU_SIMULATION_SEEDS");
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : usual_seeds;
}

class SimulatedCluster : public testing::TestWithParam<std::uint64_t> {};

TEST_P(SimulatedCluster, EndsRightWhateverBreaks)
{
  const auto seeds = seeds_wanted() / shards;
  const auto first = 1 + GetParam() * seeds;
  std::uint64_t faults = 0;
  std::uint64_t done = 0;
  for (auto seed = first; seed < first + seeds; ++seed) {
    const auto r = simulation::simulate(seed);
    ASSERT_FALSE(r.wrong) << "seed " << seed << ": " << *r.wrong;
    faults += r.all_faults();
    const std::string_view how = r.outcome;
    if (how == "done" || how == "cancelled") ++done;
  }
  EXPECT_GE(faults, 10 * seeds);
  EXPECT_GE(done, seeds * 9 / 10);  // some jobs cannot be: a kernel fails, a subtask kills, nobody is left
}

INSTANTIATE_TEST_SUITE_P(Shards, SimulatedCluster, testing::Range(std::uint64_t{0}, shards));

TEST(Simulation, IsTheSameForTheSameSeed)
{
  for (std::uint64_t seed = 1; seed <= twice_seeds; ++seed) {
    const auto once = simulation::simulate(seed);
    const auto again = simulation::simulate(seed);
    ASSERT_EQ(once.trace_hash, again.trace_hash) << "seed " << seed;
    ASSERT_EQ(once.events, again.events) << "seed " << seed;
  }
}

TEST(Simulation, EndsRightWhereNothingBreaks)
{
  for (std::uint64_t seed = 1; seed <= twice_seeds; ++seed) {
    const auto r = simulation::simulate(seed, {.faults = false});
    ASSERT_FALSE(r.wrong) << "seed " << seed << ": " << *r.wrong;
    ASSERT_STREQ(r.outcome, "done") << "seed " << seed;
  }
}

/// What finds no planted bug proves nothing.
class PlantedBug : public testing::TestWithParam<simulation::named_bug> {
 protected:
  ~PlantedBug() override { detail::planted_bug = detail::bug::none; }
};

TEST_P(PlantedBug, IsFound)
{
  if (instrumented) GTEST_SKIP() << "takes minutes with sanitizers, and shows nothing more";
  detail::planted_bug = GetParam().which;
  for (std::uint64_t seed = 1; seed <= bug_seeds; ++seed) {
    const auto r = simulation::simulate(seed);
    if (!r.wrong) continue;
    RecordProperty("seed", std::to_string(seed));
    RecordProperty("what", *r.wrong);
    return;
  }
  ADD_FAILURE() << "not found in " << bug_seeds << " seeds";
}

INSTANTIATE_TEST_SUITE_P(All, PlantedBug, testing::ValuesIn(simulation::bugs), [](const auto& of) {
  std::string name = of.param.name;
  for (auto& letter : name) letter = letter == '-' ? '_' : letter;
  return name;
});

/// What happens must follow from what is told alone.
TEST(StateMachines, KnowNoClockThreadOrChanceOfTheirOwn)
{
  const std::regex forbidden{"steady_clock|system_clock|random_device|unordered_|std::thread|std::jthread|std::mutex"};
  const std::regex machine{"(coordinator|steering|remote_participant|ledger|grants|node_service)\\.(hpp|cpp)"};
  int looked_at = 0;
  for (const auto* folder : {"execute", "node"}) {
    for (const auto& entry : std::filesystem::directory_iterator{std::filesystem::path{FASTGPU_SOURCES} / folder}) {
      if (!std::regex_match(entry.path().filename().string(), machine)) continue;
      ++looked_at;
      std::ifstream text{entry.path()};
      int number = 0;
      for (std::string line; std::getline(text, line);) {
        ++number;
        EXPECT_FALSE(std::regex_search(line, forbidden)) << entry.path() << ":" << number << ": " << line;
      }
    }
  }
  EXPECT_EQ(looked_at, 11);
}

}  // namespace
