#pragma once

#include <arpa/inet.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

/// @file
/// Which sockets of a process take what comes from outside, as the kernel tells it.

namespace oracle {

/// The process and all below it.
inline std::vector<::pid_t> family_of(::pid_t first)
{
  std::vector<::pid_t> all{first};
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::error_code gone;
    for (const auto& task : std::filesystem::directory_iterator{"/proc/" + std::to_string(all[i]) + "/task", gone}) {
      std::ifstream children{task.path() / "children"};
      for (::pid_t child = 0; children >> child;) all.push_back(child);
    }
  }
  return all;
}

/// Whether it is there and not a zombie, which it stays where nobody waits for it.
inline bool runs(::pid_t process)
{
  std::ifstream status{"/proc/" + std::to_string(process) + "/stat"};
  std::string text;
  std::getline(status, text);
  const auto name_end = text.rfind(')');
  return name_end != std::string::npos && text.size() > name_end + 2 && text[name_end + 2] != 'Z';
}

/// "127.0.0.1:80" of the "0100007F:0050" that /proc/net has, "[::1]:80" alike.
inline std::string endpoint_of(const std::string& hex)
{
  const auto colon = hex.find(':');
  std::array<std::uint32_t, 4> words{};
  for (std::size_t i = 0; 8 * i < colon; ++i) {
    words[i] = static_cast<std::uint32_t>(std::stoul(hex.substr(8 * i, 8), nullptr, 16));
  }
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(colon > 8 ? AF_INET6 : AF_INET, words.data(), text, sizeof text);
  const auto port = std::to_string(std::stoul(hex.substr(colon + 1), nullptr, 16));
  return colon > 8 ? "[" + std::string{text} + "]:" + port : text + std::string{":"} + port;
}

/// Of the family: "tcp 127.0.0.1:80" where it listens, "udp ..." and "raw ..." where it is bound, "unix /path".
inline std::set<std::string> listening(::pid_t first)
{
  std::set<std::string> found;
  for (const auto process : family_of(first)) {
    const auto folder = "/proc/" + std::to_string(process);
    std::set<std::string> inodes;
    std::error_code gone;
    for (const auto& file : std::filesystem::directory_iterator{folder + "/fd", gone}) {
      const auto target = std::filesystem::read_symlink(file.path(), gone).string();
      if (target.starts_with("socket:[")) inodes.insert(target.substr(8, target.size() - 9));
    }
    for (const std::string table : {"tcp", "tcp6", "udp", "udp6", "raw", "raw6"}) {
      std::ifstream lines{folder + "/net/" + table};
      std::string line;
      std::getline(lines, line);  // its head
      while (std::getline(lines, line)) {
        std::istringstream words{line};
        std::array<std::string, 10> w;  // number, local, remote, state, queues, timer, repeats, uid, timeout, inode
        for (auto& word : w) words >> word;
        if (!inodes.contains(w[9]) || (table.starts_with("tcp") && w[3] != "0A")) continue;
        found.insert(table + " " + endpoint_of(w[1]));
      }
    }
    std::ifstream lines{folder + "/net/unix"};
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
      std::istringstream words{line};
      std::array<std::string, 8> w;  // address, references, protocol, flags, type, state, inode, path
      for (auto& word : w) words >> word;
      constexpr unsigned long accepts = 0x10000;
      if (inodes.contains(w[6]) && (std::stoul(w[3], nullptr, 16) & accepts) != 0) found.insert("unix " + w[7]);
    }
  }
  return found;
}

}  // namespace oracle
