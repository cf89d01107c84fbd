#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/rank_channel.hpp"

/// @file
/// Ranks of a group as processes, several of which may use one GPU.

namespace support {

/// The program nccl_rank. Killed where it still runs at the end.
class rank_process {
 public:
  static constexpr int socket_in_child = 3;

  /// @param options      Of the program, see there.
  /// @param environment  NAME=VALUE, beside what several ranks on one GPU need.
  rank_process(std::uint32_t number, std::vector<std::string> options, std::vector<std::string> environment = {})
      : rank_process{number, std::move(options), std::move(environment), make_sockets()}
  {
  }
  rank_process(const rank_process&) = delete;
  rank_process& operator=(const rank_process&) = delete;
  ~rank_process()
  {
    if (id_ == 0) return;
    kill();
  }

  /// At once, whatever it is doing.
  void kill()
  {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
    id_ = 0;
  }

  rank_channel channel;

 private:
  struct sockets {
    int here = -1;
    int there = -1;
  };
  static sockets make_sockets()
  {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) throw std::runtime_error{"socketpair"};
    return {pair[0], pair[1]};
  }

  rank_process(std::uint32_t number, std::vector<std::string> options, std::vector<std::string> environment,
               sockets ends)
      : channel{ends.here}
  {
    std::string path = std::string{FASTGPU_TEST_PROGRAMS} + "/nccl_rank";
    options.insert(options.begin(), {path, std::to_string(number)});

    // Set before the process starts: NCCL reads some of it once, and from several threads. Ranks on one GPU are taken
    // for nodes apart, which talk by sockets; nothing that is shared by a machine may be tried.
    for (const char* setting :
         {"NCCL_SOCKET_IFNAME=lo", "NCCL_SOCKET_FAMILY=AF_INET", "NCCL_NET=Socket", "NCCL_IB_DISABLE=1",
          "NCCL_P2P_DISABLE=1", "NCCL_SHM_DISABLE=1", "NCCL_MNNVL_ENABLE=0", "NCCL_NVLS_ENABLE=0", "NCCL_RAS_ENABLE=0",
          "NCCL_MAX_CTAS=2", "NCCL_ALGO=Ring", "NCCL_PROTO=Simple", "NCCL_DEBUG=WARN"}) {
      environment.emplace_back(setting);
    }
    environment.push_back("NCCL_HOSTID=fg-test-" + std::to_string(number));
    for (char** e = environ; *e != nullptr; ++e) {
      const std::string_view inherited{*e};
      const auto name = inherited.substr(0, inherited.find('=') + 1);
      bool given = name.starts_with("NCCL_");  // not a user's
      for (const auto& ours : environment) given = given || std::string_view{ours}.starts_with(name);
      if (!given) environment.emplace_back(inherited);
    }

    const auto pointers = [](std::vector<std::string>& words) {
      std::vector<char*> all;
      for (auto& word : words) all.push_back(word.data());
      all.push_back(nullptr);
      return all;
    };
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files, ends.there, socket_in_child);
    const int problem =
        ::posix_spawn(&id_, path.c_str(), &files, nullptr, pointers(options).data(), pointers(environment).data());
    ::posix_spawn_file_actions_destroy(&files);
    ::close(ends.there);
    if (problem != 0) throw std::runtime_error{path + ": " + std::strerror(problem)};
  }

  ::pid_t id_ = 0;
};

}  // namespace support
