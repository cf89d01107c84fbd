#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include <pthread.h>

#include <fastgpu/cluster/node.hpp>
#include <fastgpu/cluster/worker.hpp>

#include "processes/oracle.hpp"

/// @file
/// A node that knows the oracle's kernel: test_node LISTEN CREDENTIALS|- DEVICES SLOWNESS DEAD_AFTER_S none|process

namespace {

/// A call site, which is what makes a node know a job's kernel with its arguments.
[[maybe_unused]] auto know(const std::vector<std::uint64_t>& in, std::vector<std::uint64_t>& out)
{
  return oracle::scramble_job(in, out);
}

}  // namespace

int main(int argc, char** argv)
{
  if (const auto status = fastgpu::run_as_worker(argc, argv)) return *status;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is killed leaves nothing behind
  if (argc != 7) return 2;
  ::sigset_t drains;
  sigemptyset(&drains);
  sigaddset(&drains, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &drains, nullptr);
  try {
    fastgpu::node_options options;
    options.listen = argv[1];
    if (std::string{argv[2]} != "-") options.as = fastgpu::credentials::load(argv[2]);
    options.devices.devices = argv[3];
    oracle::slowness = std::atof(argv[4]);
    options.coordinator_dead_after = fastgpu::seconds{std::atof(argv[5])};
    if (std::string{argv[6]} == "process") options.isolate = fastgpu::isolation::process;
    fastgpu::node node{options};
    std::printf("%s\n", node.address().c_str());
    std::fflush(stdout);
    int signal = 0;
    sigwait(&drains, &signal);
    node.drain();
    node.run();
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
