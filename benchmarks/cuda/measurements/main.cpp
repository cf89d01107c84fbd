#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cuda/measurements/measurement.hpp"
#include "cuda/measurements/nccl.hpp"
#include "support/gpu.hpp"

/// @file
/// The program around the items: options, the table, JSON.

namespace measured {
namespace {

std::map<int, item>& numbered_items()
{
  static std::map<int, item> all;
  return all;
}

struct found {
  std::string name;
  std::string status;  // "passed", "failed", "skipped"
  std::string why;
  double seconds = 0;
  figures what;
};

std::string quoted(std::string_view text)
{
  std::string out{'"'};
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + '"';
}

std::string number(double value)
{
  if (!std::isfinite(value)) return "null";
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string json_of(const found& f)
{
  auto text = "{\"name\": " + quoted(f.name) + ", \"status\": " + quoted(f.status) + ", \"detail\": " + quoted(f.why) +
              ", \"seconds\": " + number(f.seconds) + ", \"figures\": {";
  const char* comma = "";
  for (const auto& [key, value] : f.what.numbers)
    text += std::exchange(comma, ", ") + quoted(key) + ": " + number(value);
  for (const auto& [key, value] : f.what.texts) text += std::exchange(comma, ", ") + quoted(key) + ": " + quoted(value);
  return text + "}}";
}

bool write_json(const std::string& path, const std::vector<found>& all)
{
  const auto& gpu = bench::gpu_here();
  std::ofstream file{path};
  file << "{\"schema\": 1, \"gpu\": " << (gpu.there() ? quoted(gpu.name) : "null") << ", \"items\": [";
  const char* comma = "\n  ";
  for (const auto& f : all) file << std::exchange(comma, ",\n  ") << json_of(f);
  file << "\n]}\n";
  return static_cast<bool>(file.flush());
}

found measure(const item& what)
{
  found f{what.name, "passed", "", 0, {}};
  if (!bench::gpu_here().there()) {
    f.status = "skipped";
    f.why = "no GPU";
    return f;
  }
  const auto begin = now_us();
  try {
    what.run(f.what);
  } catch (const skipped& e) {
    f.status = "skipped";
    f.why = e.what();
  } catch (const std::exception& e) {
    f.status = "failed";
    f.why = e.what();
  }
  f.seconds = (now_us() - begin) * 1e-6;
  return f;
}

void print(const found& f)
{
  std::printf("%-16s %s%s%s\n", f.name.c_str(), f.status.c_str(), f.why.empty() ? "" : ": ", f.why.c_str());
  for (const auto& [key, value] : f.what.numbers) std::printf("    %-44s %12s\n", key.c_str(), number(value).c_str());
  for (const auto& [key, value] : f.what.texts) std::printf("    %-44s %s\n", key.c_str(), value.c_str());
  std::fflush(stdout);
}

/// A line a fact, for scripts.
void describe()
{
  const auto& gpu = bench::gpu_here();
  if (!gpu.there()) {
    std::printf("none %s\n", gpu.why_none.c_str());
    return;
  }
  std::printf("gpu %s\ncompute_capability %d\nmultiprocessors %d\nmemory_bytes %llu\ncuda_driver %s\ncuda_runtime %s\n",
              gpu.name.c_str(), gpu.compute_capability, gpu.multiprocessors,
              static_cast<unsigned long long>(gpu.memory_bytes), bench::cuda_version(gpu.driver).c_str(),
              bench::cuda_version(gpu.runtime).c_str());
}

}  // namespace

std::vector<item>& all_items()
{
  static std::vector<item> in_order = [] {
    std::vector<item> items;
    for (const auto& [position, what] : numbered_items()) items.push_back(what);
    return items;
  }();
  return in_order;
}

registration::registration(int number, item what) { numbered_items().emplace(number, std::move(what)); }

}  // namespace measured

int main(int argc, char** argv)
{
  using namespace measured;
  if (argc > 1 && argv[1] == std::string_view{nccl_rank_option}) return run_nccl_rank(argc, argv);
  std::string json;
  std::vector<item> wanted;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--describe") {
      describe();
      return 0;
    }
    if (option == "--list" || option == "--help") {
      if (option == "--help") std::puts("fastgpu_gpu_measurements [--describe] [--list] [--json=FILE] [ITEM...]\n");
      for (const auto& one : all_items()) std::printf("%-16s %s\n", one.name.c_str(), one.about.c_str());
      return 0;
    }
    if (option.rfind("--json=", 0) == 0 && option.size() > 7) {
      json = option.substr(7);
      continue;
    }
    const auto before = wanted.size();
    for (const auto& one : all_items()) {
      if (one.name == option) wanted.push_back(one);
    }
    if (wanted.size() == before) {
      std::fprintf(stderr, "fastgpu_gpu_measurements: %s: expected an item of --list, or an option of --help\n",
                   option.c_str());
      return 2;
    }
  }
  if (wanted.empty()) wanted = all_items();

  if (!bench::gpu_here().there()) {
    std::fprintf(stderr, "no GPU, so nothing is measured: %s\n", bench::gpu_here().why_none.c_str());
  }
  bool failed = false;
  std::vector<found> all;
  for (const auto& one : wanted) {
    all.push_back(measure(one));
    print(all.back());
    failed = failed || all.back().status == "failed";
    // After each: a fault of the GPU may end the process.
    if (!json.empty() && !write_json(json, all)) {
      std::fprintf(stderr, "fastgpu_gpu_measurements: %s: cannot be written\n", json.c_str());
      return 1;
    }
  }
  return failed ? 1 : 0;
}
