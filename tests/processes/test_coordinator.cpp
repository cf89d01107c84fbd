#include <sys/prctl.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>

#include "processes/oracle.hpp"

/// @file
/// Runs the oracle's job: test_coordinator CREDENTIALS|- DEVICES SUBTASKS MICROSECONDS NODE...
/// Prints "under way" once nodes have computed something, and "right" or "wrong" at the end.

int main(int argc, char** argv)
{
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (argc < 6) return 2;
  try {
    fastgpu::cluster cluster{argv[2]};
    for (int i = 5; i < argc; ++i) {
      if (std::string{argv[1]} == "-") {
        cluster.add_node(argv[i]);
      } else {
        cluster.add_node(argv[i], fastgpu::credentials::load(argv[1]));
      }
    }
    const auto n = static_cast<std::uint64_t>(std::atoll(argv[3]));
    auto run = fastgpu::execute(cluster, oracle::job(n, static_cast<std::uint32_t>(std::atoi(argv[4]))));
    while (run.progress().done == 0 && !run.finished()) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    std::printf("under way\n");
    std::fflush(stdout);
    const bool right = fastgpu::aggregate(run).get() == oracle::expected(n);
    std::printf("%s\n", right ? "right" : "wrong");
    return right ? 0 : 1;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
