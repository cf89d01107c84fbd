#include "model/node_processes.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <stdexcept>

#include <fastgpu/cluster/credentials.hpp>

namespace bench {
namespace {

std::string program()
{
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "fastgpu").string();
}

std::string name_of(std::uint32_t number)
{
  auto name = std::to_string(number);
  name.insert(0, 1, 'n');
  return name;
}

/// Starts `words`. @param out  Where its standard output goes; -1: where ours goes.
::pid_t spawn(std::vector<std::string> words, int out)
{
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  ::posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  if (out >= 0) ::posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  ::pid_t id = 0;
  const int problem = ::posix_spawn(&id, words[0].c_str(), &files, nullptr, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (problem != 0) throw std::runtime_error{words[0] + " cannot be started"};
  return id;
}

}  // namespace

node_processes::node_processes(std::uint32_t count, const std::string& devices)
{
  folder_ = std::filesystem::temp_directory_path() / "fastgpu-t-total-XXXXXX";
  if (::mkdtemp(folder_.data()) == nullptr) throw std::runtime_error{folder_ + " cannot be made"};
  try {
    std::vector<std::string> words{program(), "credentials", "create", folder_ + "/ca", "--client", "user"};
    for (std::uint32_t n = 1; n <= count; ++n) words.insert(words.end(), {"--node", name_of(n)});
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    int status = 0;
    const auto id = spawn(std::move(words), nowhere);
    ::close(nowhere);
    if (::waitpid(id, &status, 0) != id || status != 0) throw std::runtime_error{"no credentials"};
    for (std::uint32_t n = 1; n <= count; ++n) start(name_of(n), devices);
  } catch (...) {
    end();
    throw;
  }
}

node_processes::~node_processes() { end(); }

void node_processes::start(const std::string& name, const std::string& devices)
{
  int out[2];
  if (::pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error{"no pipe"};
  processes_.push_back(spawn({program(), "node", "--listen", "127.0.0.1:0", "--credentials", folder_ + "/ca/" + name,
                              "--devices", devices, "--isolation", "none"},
                             out[1]));
  ::close(out[1]);
  std::string line;  // "node NAME listens at ADDRESS"
  for (char c = 0; ::read(out[0], &c, 1) == 1 && c != '\n';) line += c;
  ::close(out[0]);
  const auto at = line.rfind(' ');
  if (at == std::string::npos) throw std::runtime_error{"node " + name + " does not come up"};
  addresses_.push_back(line.substr(at + 1));
}

void node_processes::end() noexcept
{
  for (const auto id : processes_) ::kill(id, SIGKILL);
  for (const auto id : processes_) ::waitpid(id, nullptr, 0);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

fastgpu::cluster node_processes::join() const
{
  fastgpu::cluster c{"none"};
  const auto as = fastgpu::credentials::load(folder_ + "/ca/user");
  for (const auto& address : addresses_) c.add_node(address, as);
  return c;
}

}  // namespace bench
