#include "program/fastgpu/example_jobs.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

// The programs, which are built into this one with their main() renamed.
int block_sort_main(int argc, char** argv);
int image_filter_main(int argc, char** argv);
int mandelbrot_main(int argc, char** argv);
int nas_ep_main(int argc, char** argv);
int uts_main(int argc, char** argv);

namespace program {
namespace {

constexpr std::pair<const char*, int (*)(int, char**)> jobs[] = {{"block_sort", &block_sort_main},
                                                                 {"image_filter", &image_filter_main},
                                                                 {"mandelbrot", &mandelbrot_main},
                                                                 {"nas_ep", &nas_ep_main},
                                                                 {"uts", &uts_main}};

auto find(const std::string& name)
{
  return std::find_if(std::begin(jobs), std::end(jobs), [&](const auto& j) { return j.first == name; });
}

}  // namespace

std::string job_names()
{
  std::string all;
  for (std::size_t i = 0; i < std::size(jobs); ++i) {
    all.append(i == 0 ? "" : i + 1 == std::size(jobs) ? " or " : ", ").append(jobs[i].first);
  }
  return all;
}

bool is_job(const std::string& name) { return find(name) != std::end(jobs); }

int probe_job(const std::string& name, const std::vector<std::string>& words, job_probe& probe)
{
  std::vector<std::string> all{name};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> arguments;
  for (auto& word : all) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  probe_of_this_process() = &probe;
  const auto status = find(name)->second(static_cast<int>(all.size()), arguments.data());
  probe_of_this_process() = nullptr;
  return status;
}

}  // namespace program
