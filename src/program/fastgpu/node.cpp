#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include <pthread.h>

#include <fastgpu/cluster/node.hpp>

#include "program/fastgpu/commands.hpp"
#include "program/nodes.hpp"

namespace program {
namespace {

struct choice {
  std::string listen;
  std::string connect;
  std::string credentials;
  std::string devices;
  std::string history;
  std::string name;
  std::string isolate = "process";
};

/// Waits for SIGTERM or Ctrl-C while the node works: the first drains it, the second ends the process.
class drain_on_signal {
 public:
  drain_on_signal()
  {
    sigemptyset(&signals_);
    for (const auto s : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals_, s);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);  // before there are threads, which inherit it
  }
  drain_on_signal(const drain_on_signal&) = delete;
  drain_on_signal& operator=(const drain_on_signal&) = delete;
  ~drain_on_signal()
  {
    if (!waiter_.joinable()) return;
    pthread_kill(waiter_.native_handle(), SIGUSR1);
    waiter_.join();
  }

  void watch(fastgpu::node& node)
  {
    waiter_ = std::thread{[this, &node] {
      bool drains = false;
      for (;;) {
        int which = 0;
        if (sigwait(&signals_, &which) != 0 || which == SIGUSR1) return;
        if (drains) std::_Exit(1);
        drains = true;
        std::fprintf(stderr, "fastgpu node: draining; once more ends it at once\n");
        node.drain();
      }
    }};
  }

 private:
  sigset_t signals_{};
  std::thread waiter_;
};

void serve(const choice& chosen)
{
  if (chosen.listen.empty() && chosen.connect.empty()) throw usage_error{"node: --listen or --connect is required"};
  fastgpu::node_options options;
  options.listen = chosen.listen;
  options.connect = chosen.connect;
  options.name = chosen.name;
  options.devices.devices = chosen.devices;
  options.devices.history = chosen.history;
  if (chosen.isolate == "process") options.isolate = fastgpu::isolation::process;
  if (!chosen.credentials.empty()) {
    options.as = fastgpu::credentials::load(chosen.credentials);
  } else if (!chosen.connect.empty() && needs_credentials(chosen.connect)) {
    throw usage_error{"--connect " + chosen.connect + " needs --credentials DIR"};
  } else if (!chosen.listen.empty() && needs_credentials(chosen.listen)) {
    throw usage_error{"--listen " + chosen.listen + " needs --credentials DIR: without them a node takes local "
                      "connections alone, --listen unix:/PATH"};
  }
  drain_on_signal signals;
  fastgpu::node node{options};
  if (!chosen.listen.empty()) std::printf("node %s listens at %s\n", node.name().c_str(), node.address().c_str());
  if (!chosen.connect.empty()) std::printf("node %s dials %s\n", node.name().c_str(), chosen.connect.c_str());
  std::fflush(stdout);
  signals.watch(node);
  node.run();
}

}  // namespace

void add_node_command(CLI::App& app, int& status)
{
  auto* command = app.add_subcommand("node", "Offer this machine's devices to programs on others");
  const auto chosen = std::make_shared<choice>();
  command->add_option("--listen", chosen->listen, "Where: HOST:PORT (port 0: any that is free) or unix:/PATH");
  command->add_option("--connect", chosen->connect, "Or a coordinator to dial, which takes nodes at --accept-nodes: HOST:PORT or unix:/PATH");
  command->add_option("--credentials", chosen->credentials, "This node's folder of credentials");
  command->add_option("--devices", chosen->devices, "Devices to offer, as in every program; default: all GPUs, else all cores");
  command->add_option("--history", chosen->history, "File of measured speeds, which are told to coordinators: read, and written after runs");
  command->add_option("--name", chosen->name, "What it is called without credentials; default: the machine's name");
  command->add_option("--isolation", chosen->isolate, "Where subtasks run: in a child process for each coordinator, or here")
      ->check(CLI::IsMember({"process", "none"}))
      ->capture_default_str();
  command->callback([chosen, &status] {
    serve(*chosen);
    status = 0;
  });
}

}  // namespace program
