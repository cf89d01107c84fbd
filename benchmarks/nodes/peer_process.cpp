#include "nodes/peer_process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "net/authority.hpp"

namespace bench {
namespace {

double seconds_of(::clockid_t clock)
{
  ::timespec t{};
  if (::clock_gettime(clock, &t) != 0) return 0;
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

}  // namespace

credentials_folder::credentials_folder()
{
  path_ = std::filesystem::temp_directory_path() / "fastgpu-benchmark-XXXXXX";
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error{path_ + " cannot be made"};
  fastgpu::detail::create_credentials(path(), {.nodes = {"n1", "n2", "n3", "n4"}, .clients = {"user"}});
}

credentials_folder::~credentials_folder()
{
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

server_process::server_process(const std::string& kind, const credentials_folder& as, const std::string& node)
{
  const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "fastgpu_benchmark_peer";
  std::vector<std::string> words{program.string(), "serve", kind, as.path() + "/" + node};
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);

  int in[2];   // to it
  int out[2];  // from it
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error{"no pipe"};
  ::posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, in[0], STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
  const int problem = ::posix_spawn(&id_, words[0].c_str(), &files, nullptr, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  ::close(in[0]);
  ::close(out[1]);
  input_ = in[1];
  for (char c = 0; problem == 0 && ::read(out[0], &c, 1) == 1 && c != '\n';) address_ += c;
  ::close(out[0]);
  if (problem == 0 && !address_.empty()) return;
  ::close(input_);
  if (problem == 0) ::waitpid(id_, nullptr, 0);
  throw std::runtime_error{words[0] + " serve " + kind + " does not come up"};
}

server_process::~server_process()
{
  ::close(input_);
  ::waitpid(id_, nullptr, 0);
}

double server_process::cpu_seconds() const
{
  ::clockid_t clock{};
  return ::clock_getcpuclockid(id_, &clock) == 0 ? seconds_of(clock) : 0;
}

double cpu_seconds_here() { return seconds_of(CLOCK_PROCESS_CPUTIME_ID); }

double resident_bytes_here()
{
  std::ifstream file{"/proc/self/statm"};
  double all = 0;
  double resident = 0;
  file >> all >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

}  // namespace bench
