#include "cuda/measurements/nccl.hpp"

#include "cuda/measurements/measurement.hpp"

#if defined(FASTGPU_BENCHMARK_NCCL)

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nccl.h>

#include "support/gpu.hpp"

/// @file
/// All-reduce by several processes on one GPU, and what the others see when one of them is killed. NCCL takes two ranks
/// on a GPU for two machines where their NCCL_HOSTID differ, and talks over sockets then: no figure of its speed
/// between GPUs, but everything else is as it is there.

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto run_time_max = 60s;
constexpr auto call_time_max = 30s;

// NCCL ----------------------------------------------------------------------------------------------------------------

/// NCCL is loaded where it is found: nothing here is linked to it.
struct nccl_functions {
  decltype(&ncclGetUniqueId) get_unique_id;
  decltype(&ncclCommInitRankConfig) init;
  decltype(&ncclCommGetAsyncError) async_error;
  decltype(&ncclCommAbort) abort;
  decltype(&ncclCommFinalize) finalize;
  decltype(&ncclCommDestroy) destroy;
  decltype(&ncclAllReduce) all_reduce;
  decltype(&ncclGetErrorString) error_string;
  decltype(&ncclGetVersion) version;
};

nccl_functions load_nccl()
{
  void* handle = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw measured::skipped{"no libnccl.so.2"};
  nccl_functions all{};
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
    if (function == nullptr) throw measured::skipped{std::string{"this NCCL has no "} + name};
  };
  find(all.get_unique_id, "ncclGetUniqueId");
  find(all.init, "ncclCommInitRankConfig");
  find(all.async_error, "ncclCommGetAsyncError");
  find(all.abort, "ncclCommAbort");
  find(all.finalize, "ncclCommFinalize");
  find(all.destroy, "ncclCommDestroy");
  find(all.all_reduce, "ncclAllReduce");
  find(all.error_string, "ncclGetErrorString");
  find(all.version, "ncclGetVersion");
  return all;
}

/// Calls `done` until it gives true. @return  False where that took too long.
template <class Done>
bool poll(const Done& done, std::chrono::seconds at_most = call_time_max)
{
  const auto end = std::chrono::steady_clock::now() + at_most;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

/// A rank's communicator, which never blocks.
class communicator {
 public:
  communicator(const nccl_functions& nccl, const fs::path& folder, int epoch, int rank, int ranks) : nccl_{nccl}
  {
    ncclUniqueId id;
    const auto file = folder / ("id-" + std::to_string(epoch));
    if (rank == 0) {
      expect(nccl.get_unique_id(&id));
      std::ofstream{file.string() + ".new", std::ios::binary}.write(id.internal, sizeof id.internal);
      fs::rename(file.string() + ".new", file);
    } else {
      if (!poll([&] { return fs::exists(file); })) throw std::runtime_error{"rank 0 gave no id"};
      std::ifstream{file, std::ios::binary}.read(id.internal, sizeof id.internal);
    }
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    const auto status = nccl.init(&handle_, ranks, id, rank, &config);
    if (status != ncclInProgress) expect(status);
    expect(wait_for_call());
  }
  communicator(const communicator&) = delete;
  communicator& operator=(const communicator&) = delete;

  /// @return  What went wrong, if something did: then abort() is what remains.
  ncclResult_t all_reduce(const std::int64_t* from, std::int64_t* to, std::size_t n, const bench::gpu_stream& on)
  {
    const auto status = nccl_.all_reduce(from, to, n, ncclInt64, ncclSum, handle_, on.get());
    if (status != ncclSuccess && status != ncclInProgress) return status;
    if (const auto enqueued = wait_for_call(); enqueued != ncclSuccess) return enqueued;
    ncclResult_t problem = ncclSuccess;
    const bool ended = poll([&] {
      expect(nccl_.async_error(handle_, &problem));
      return problem != ncclSuccess || cudaStreamQuery(on.get()) != cudaErrorNotReady;
    });
    return ended ? problem : ncclSystemError;
  }
  void abort() { expect(nccl_.abort(handle_)); }
  void close()
  {
    const auto status = nccl_.finalize(handle_);
    if (status != ncclInProgress) expect(status);
    expect(wait_for_call());
    expect(nccl_.destroy(handle_));
  }
  void expect(ncclResult_t status) const
  {
    if (status != ncclSuccess) throw std::runtime_error{std::string{"NCCL: "} + nccl_.error_string(status)};
  }

 private:
  ncclResult_t wait_for_call()
  {
    ncclResult_t status = ncclInProgress;
    const bool ended = poll([&] {
      expect(nccl_.async_error(handle_, &status));
      return status != ncclInProgress;
    });
    return ended ? status : ncclSystemError;
  }

  const nccl_functions& nccl_;
  ncclComm_t handle_ = nullptr;
};

// A rank ----------------------------------------------------------------------------------------------------------------

struct rank_of {
  int rank;
  int ranks;
  bool last_one_dies;
  fs::path folder;
};

/// @throws std::runtime_error  where the sum is wrong.
void expect_sum(const bench::gpu_array<std::int64_t>& of, std::int64_t expected)
{
  std::int64_t first = 0;
  bench::check(cudaMemcpy(&first, of.data(), sizeof first, cudaMemcpyDefault), "copying a sum");
  if (first != expected) throw std::runtime_error{"the all-reduce gave a wrong sum"};
}

void fill(const bench::gpu_array<std::int64_t>& array, std::int64_t value)
{
  const std::vector<std::int64_t> values(array.size(), value);
  bench::check(cudaMemcpy(array.data(), values.data(), array.bytes(), cudaMemcpyDefault), "copying values");
}

void run_rank(const rank_of& self)
{
  const auto nccl = load_nccl();
  bench::check(cudaSetDevice(0), "choosing the GPU");
  const bench::gpu_stream stream;
  const bench::gpu_array<std::int64_t> from{std::size_t{2} << 20};  // 16 MiB
  const bench::gpu_array<std::int64_t> to{from.size()};
  fill(from, self.rank + 1);
  std::ofstream figures{self.folder / ("figures-" + std::to_string(self.rank))};

  auto begin = measured::now_us();
  const auto took_ms = [&] {
    const auto now = measured::now_us();
    return (now - std::exchange(begin, now)) / 1e3;
  };
  communicator all{nccl, self.folder, 1, self.rank, self.ranks};
  figures << "init_ms " << took_ms() << '\n';
  for (const std::size_t n : {std::size_t{1}, std::size_t{1} << 13, std::size_t{1} << 17, from.size()}) {
    constexpr int times = 10;
    for (int i = 0; i < 2; ++i) all.expect(all.all_reduce(from.data(), to.data(), n, stream));
    took_ms();
    for (int i = 0; i < times; ++i) all.expect(all.all_reduce(from.data(), to.data(), n, stream));
    figures << "all_reduce_" << n * sizeof(std::int64_t) << "_bytes_ms " << took_ms() / times << '\n';
    expect_sum(to, self.ranks * (self.ranks + 1) / 2);
  }
  if (!self.last_one_dies) return all.close();

  // The others' last all-reduce must be through: it needs this rank.
  std::ofstream{self.folder / ("done-" + std::to_string(self.rank))}.flush();
  const auto all_done = [&] {
    for (int r = 0; r < self.ranks; ++r) {
      if (!fs::exists(self.folder / ("done-" + std::to_string(r)))) return false;
    }
    return true;
  };
  if (!poll(all_done)) throw std::runtime_error{"a rank did not get through its all-reduces"};
  if (self.rank == self.ranks - 1) ::kill(::getpid(), SIGKILL);
  took_ms();
  const auto problem = all.all_reduce(from.data(), to.data(), from.size(), stream);
  if (problem == ncclSuccess) throw std::runtime_error{"an all-reduce with a dead rank ended well"};
  figures << "error_after_death_ms " << took_ms() << "\nerror_after_death " << nccl.error_string(problem) << '\n';
  all.abort();
  figures << "abort_ms " << took_ms() << '\n';
  communicator survivors{nccl, self.folder, 2, self.rank, self.ranks - 1};
  figures << "rebuild_ms " << took_ms() << '\n';
  survivors.expect(survivors.all_reduce(from.data(), to.data(), from.size(), stream));
  expect_sum(to, self.ranks * (self.ranks - 1) / 2);
  survivors.close();
}

// The item --------------------------------------------------------------------------------------------------------------

/// The environment of rank `rank`: this process's, and what lets ranks share a GPU.
std::vector<std::string> environment_of(int rank)
{
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, "NCCL_", 5) != 0) all.emplace_back(*entry);
  }
  for (const char* entry :
       {"NCCL_SOCKET_IFNAME=lo", "NCCL_SOCKET_FAMILY=AF_INET", "NCCL_NET=Socket", "NCCL_IB_DISABLE=1",
        "NCCL_P2P_DISABLE=1", "NCCL_SHM_DISABLE=1", "NCCL_MNNVL_ENABLE=0", "NCCL_NVLS_ENABLE=0", "NCCL_RAS_ENABLE=0",
        "NCCL_MAX_CTAS=2", "NCCL_ALGO=Ring", "NCCL_PROTO=Simple", "NCCL_DEBUG=WARN"}) {
    all.emplace_back(entry);
  }
  all.push_back("NCCL_HOSTID=fastgpu-" + std::to_string(rank));
  return all;
}

pid_t start_rank(const rank_of& who)
{
  std::vector<std::string> words{"rank", measured::nccl_rank_option, std::to_string(who.rank),
                                 std::to_string(who.ranks), who.last_one_dies ? "1" : "0", who.folder.string()};
  auto environment = environment_of(who.rank);
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::vector<char*> variables;
  for (auto& variable : environment) variables.push_back(variable.data());
  variables.push_back(nullptr);
  pid_t started = 0;
  if (posix_spawn(&started, "/proc/self/exe", nullptr, nullptr, arguments.data(), variables.data()) != 0) {
    throw std::runtime_error{"a rank cannot be started"};
  }
  return started;
}

struct temporary_folder {
  fs::path path;
  temporary_folder()
  {
    auto name = (fs::temp_directory_path() / "fastgpu-nccl-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error{"no temporary folder"};
    path = name;
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder()
  {
    std::error_code none;
    fs::remove_all(path, none);
  }
};

void run_ranks(measured::figures& found, int ranks, bool last_one_dies)
{
  const temporary_folder folder;
  std::vector<pid_t> running;
  for (int r = 0; r < ranks; ++r) running.push_back(start_rank({r, ranks, last_one_dies, folder.path}));
  std::string problem;
  const auto last = running.back();
  const bool ended = poll(
      [&] {
        std::this_thread::sleep_for(2ms);
        std::erase_if(running, [&](pid_t rank) {
          int status = 0;
          if (waitpid(rank, &status, WNOHANG) != rank) return false;
          const bool as_wanted = last_one_dies && rank == last ? WIFSIGNALED(status) : status == 0;
          if (!as_wanted) problem = "a rank ended with " + std::to_string(status);
          return true;
        });
        return running.empty();
      },
      run_time_max);
  for (const auto rank : running) {
    ::kill(rank, SIGKILL);
    (void)waitpid(rank, nullptr, 0);
  }
  if (!ended) problem = "the ranks were not done in time";

  std::ifstream file{folder.path / "figures-0"};
  const auto prefix = std::to_string(ranks) + (last_one_dies ? "_ranks_one_dies/" : "_ranks/");
  for (std::string key, value; file >> key && std::getline(file >> std::ws, value);) {
    char* end = nullptr;
    const auto number = std::strtod(value.c_str(), &end);
    if (*end == '\0') {
      found.add(prefix + key, number);
    } else {
      found.add(prefix + key, value);
    }
  }
  std::ifstream why{folder.path / "problem"};
  if (std::string told; std::getline(why, told)) problem = told;
  if (!problem.empty()) throw std::runtime_error{std::to_string(ranks) + " ranks: " + problem};
}

void nccl(measured::figures& found)
{
  int version = 0;
  if (load_nccl().version(&version) == ncclSuccess) found.add("nccl_version", version);
  run_ranks(found, 2, false);
  run_ranks(found, 3, false);
  run_ranks(found, 3, true);
}

}  // namespace

int measured::run_nccl_rank(int argc, char** argv)
{
  if (argc != 6) return 2;
  const rank_of self{std::atoi(argv[2]), std::atoi(argv[3]), argv[4][0] == '1', argv[5]};
  try {
    run_rank(self);
    return 0;
  } catch (const std::exception& e) {
    std::ofstream{self.folder / "problem"} << "rank " << self.rank << ": " << e.what() << '\n';
    return 1;
  }
}

#else

int measured::run_nccl_rank(int, char**) { return 2; }

namespace {

void nccl(measured::figures&) { throw measured::skipped{"built without nccl.h"}; }

}  // namespace

#endif

namespace {

const measured::registration added{
    1, {"nccl", "all-reduce by 2 and 3 processes on one GPU; a rank that is killed", &nccl}};

}  // namespace
