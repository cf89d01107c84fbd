#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <boost/json.hpp>

/// @file
/// Programs of the build as child processes, for tests that meet them as users do.

namespace support {

using namespace std::chrono_literals;
using arguments = std::vector<std::string>;
namespace json = boost::json;

inline arguments operator+(arguments left, const arguments& right)
{
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

/// What a process leaves behind.
struct finished {
  int status = 0;  ///< As a shell has it: 128 and the signal's number where one ended it.
  std::string out;
  std::string err;
};

/// A program of the build under way. Killed where it is neither waited for nor ends in a minute.
class process {
 public:
  process(const std::string& program, const arguments& options) : name_{program}
  {
    std::string path = std::string{FASTGPU_TEST_PROGRAMS} + "/" + program;
    for (const auto& option : options) name_ += " " + option;
    auto words = arguments{path} + options;
    std::vector<char*> pointers;
    for (auto& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);

    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files, ::fileno(out_.get()), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, ::fileno(err_.get()), STDERR_FILENO);
    const int problem = ::posix_spawn(&id_, path.c_str(), &files, nullptr, pointers.data(), environ);
    ::posix_spawn_file_actions_destroy(&files);
    if (problem != 0) throw std::runtime_error{path + ": " + std::strerror(problem)};
  }
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  ~process()
  {
    if (id_ == 0) return;
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }

  [[nodiscard]] const std::string& name() const { return name_; }

  [[nodiscard]] ::pid_t id() const { return id_; }

  void send(int signal) const
  {
    if (id_ != 0) ::kill(id_, signal);
  }

  /// Leaves what it left behind to wait().
  [[nodiscard]] bool running() const
  {
    if (id_ == 0) return false;
    ::siginfo_t end{};
    return ::waitid(P_PID, static_cast<::id_t>(id_), &end, WEXITED | WNOHANG | WNOWAIT) == 0 && end.si_pid == 0;
  }

  /// What it has written by now.
  [[nodiscard]] std::string out_so_far() const { return peek(out_.get()); }
  [[nodiscard]] std::string err_so_far() const { return peek(err_.get()); }

  finished wait()
  {
    int status = 0;
    const auto give_up = std::chrono::steady_clock::now() + 60s;
    while (::waitpid(id_, &status, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error{name_ + ": still running after 60 s"};
      std::this_thread::sleep_for(500us);
    }
    id_ = 0;
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read(out_.get()), read(err_.get())};
  }

 private:
  struct close_file {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using file = std::unique_ptr<std::FILE, close_file>;

  /// The place in the file is left alone: the child writes there.
  static std::string peek(std::FILE* from)
  {
    std::string text;
    std::array<char, 4096> part{};
    for (;;) {
      const auto count = ::pread(::fileno(from), part.data(), part.size(), static_cast<::off_t>(text.size()));
      if (count <= 0) return text;
      text.append(part.data(), static_cast<std::size_t>(count));
    }
  }

  static std::string read(std::FILE* from)
  {
    std::string text;
    std::rewind(from);
    std::array<char, 4096> part{};
    while (const auto count = std::fread(part.data(), 1, part.size(), from)) text.append(part.data(), count);
    return text;
  }

  std::string name_;
  file out_{std::tmpfile()};
  file err_{std::tmpfile()};
  ::pid_t id_ = 0;
};

inline finished run(const std::string& program, const arguments& options) { return process{program, options}.wait(); }

/// The object that a run prints for `--json -`. Throws where standard output holds anything else.
inline json::object report_of(const finished& run) { return json::parse(run.out).as_object(); }

inline bool is_one_line(const std::string& text)
{
  return text.size() > 1 && std::count(text.begin(), text.end(), '\n') == 1 && text.back() == '\n';
}

}  // namespace support
