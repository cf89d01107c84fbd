#include "node/worker_process.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fastgpu/error.hpp>

extern char** environ;

namespace fastgpu::inline v0::detail {
namespace {

constexpr int child_socket = 3;  // where a worker finds what it inherits
constexpr int child_board = 4;

[[noreturn]] void refuse(const std::string& what, int number)
{
  throw error{errc::no_usable_device, "worker: " + what + ": " + std::strerror(number)};
}

/// Attributes and file actions of posix_spawn(), freed at the end.
struct spawn_setup {
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
  spawn_setup()
  {
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&actions);
  }
  spawn_setup(const spawn_setup&) = delete;
  spawn_setup& operator=(const spawn_setup&) = delete;
  ~spawn_setup()
  {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
};

}  // namespace

// The process -----------------------------------------------------------------------------------------------------

worker_process::worker_process(const worker_options& options) : name_{options.name}
{
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) refuse("socket pair", errno);
  socket_ = ends[0];

  // Spawned, never forked: after the first use of CUDA a forked child could not use it.
  spawn_setup setup;
  // dup2() first to high numbers: what is inherited might lie at 3 and 4 itself.
  constexpr int high = 200;
  posix_spawn_file_actions_adddup2(&setup.actions, ends[1], high);
  posix_spawn_file_actions_adddup2(&setup.actions, board_.descriptor(), high + 1);
  posix_spawn_file_actions_adddup2(&setup.actions, high, child_socket);
  posix_spawn_file_actions_adddup2(&setup.actions, high + 1, child_board);
  posix_spawn_file_actions_addclosefrom_np(&setup.actions, child_board + 1);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&setup.attributes, &none);  // the parent's threads may have blocked some
  posix_spawnattr_setpgroup(&setup.attributes, 0);       // Ctrl-C is the parent's to deal with
  posix_spawnattr_setflags(&setup.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);

  const std::string program = options.program.empty() ? "/proc/self/exe" : options.program;
  std::array<std::string, 5> words{program, "--fastgpu-worker", options.devices, options.name,
                                   std::to_string(::getpid())};
  std::array<char*, words.size() + 1> arguments{};
  for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
  // By this a child knows itself that did not call run_as_worker(), and would start children of its own for ever.
  std::string mark{worker_mark};
  mark += "=1";
  std::vector<char*> variables;
  for (char** v = environ; *v != nullptr; ++v) variables.push_back(*v);
  variables.push_back(mark.data());
  variables.push_back(nullptr);
  const auto problem =
      ::posix_spawn(&id_, program.c_str(), &setup.actions, &setup.attributes, arguments.data(), variables.data());
  ::close(ends[1]);
  if (problem != 0) {
    ::close(std::exchange(socket_, -1));
    refuse(program, problem);
  }
}

worker_process::~worker_process()
{
  if (socket_ >= 0) ::close(socket_);
  if (id_ > 0) {
    ::kill(-id_, SIGKILL);
    ::kill(id_, SIGKILL);  // it may not have made its group yet
    ::waitpid(id_, nullptr, 0);
  }
}

byte_stream worker_process::stream(network& on)
{
  const auto all = role::node | role::submit | role::observe | role::operate;
  return adopt_socket(on.io(), std::exchange(socket_, -1), {name_, all});
}

std::string worker_process::bury()
{
  if (id_ <= 0) return "it is gone";
  int status = 0;
  constexpr int patience_ms = 200;
  pid_t ended = 0;
  for (int i = 0; i < patience_ms && ended == 0; ++i) {
    ended = ::waitpid(id_, &status, WNOHANG);
    if (ended == 0) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  if (ended == 0) return "it does not answer";  // and is killed by the destructor
  id_ = -1;
  if (WIFSIGNALED(status)) {
    return "killed by signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
  }
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace fastgpu::inline v0::detail
