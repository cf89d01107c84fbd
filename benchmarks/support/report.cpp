#include "report.hpp"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <thread>
#include <utility>

#include <fastgpu/version.hpp>

/// @file
/// The program's main(): options, the table, the exit status.

namespace bench {
namespace {

/// What report() left for the table.
struct row {
  std::vector<figure> figures;
  std::string note;
};
row& row_to_print()
{
  static row next;
  return next;
}

std::string format(double value, const std::string& unit)
{
  char text[48];
  if (std::abs(value) < 0.0005) value = 0;  // and not -0.000
  const char* style = value >= 1000 ? "%.0f%s%s" : value >= 100 ? "%.1f%s%s" : value >= 10 ? "%.2f%s%s" : "%.3f%s%s";
  std::snprintf(text, sizeof text, style, value, unit.empty() ? "" : " ", unit.c_str());
  return text;
}

std::string format_seconds(double seconds)
{
  if (seconds >= 1) return format(seconds, "s");
  if (seconds >= 1e-3) return format(seconds * 1e3, "ms");
  if (seconds >= 1e-6) return format(seconds * 1e6, "us");
  return format(seconds * 1e9, "ns");
}

using facts = std::vector<std::pair<std::string, std::string>>;
std::vector<std::function<facts()>>& describers()
{
  static std::vector<std::function<facts()>> all;
  return all;
}

constexpr std::string_view failed_prefix = "failed: ";

std::string cpu_model()
{
  std::ifstream file{"/proc/cpuinfo"};
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

/// Two lines a benchmark: its figures against their bounds, and what they are made of.
class table_reporter final : public benchmark::BenchmarkReporter {
 public:
  explicit table_reporter(facts machine) : machine_{std::move(machine)} {}

  bool ReportContext(const Context&) override
  {
    std::printf("fastgpu %s, g++ %s %s; %s, %u cores\n", fastgpu::version(), __VERSION__, FASTGPU_BENCHMARK_FLAGS,
                cpu_model().c_str(), std::thread::hardware_concurrency());
    for (const auto& [key, value] : machine_) std::printf("%s: %s\n", key.c_str(), value.c_str());
    std::puts("");
    std::printf("%-38s %-30s %12s  %-24s %-14s %s\n", "benchmark", "figure", "median", "95 % interval", "bound", "");
    return true;
  }

  void ReportRuns(const std::vector<Run>& runs) override
  {
    for (const auto& run : runs) {
      const auto name = run.run_name.function_name;
      if (run.error_occurred) {
        const bool broke = run.error_message.rfind(failed_prefix, 0) == 0;
        std::printf("%-38s %s%s\n", name.c_str(), broke ? "" : "skipped: ", run.error_message.c_str());
        if (broke) ++broken;
        continue;
      }
      const auto next = std::exchange(row_to_print(), {});
      bool first = true;
      for (const auto& f : next.figures) {
        const auto interval = format(f.value.low, {}) + " to " + format(f.value.high, {});
        const auto bound =
            f.bound ? (f.kind == bound_kind::at_most ? "<= " : ">= ") + format(*f.bound, f.unit) : std::string{};
        std::printf("%-38s %-30s %12s  %-24s %-14s %s\n", first ? name.c_str() : "", f.what.c_str(),
                    format(f.value.median, f.unit).c_str(), interval.c_str(), bound.c_str(),
                    !f.bound  ? ""
                    : f.met() ? "PASS"
                              : "FAIL");
        if (!f.met()) ++failed;
        first = false;
      }
      if (!next.note.empty()) std::printf("    %s\n", next.note.c_str());
      std::fflush(stdout);
    }
  }

  int failed = 0;  // bounds
  int broken = 0;  // benchmarks

 private:
  facts machine_;
};

void finish(benchmark::State& state, std::vector<figure> figures, double seconds, std::string note)
{
  for (auto _ : state) state.SetIterationTime(seconds);
  for (const auto& f : figures) {
    state.counters[f.key] = f.value.median;
    state.counters[f.key + "_low"] = f.value.low;
    state.counters[f.key + "_high"] = f.value.high;
    if (!f.bound) continue;
    state.counters[f.key + "_bound"] = *f.bound;
    state.counters[f.key + "_met"] = f.met() ? 1 : 0;
  }
  state.SetLabel(note);
  row_to_print() = {std::move(figures), std::move(note)};
}

std::string program_name = "fastgpu_benchmarks";

[[noreturn]] void refuse(std::string_view option, const char* expected)
{
  std::fprintf(stderr, "%s: %.*s: expected %s\n", program_name.c_str(), static_cast<int>(option.size()), option.data(),
               expected);
  std::exit(2);
}

}  // namespace

figure time_over_best_peer(const paired& contest, std::optional<double> bound)
{
  const auto best = contest.best_peer();
  return {.what = "time over " + contest.name(best),
          .key = "time_over_best_peer",
          .value = contest.ratio(0, best),
          .bound = bound};
}

void report(benchmark::State& state, const paired& contest, std::vector<figure> figures)
{
  auto note = std::to_string(contest.clean_rounds()) + " of " + std::to_string(contest.rounds()) + " rounds clean";
  for (std::size_t i = 0; i < contest.size(); ++i) {
    const auto median = contest.median_seconds(i);
    note += (i == 0 ? ": " : ", ") + contest.name(i) + " " + format_seconds(median);
    state.counters["seconds/" + contest.name(i)] = median;
  }
  state.counters["rounds"] = contest.rounds();
  state.counters["rounds_clean"] = contest.clean_rounds();
  finish(state, std::move(figures), contest.median_seconds(0), std::move(note));
}

void report(benchmark::State& state, std::vector<figure> figures, double seconds, std::string note)
{
  finish(state, std::move(figures), seconds, std::move(note));
}

void fail(benchmark::State& state, const std::string& why)
{
  state.SkipWithError((std::string{failed_prefix} + why).c_str());
}

void describe_machine_by(std::function<std::vector<std::pair<std::string, std::string>>()> describe)
{
  describers().push_back(std::move(describe));
}

bool add(const std::string& name, std::function<void(benchmark::State&)> run)
{
  benchmark::RegisterBenchmark(name.c_str(), [run = std::move(run)](benchmark::State& state) { run(state); })
      ->Iterations(1)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
  return true;
}

}  // namespace bench

int main(int argc, char** argv)
{
  bool check = false;
  bench::program_name = std::filesystem::path{argv[0]}.filename().string();
  std::vector<std::string> arguments{argv[0]};
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    const auto value = [&](std::string_view name) -> std::string_view {
      return option.size() > name.size() && option[name.size()] == '=' ? option.substr(name.size() + 1)
                                                                       : std::string_view{};
    };
    if (option == "--check") {
      check = true;
    } else if (option == "--smoke") {
      bench::effort_of_all().smoke = true;
    } else if (option.rfind("--rounds", 0) == 0) {
      const auto text = value("--rounds");
      auto& rounds = bench::effort_of_all().rounds;
      const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), rounds);
      if (problem != std::errc{} || end != text.data() + text.size() || rounds < 1) bench::refuse(option, "--rounds=N");
    } else if (option.rfind("--json", 0) == 0) {
      if (value("--json").empty()) bench::refuse(option, "--json=FILE");
      arguments.push_back("--benchmark_out=" + std::string{value("--json")});
      arguments.push_back("--benchmark_out_format=json");
    } else {
      if (option == "--help") {
        std::printf(
            "%s [--check] [--json=FILE] [--rounds=N] [--smoke] and Google Benchmark's options:\n"
            "  --check        exit status 1 where a bound is not met\n"
            "  --json=FILE    what the table says, machine-readable\n"
            "  --rounds=N     in place of each benchmark's own count\n"
            "  --smoke        tiny sizes: shows only that everything runs\n\n",
            bench::program_name.c_str());
      }
      arguments.emplace_back(option);
    }
  }
  std::vector<char*> pointers;
  for (auto& a : arguments) pointers.push_back(a.data());
  int count = static_cast<int>(pointers.size());
  pointers.push_back(nullptr);
  benchmark::Initialize(&count, pointers.data());
  if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) return 2;
  benchmark::AddCustomContext("cpu_model", bench::cpu_model());
  benchmark::AddCustomContext("compiler", std::string{"g++ "} + __VERSION__ + " " + FASTGPU_BENCHMARK_FLAGS);
  benchmark::AddCustomContext("fastgpu_version", fastgpu::version());

  bench::facts machine;
  for (const auto& describe : bench::describers()) {
    for (auto& fact : describe()) {
      benchmark::AddCustomContext(fact.first, fact.second);
      machine.push_back(std::move(fact));
    }
  }

  bench::table_reporter table{std::move(machine)};
  benchmark::RunSpecifiedBenchmarks(&table);
  benchmark::Shutdown();
  if (table.failed != 0) std::printf("\n%d bounds not met\n", table.failed);
  if (table.broken != 0) std::printf("\n%d benchmarks failed\n", table.broken);
  return table.broken != 0 || (check && table.failed != 0) ? 1 : 0;
}
