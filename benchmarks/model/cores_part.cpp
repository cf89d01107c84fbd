#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <fastgpu/fastgpu.hpp>
#include <fastgpu/model/calibrate.hpp>
#include <fastgpu/model/measure.hpp>

#include "image/png.hpp"
#include "model/parts.hpp"
#include "program/fastgpu/example_jobs.hpp"

namespace bench {
namespace {

using fastgpu::cluster;
using fastgpu::seconds;
using words = std::vector<std::string>;

/// A picture with something in it, in a folder of its own.
class picture_file {
 public:
  picture_file()
  {
    folder_ = std::filesystem::temp_directory_path() / "fastgpu-t-total-XXXXXX";
    if (::mkdtemp(folder_.data()) == nullptr) throw std::runtime_error{folder_ + " cannot be made"};
    constexpr std::int64_t side = 2500;
    image::picture<std::uint8_t> p{fastgpu::extents<2>{{side, side}}};
    for (std::size_t i = 0; i < p.pixels.size(); ++i) p.pixels[i] = static_cast<std::uint8_t>(i * i / 977 + i / side);
    image::write_png(path(), image::any_picture{std::move(p)});
  }
  picture_file(const picture_file&) = delete;
  picture_file& operator=(const picture_file&) = delete;
  ~picture_file()
  {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  [[nodiscard]] std::string path() const { return folder_ + "/picture.png"; }

 private:
  std::string folder_;
};

struct program_call {
  std::string name;
  words options;
};

std::vector<program_call> calls_of(bool smoke, const std::string& picture)
{
  if (smoke) return {{"nas_ep", {"--class", "S"}}};
  return {{"nas_ep", {"--class", "W"}},
          {"nas_ep", {"--class", "W", "--granule", "1"}},
          {"nas_ep", {"--class", "A"}},
          {"mandelbrot", {"--width", "2048", "--height", "2048"}},
          {"mandelbrot", {"--width", "1024", "--height", "1024", "--iterations", "2000"}},
          {"mandelbrot", {"--width", "2048", "--height", "2048", "--granule", "256x256"}},
          {"uts", {"--tree", "T1"}},
          {"uts", {"--tree", "T3"}},
          {"image_filter", {"--in", picture, "--op", "gaussian:size=9,sigma=2"}},
          {"image_filter", {"--in", picture, "--op", "sobel"}}};
}

std::vector<std::string> devices_of(const std::string& given)
{
  if (!given.empty()) return {given};
  const auto cores = fastgpu::allowed_cores();
  if (cores == 1) return {"host:1"};
  return {"host:1", "host:" + std::to_string(cores), "host:1*" + std::to_string(cores)};
}

/// The devices of this process, all of the same speed, as the sample of the job has it.
fastgpu::cluster_model model_of(const std::string& devices, const fastgpu::run_costs& costs)
{
  fastgpu::cluster_model on{.costs = costs};
  on.nodes.push_back({.name = "here"});
  for (const auto& d : cluster{devices}.devices()) on.nodes[0].devices.push_back({.name = d.name, .workers = d.workers});
  return on;
}

point run_point(const program_call& call, const std::string& devices, const fastgpu::cluster_model& on, int runs)
{
  program::job_probe probe{.how = {.budget = seconds{0.5}}, .runs = runs};
  auto options = call.options;
  options.insert(options.end(), {"--devices", devices});
  std::string what = call.name;
  for (const auto& word : options) {
    if (word.find('/') == std::string::npos) what += " " + word;
  }
  (void)program::probe_job(call.name, options, probe);
  if (probe.summaries.empty()) throw std::runtime_error{what + " does not run"};
  std::vector<fastgpu::prediction> predictions;
  for (const auto& profile : probe.profiles) predictions.push_back(fastgpu::predict(profile, on));
  std::sort(predictions.begin(), predictions.end(), [](const auto& a, const auto& b) { return a.wall.count < b.wall.count; });
  point found{.what = what};
  found.at = {{"subtasks", static_cast<double>(probe.profiles[0].subtasks)}, {"workers", 0}};
  for (const auto& d : on.nodes[0].devices) found.at.back().second += d.workers;
  found.predicted = predictions[predictions.size() / 2];
  found.measured_s = middle_run(probe.summaries).wall_s;
  found.terms = middle_run(probe.summaries).terms;
  return found;
}

}  // namespace

findings sweep_cores(const sweep_options& options)
{
  findings found{.part = "cores"};
  const picture_file picture;
  std::vector<double> errors;
  for (const auto& devices : devices_of(options.devices)) {
    const auto costs = fastgpu::calibrate(cluster{devices}, {.each = seconds{0.05}}).model.costs;
    const auto on = model_of(devices, costs);
    for (const auto& call : calls_of(options.smoke, picture.path())) {
      found.points.push_back(run_point(call, devices, on, options.smoke ? 1 : 5));
      errors.push_back(found.points.back().error());
    }
  }
  const auto e = summarize(errors);
  found.promises = {{"wall-clock model, median error", e.median, 0.15},
                    {"wall-clock model, 90th percentile", e.p90, 0.30}};
  char note[96];
  std::snprintf(note, sizeof note, "bias %+.1f %%, worst %.1f %%; medians of five", 100 * e.bias, 100 * e.worst);
  found.note = note;
  return found;
}

}  // namespace bench
