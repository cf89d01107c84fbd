#include "on_gpu.hpp"

#include <cstdio>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace bench {
namespace {

const registration described{[] {
  describe_machine_by([]() -> std::vector<std::pair<std::string, std::string>> {
    const auto& gpu = gpu_here();
    if (!gpu.there()) {
      std::fprintf(stderr, "no GPU, so nothing is measured: %s\n", gpu.why_none.c_str());
      return {{"gpu", "none"}};
    }
    return {{"gpu", gpu.name},
            {"gpu_multiprocessors", std::to_string(gpu.multiprocessors)},
            {"cuda_driver", cuda_version(gpu.driver)},
            {"cuda_runtime", cuda_version(gpu.runtime)}};
  });
}};

}  // namespace

bool add_on_gpu(const std::string& name, std::function<void(benchmark::State&)> run)
{
  return add(name, [run = std::move(run)](benchmark::State& state) {
    if (!gpu_here().there()) return state.SkipWithError("no GPU");
    try {
      run(state);
    } catch (const std::exception& e) {
      fail(state, e.what());
    }
  });
}

}  // namespace bench
