#include "node/worker_process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fastgpu/error.hpp>

#include "net/socket.hpp"

extern char** environ;

namespace fastgpu::inline v0::detail {
namespace {

constexpr const char* worker_word = "--fastgpu-worker";
constexpr double look_every_s = 0.1;

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
  /// The child has these two and no others, but for its standard streams.
  void inherit(int socket, int board)
  {
    // First above all of them: one might lie where another is to be.
    const int above = std::max({socket, board, worker_board}) + 1;
    need(posix_spawn_file_actions_adddup2(&actions, socket, above));
    need(posix_spawn_file_actions_adddup2(&actions, board, above + 1));
    need(posix_spawn_file_actions_adddup2(&actions, above, worker_socket));
    need(posix_spawn_file_actions_adddup2(&actions, above + 1, worker_board));
    need(posix_spawn_file_actions_addclosefrom_np(&actions, worker_board + 1));
  }
  static void need(int problem)
  {
    if (problem != 0) refuse("what it inherits", problem);
  }
  spawn_setup(const spawn_setup&) = delete;
  spawn_setup& operator=(const spawn_setup&) = delete;
  ~spawn_setup()
  {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
};

/// As waitpid(), but 0 where the child has not ended within `patience_ms`.
pid_t end_within(pid_t id, int patience_ms, int* status = nullptr) noexcept
{
  auto ended = ::waitpid(id, status, WNOHANG);
  for (int i = 0; i < patience_ms && ended == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
    ended = ::waitpid(id, status, WNOHANG);
  }
  return ended;
}

/// A child that was killed ends when the kernel lets it, which a driver may keep it from for long: a thread of its own
/// waits for that.
void bury_elsewhere(pid_t id) noexcept
{
  try {
    std::thread{[id] {
      while (::waitpid(id, nullptr, 0) < 0 && errno == EINTR) {
      }
    }}.detach();
  } catch (const std::exception&) {  // then it is a zombie for as long as this process lives
  }
}

}  // namespace

// How it is started -----------------------------------------------------------------------------------------------

worker_options worker_of(const cluster_options& of, const std::string& program, const std::string& devices,
                         const std::string& name)
{
  if (of.gpu.memory_pool != nullptr || of.memory != nullptr || of.thread_start != nullptr) {
    throw error{errc::invalid_argument,
                "isolation::process: a memory source or pool and thread_start cannot be handed to another process"};
  }
  return {program, devices, name, of.labels, of.history, of.gpu};
}

session_limits worker_limits()
{
  constexpr seconds long_silence{60.0};
  auto limits = limits_for(long_silence);
  limits.progress_within = long_silence;
  limits.write_within = long_silence;
  return limits;
}

std::vector<std::string> command_of(const worker_options& options)
{
  std::vector<std::string> words{options.program.empty() ? "/proc/self/exe" : options.program,
                                 worker_word,
                                 std::to_string(::getpid()),
                                 options.name,
                                 options.devices,
                                 std::to_string(options.gpu.lanes),
                                 std::to_string(options.gpu.memory_bytes_max),
                                 std::to_string(options.gpu.resident_bytes_min),
                                 std::to_string(options.content_bytes_max),
                                 std::to_string(options.job_bytes_max),
                                 options.history};
  words.insert(words.end(), options.labels.begin(), options.labels.end());
  return words;
}

std::optional<worker_command> parse_worker_command(int argc, const char* const* argv)
{
  constexpr int fixed_words = 11;
  if (argc < fixed_words || std::string_view{argv[1]} != worker_word) return std::nullopt;
  worker_command c;
  const auto number = [&](int word, auto& to) {
    const std::string_view text{argv[word]};
    return std::from_chars(text.data(), text.data() + text.size(), to).ec == std::errc{};
  };
  c.options.name = argv[3];
  c.options.devices = argv[4];
  if (!number(2, c.parent) || !number(5, c.options.gpu.lanes) || !number(6, c.options.gpu.memory_bytes_max) ||
      !number(7, c.options.gpu.resident_bytes_min) || !number(8, c.options.content_bytes_max) ||
      !number(9, c.options.job_bytes_max)) {
    return std::nullopt;
  }
  c.options.history = argv[10];
  c.options.labels.assign(argv + fixed_words, argv + argc);
  return c;
}

// The process -----------------------------------------------------------------------------------------------------

worker_process::worker_process(network& on, const worker_options& options)
    : on_{on}, name_{options.name}, look_{on, [this] { look_for_overdue(); }}
{
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) refuse("socket pair", errno);
  owned_descriptor mine{ends[0]};
  owned_descriptor its{ends[1]};

  // Spawned, never forked: after the first use of CUDA a forked child could not use it.
  spawn_setup setup;
  setup.inherit(its.get(), board_.descriptor());
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&setup.attributes, &none);  // the parent's threads may have blocked some
  posix_spawnattr_setpgroup(&setup.attributes, 0);       // Ctrl-C is the parent's to deal with
  posix_spawnattr_setflags(&setup.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);

  auto words = command_of(options);
  const auto& program = words.front();
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  // By this a child knows itself that did not call run_as_worker(), and would start children of its own for ever.
  std::string mark{worker_mark};
  mark += "=1";
  std::vector<char*> variables;
  for (char** v = environ; *v != nullptr; ++v) variables.push_back(*v);
  variables.push_back(mark.data());
  variables.push_back(nullptr);
  const auto problem =
      ::posix_spawn(&id_, program.c_str(), &setup.actions, &setup.attributes, arguments.data(), variables.data());
  if (problem != 0) refuse(program, problem);
  socket_ = mine.release();
  look_.set(seconds{on_.now().count + look_every_s});
}

worker_process::~worker_process()
{
  if (socket_ >= 0) ::close(socket_);
  if (id_ > 0) {
    ::kill(-id_, SIGKILL);
    ::kill(id_, SIGKILL);  // it may not have made its group yet
    if (end_within(id_, 20) == 0) bury_elsewhere(id_);
  }
}

void worker_process::look_for_overdue()
{
  overdue_ = board_.overdue();
  if (overdue_.empty()) return look_.set(seconds{on_.now().count + look_every_s});
  ::kill(-id_, SIGKILL);  // whoever has its stream sees that end
}

byte_stream worker_process::stream()
{
  const auto all = role::node | role::submit | role::observe | role::operate;
  return adopt_socket(on_.io(), std::exchange(socket_, -1), {name_, all});
}

std::string worker_process::bury()
{
  if (id_ <= 0) return "it is gone";
  int status = 0;
  if (end_within(id_, 200, &status) == 0) return "it does not answer";  // and is killed by the destructor
  id_ = -1;
  if (!overdue_.empty()) {
    return "killed, because subtasks " + std::to_string(overdue_.begin) + " to " + std::to_string(overdue_.end - 1) +
           " took longer than they may";
  }
  if (WIFSIGNALED(status)) {
    return "killed by signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
  }
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace fastgpu::inline v0::detail
