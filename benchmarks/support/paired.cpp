#include "paired.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>
#include <utility>

#include <gsl/assert>

namespace bench {
namespace {

constexpr auto pause = std::chrono::milliseconds{15};  // OpenMP's threads look for work for some 5 ms
constexpr double waiting_share_max = 0.03;
constexpr int tries_max = 4;

/// Nanoseconds that the threads of this process were ready to run and had no core. Where the kernel does not count
/// them, 0: then everything is clean.
std::int64_t waited_for_a_core()
{
  std::int64_t sum = 0;
  std::error_code none;
  for (const auto& thread : std::filesystem::directory_iterator{"/proc/self/task", none}) {
    std::ifstream file{thread.path() / "schedstat"};
    std::int64_t running = 0;
    std::int64_t waiting = 0;
    if (file >> running >> waiting) sum += waiting;
  }
  return sum;
}

/// True where no thread of this machine is running but the one that asks.
bool nothing_else_runs()
{
  std::ifstream file{"/proc/stat"};
  for (std::string key; file >> key; file.ignore(std::numeric_limits<std::streamsize>::max(), '\n')) {
    if (key != "procs_running") continue;
    int running = 0;
    return file >> running && running <= 1;
  }
  return false;
}

void let_threads_fall_asleep() { std::this_thread::sleep_for(sized(pause, {})); }

/// @pre  The contestants' threads are asleep; so they are afterwards.
sample measure_once(const std::function<void()>& work)
{
  const bool quiet_before = nothing_else_runs();
  const auto waited = waited_for_a_core();
  const auto begin = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const auto waiting = static_cast<double>(waited_for_a_core() - waited) * 1e-9;
  let_threads_fall_asleep();
  // Threads that waited on a machine of their own waited for each other, and that is the contestant's doing.
  return {took.count(), waiting <= waiting_share_max * took.count() || (quiet_before && nothing_else_runs())};
}

}  // namespace

estimate median_of(std::vector<double> figures)
{
  Expects(!figures.empty());
  std::sort(figures.begin(), figures.end());
  const auto n = figures.size();
  const auto median = n % 2 != 0 ? figures[n / 2] : (figures[n / 2 - 1] + figures[n / 2]) / 2;
  // The median lies outside [k-th, k-th from the end] if fewer than k of n fair coins show heads, or tails.
  std::size_t cut = 0;
  auto exactly = std::pow(0.5, static_cast<double>(n));  // probability of `cut` heads
  for (auto below = exactly; 2 * below <= 0.05 && cut < n / 2; below += exactly) {
    ++cut;
    exactly *= static_cast<double>(n - cut + 1) / static_cast<double>(cut);
  }
  const auto first = cut == 0 ? 0 : cut - 1;
  return {median, figures[first], figures[n - 1 - first]};
}

effort& effort_of_all()
{
  static effort all;
  return all;
}

sample measure(const std::function<void()>& work)
{
  sample best;
  for (int i = 0; i < sized(tries_max, 1); ++i) {
    const auto s = measure_once(work);
    if (s.clean) return s;
    if (i == 0 || s.seconds < best.seconds) best = s;
  }
  return best;
}

void paired::add(std::string name, std::function<void()> work)
{
  add(std::move(name), std::move(work), things_ / times_);
}

void paired::add(std::string name, std::function<void()> work, double things)
{
  auto repetition = times_ == 1 ? std::move(work) : [times = times_, work = std::move(work)] {
    for (int i = 0; i < times; ++i) work();
  };
  contestants_.push_back({std::move(name), std::move(repetition), things * times_, {}});
}

void paired::run_once() const
{
  for (const auto& c : contestants_) c.work();
}

void paired::run(int rounds)
{
  const auto& all = effort_of_all();
  const auto count = all.rounds > 0 ? all.rounds : sized(rounds, 2);
  run_once();
  let_threads_fall_asleep();
  for (int round = 0; round < count; ++round) {
    bool clean = true;
    for (std::size_t i = 0; i < size(); ++i) {
      auto& c = contestants_[(i + static_cast<std::size_t>(round)) % size()];
      const auto s = measure(c.work);
      c.seconds.push_back(s.seconds / c.things);
      clean = clean && s.clean;
    }
    clean_.push_back(clean);
  }
}

std::size_t paired::find(const std::string& name) const
{
  const auto at = std::find_if(contestants_.begin(), contestants_.end(), [&](const auto& c) { return c.name == name; });
  Expects(at != contestants_.end());
  return static_cast<std::size_t>(at - contestants_.begin());
}

int paired::clean_rounds() const noexcept { return static_cast<int>(std::count(clean_.begin(), clean_.end(), true)); }

bool paired::counts(std::size_t round) const { return clean_[round] || 3 * clean_rounds() < rounds(); }

std::vector<double> paired::seconds(std::size_t who) const
{
  std::vector<double> counted;
  for (std::size_t r = 0; r < clean_.size(); ++r) {
    if (counts(r)) counted.push_back(contestants_.at(who).seconds[r]);
  }
  return counted;
}

std::size_t paired::best_peer() const
{
  Expects(size() >= 2);
  std::size_t best = 1;
  for (std::size_t i = 2; i < size(); ++i) {
    if (median_seconds(i) < median_seconds(best)) best = i;
  }
  return best;
}

estimate paired::ratio(std::size_t who, std::size_t other) const
{
  return each_round([&](const std::vector<double>& seconds) { return seconds[who] / seconds[other]; });
}

estimate paired::each_round(const std::function<double(const std::vector<double>&)>& f) const
{
  std::vector<double> figures;
  for (std::size_t r = 0; r < clean_.size(); ++r) {
    if (!counts(r)) continue;
    std::vector<double> of_round;
    for (const auto& c : contestants_) of_round.push_back(c.seconds[r]);
    figures.push_back(f(of_round));
  }
  return median_of(std::move(figures));
}

}  // namespace bench
