#include <fastgpu/execute/execute.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fastgpu/cluster/node.hpp>
#include <fastgpu/fastgpu.hpp>

#include "execute/checkpoint_format.hpp"
#include "execute/memory_checkpoint.hpp"
#include "support/failure_of.hpp"
#include "support/folder.hpp"
#include "support/splitmix.hpp"

/// @file
/// Runs that are interrupted and go on from their checkpoint, in this process and in others that are killed.

namespace checkpoint_test {

using fastgpu::cluster;
using fastgpu::errc;
using fastgpu::seconds;
namespace fs = std::filesystem;

std::atomic<std::uint64_t> calls = 0;
std::atomic<int> pause_us = 0;  // of each call: not the kernel's own, which would make it another job

void called()
{
  calls.fetch_add(1, std::memory_order_relaxed);
  if (const int us = pause_us.load(std::memory_order_relaxed)) std::this_thread::sleep_for(std::chrono::microseconds{us});
}

/// A double over many powers of two, so that every order of additions has its own bits.
struct rough {
  double operator()(std::uint64_t i) const
  {
    called();
    const auto bits = support::mix(i);
    return std::ldexp(static_cast<double>(static_cast<std::int64_t>(bits) >> 11), static_cast<int>(bits % 61) - 80);
  }
};
FASTGPU_REGISTER("test.checkpoint.rough", rough)

struct mixed {
  std::uint64_t salt = 0;
  std::uint64_t operator()(std::uint64_t i) const
  {
    called();
    return support::mix(i + salt);
  }
};
FASTGPU_REGISTER("test.checkpoint.mixed", mixed)

struct smooth {
  void operator()(fastgpu::index<2> at, fastgpu::in2<float> in, fastgpu::in1<float> table, fastgpu::out2<float> out) const
  {
    called();
    out(at) = in({at[0] - 1, at[1]}) + in({at[0] + 1, at[1]}) + table({at[1] % 5});
  }
};
FASTGPU_REGISTER("test.checkpoint.smooth", smooth)

constexpr std::uint64_t many = 4'003;

auto sum_job(std::uint64_t salt = 0, std::uint64_t n = many)
{
  return fastgpu::make_job(fastgpu::space<1>{static_cast<std::int64_t>(n), fastgpu::by_size{1}}, mixed{salt},
                           fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
}
auto rough_job()
{
  return fastgpu::make_job(fastgpu::space<1>{static_cast<std::int64_t>(many), fastgpu::by_size{1}}, rough{},
                           fastgpu::reduced(fastgpu::sum<double>{}));
}
std::uint64_t sum_of_mixed(std::uint64_t n = many)
{
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < n; ++i) sum += support::mix(i);
  return sum;
}

std::vector<std::byte> read_file(const std::string& path)
{
  std::ifstream file{path, std::ios::binary};
  const std::string read{std::istreambuf_iterator<char>{file}, {}};
  std::vector<std::byte> bytes(read.size());
  std::memcpy(bytes.data(), read.data(), read.size());
  return bytes;
}
void write_file(const std::string& path, std::span<const std::byte> bytes)
{
  std::ofstream file{path, std::ios::binary | std::ios::trunc};
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

class Checkpoint : public testing::Test {
 protected:
  Checkpoint() { calls = 0; }
  ~Checkpoint() override { pause_us = 0; }

  [[nodiscard]] fastgpu::run_options options(fastgpu::reduction mode = fastgpu::reduction::ordered) const
  {
    return {.reduction = mode, .seal_every = seconds{0.005}, .checkpoint = file_};
  }
  /// What the file holds.
  template <class Job>
  [[nodiscard]] fastgpu::detail::checkpoint_contents contents(const Job& job) const
  {
    const auto all = read_file(file_);
    const support::memory_checkpoint from{all};
    const auto& s = job.data().shape;
    return read_records(from, fastgpu::detail::read_header(from), {s.count, s.span_log2}, nullptr);
  }
  /// Runs the job until about a third is saved, and cancels it. @return  Subtasks saved
  template <class Job>
  std::uint64_t interrupt(cluster& c, const Job& job, const fastgpu::run_options& how)
  {
    pause_us = 100;
    {
      auto run = fastgpu::execute(c, job, how);
      while (contents(job).saved.count() < job.data().shape.count / 3) std::this_thread::sleep_for(std::chrono::milliseconds{1});
      run.cancel();
      EXPECT_EQ(run.wait().kind(), fastgpu::outcome_kind::cancelled);
    }
    pause_us = 0;
    calls = 0;
    const auto saved = contents(job).saved.count();
    EXPECT_LT(saved, job.data().shape.count);
    return saved;
  }

  support::folder folder_;
  std::string file_ = folder_.path("run.checkpoint");
};

TEST_F(Checkpoint, OfAReductionGivesTheSameBitsAndRunsOnlyTheRest)
{
  cluster c{"host:2"};
  for (const auto mode : {fastgpu::reduction::ordered, fastgpu::reduction::exact}) {
    const auto job = rough_job();
    const auto expected = fastgpu::aggregate(fastgpu::execute(c, job, {.reduction = mode})).get();
    const auto saved = interrupt(c, job, options(mode));
    const auto value = fastgpu::aggregate(fastgpu::execute(c, job, options(mode)));
    EXPECT_EQ(value.get(), expected);
    EXPECT_EQ(calls, many - saved);
    EXPECT_EQ(value.summary().committed, many);
    fs::remove(file_);
  }
}

TEST_F(Checkpoint, IsTakenUpByOtherDevices)
{
  cluster two{"host:2"};
  const auto job = rough_job();
  const auto expected = fastgpu::aggregate(fastgpu::execute(two, job)).get();
  calls = 0;
  const auto saved = interrupt(two, job, options());
  cluster others{"host:1*3"};
  EXPECT_EQ(fastgpu::aggregate(fastgpu::execute(others, job, options())).get(), expected);
  EXPECT_EQ(calls, many - saved);
}

TEST_F(Checkpoint, MayBeInterruptedAgainAndAgain)
{
  cluster c{"host:2"};
  const auto job = sum_job();
  auto how = options();
  pause_us = 100;
  for (int i = 0; i < 5; ++i) {
    how.deadline = seconds{0.06};
    EXPECT_NE(fastgpu::execute(c, job, how).wait().kind(), fastgpu::outcome_kind::failed);
  }
  const auto saved = contents(job).saved.count();
  EXPECT_GT(saved, 0);
  pause_us = 0;
  calls = 0;
  EXPECT_EQ(fastgpu::aggregate(fastgpu::execute(c, job, options())).get(), sum_of_mixed());
  EXPECT_EQ(calls, many - saved);
}

TEST_F(Checkpoint, OfARunThatIsDoneHasItsValue)
{
  cluster c{"host:2"};
  EXPECT_EQ(fastgpu::aggregate(fastgpu::execute(c, sum_job(), options())).get(), sum_of_mixed());
  EXPECT_EQ(calls, many);
  EXPECT_EQ(fastgpu::reduce(c, static_cast<std::int64_t>(many), mixed{}, fastgpu::sum<std::uint64_t>{}).get(),
            sum_of_mixed());
  calls = 0;
  const auto size = fs::file_size(file_);
  EXPECT_EQ(fastgpu::aggregate(fastgpu::execute(c, sum_job(), options())).get(), sum_of_mixed());
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(fs::file_size(file_), size);
  EXPECT_EQ(folder_.files(), 1);
}

TEST_F(Checkpoint, HasTheBlocksOfOutputs)
{
  cluster c{"host:2"};
  constexpr std::int64_t rows = 60;
  constexpr std::int64_t columns = 50;
  std::vector<float> in(rows * columns);
  std::iota(in.begin(), in.end(), 1.0f);
  std::vector<float> table(5, 0.5f);
  const auto matrix = [&](std::vector<float>& v) { return fastgpu::matrix(v.data(), rows, columns); };
  const auto job = [&](std::vector<float>& out) {
    return fastgpu::make_job(fastgpu::space<2>{{rows, columns}, fastgpu::by_size{2, 5}}, smooth{},
                             fastgpu::slices(matrix(in), 1, fastgpu::border::reflect_101),
                             fastgpu::broadcast(table), fastgpu::gather(matrix(out)));
  };
  std::vector<float> expected(in.size());
  fastgpu::aggregate(fastgpu::execute(c, job(expected)));

  std::vector<float> before(in.size());
  const auto saved = interrupt(c, job(before), options());
  std::vector<float> after(in.size(), -1.0f);  // as in a new process
  fastgpu::aggregate(fastgpu::execute(c, job(after), options()));
  EXPECT_EQ(after, expected);
  EXPECT_EQ(calls, 10 * (300 - saved));

  // Other input is another job, whichever argument it is.
  in[77] += 1;
  EXPECT_EQ(support::failure_of([&] { (void)fastgpu::execute(c, job(after), options()); }).code, errc::checkpoint_error);
  in[77] -= 1;
  table[4] = 0;
  EXPECT_EQ(support::failure_of([&] { (void)fastgpu::execute(c, job(after), options()); }).code, errc::checkpoint_error);
}

TEST_F(Checkpoint, HasWhatNodesSend)
{
  auto node = std::make_unique<fastgpu::node>(fastgpu::node_options{
      .listen = "unix:" + folder_.path("n"), .name = "n", .devices = {.devices = "host:2"}});
  cluster c{"none"};
  c.add_node(node->address());
  const auto job = rough_job();
  const auto saved = interrupt(c, job, options());
  node.reset();  // its last batches of that run are calls, too
  calls = 0;
  cluster here{"host:2"};
  const auto value = fastgpu::aggregate(fastgpu::execute(here, job, options())).get();
  EXPECT_EQ(calls, many - saved);
  EXPECT_EQ(value, fastgpu::aggregate(fastgpu::execute(here, job)).get());
}

// What is refused -------------------------------------------------------------------------------------------------

TEST_F(Checkpoint, OfAnotherJobIsRefusedInOneLine)
{
  cluster c{"host:2"};
  fastgpu::aggregate(fastgpu::execute(c, sum_job(), options()));
  const auto refused = [&](const auto& job, const fastgpu::run_options& how) {
    const auto why = support::failure_of([&] { (void)fastgpu::execute(c, job, how); });
    EXPECT_EQ(why.code, errc::checkpoint_error);
    EXPECT_EQ(why.detail, "checkpoint '" + file_ + "': it is of another job, or of other input");
  };
  refused(sum_job(1), options());
  refused(sum_job(0, many + 1), options());
  refused(rough_job(), options());
}

TEST_F(Checkpoint, ThatAnotherRunUsesIsRefusedInOneLine)
{
  cluster c{"host:2"};
  pause_us = 100;
  auto run = fastgpu::execute(c, sum_job(), options());
  const auto why = support::failure_of([&] { (void)fastgpu::execute(c, sum_job(), options()); });
  EXPECT_EQ(why.code, errc::checkpoint_error);
  EXPECT_EQ(why.detail, "checkpoint '" + file_ + "': another run is using it");
  pause_us = 0;
  EXPECT_EQ(fastgpu::aggregate(run).get(), sum_of_mixed());
}

TEST_F(Checkpoint, OfAKernelWithoutANameIsRefused)
{
  cluster c{"host:1"};
  const auto why = support::failure_of([&] {
    (void)fastgpu::reduce(c, 1000, [](std::uint64_t i) { return i; }, fastgpu::sum<std::uint64_t>{}, options());
  });
  EXPECT_EQ(why.code, errc::kernel_not_registered);
  EXPECT_NE(why.detail.find("checkpoint"), std::string::npos);
  EXPECT_EQ(folder_.files(), 0);
}

TEST_F(Checkpoint, WhereNoneCanBeIsRefusedInOneLine)
{
  cluster c{"host:1"};
  auto how = options();
  const auto refused = [&](const std::string& path) {
    how.checkpoint = path;
    const auto why = support::failure_of([&] { (void)fastgpu::execute(c, sum_job(), how); });
    EXPECT_EQ(why.code, errc::checkpoint_error);
    EXPECT_NE(why.detail.find("'" + path + "'"), std::string::npos) << why.detail;
    EXPECT_EQ(why.detail.find('\n'), std::string::npos);
    return why.detail;
  };
  EXPECT_NE(refused("/dev/full").find("no regular file"), std::string::npos);
  (void)refused(folder_.path());
  (void)refused(folder_.path("none/run.checkpoint"));
  const std::string text{"what somebody wrote\n"};
  write_file(file_, std::as_bytes(std::span{text}));
  (void)refused(file_);
  EXPECT_EQ(fs::file_size(file_), text.size());  // and it is left alone
}

TEST_F(Checkpoint, ThatIsDamagedIsRefusedOrDoneWithout)
{
  cluster c{"host:2"};
  const auto job = sum_job();
  interrupt(c, job, options());
  const auto all = read_file(file_);
  int refused = 0;
  const auto right_or_refused = [&](std::span<const std::byte> bytes) {
    write_file(file_, bytes);
    try {
      EXPECT_EQ(fastgpu::aggregate(fastgpu::execute(c, job, options())).get(), sum_of_mixed());
    } catch (const fastgpu::error& e) {
      EXPECT_EQ(e.code(), errc::checkpoint_error) << e.what();
      ++refused;
    }
  };
  for (std::size_t at = 0; at < all.size(); at += 1 + all.size() / 60) {
    auto flipped = all;
    flipped[at] ^= static_cast<std::byte>(1 << at % 8);
    right_or_refused(flipped);
  }
  EXPECT_GT(refused, 30);
  for (std::size_t size = 0; size < all.size(); size += 1 + all.size() / 30) right_or_refused(std::span{all}.first(size));
}

// What happens to a process ---------------------------------------------------------------------------------------

/// This program once more, as a process that runs the job and says its value. -1: it was ended by a signal.
struct child {
  pid_t pid = 0;
  int from = -1;

  static child start(const std::string& what, const std::string& file)
  {
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    child c{::fork(), ends[0]};
    if (c.pid == 0) {
      ::dup2(ends[1], 1);
      ::close(ends[0]);
      ::close(ends[1]);
      ::execl("/proc/self/exe", "checkpoint_test", what.c_str(), file.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    return c;
  }
  std::string ended(int& status) const
  {
    std::string said;
    char some[256];
    for (ssize_t n = 0; (n = ::read(from, some, sizeof some)) > 0;) said.append(some, static_cast<std::size_t>(n));
    ::close(from);
    ::waitpid(pid, &status, 0);
    return said;
  }
};

/// What the child does.
int run_as_child(const std::string& what, const std::string& file)
{
  pause_us = what == "--slow" ? 60 : 0;
  if (what == "--full") {  // as on a disk that is: there is room for the beginning of a record
    const auto room = static_cast<rlim_t>(fs::file_size(file)) + 20;
    const rlimit limit{room, room};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  try {
    cluster c{"host:2"};
    const auto value = fastgpu::aggregate(fastgpu::execute(
        c, rough_job(), {.seal_every = seconds{0.003}, .checkpoint = file}));
    std::printf("%a %llu\n", value.get(), static_cast<unsigned long long>(calls.load()));
    return 0;
  } catch (const fastgpu::error& e) {
    std::printf("%d %s\n", e.code().value(), e.what());
    return 1;
  }
}

TEST_F(Checkpoint, SurvivesKillsAtAnyInstant)
{
  const char* wanted = std::getenv("FASTGPU_CHECKPOINT_KILLS");
  const int kills = wanted != nullptr ? std::atoi(wanted) : 10;
  cluster c{"host:1"};
  const auto expected = fastgpu::aggregate(fastgpu::execute(c, rough_job())).get();
  int killed = 0;
  std::uint64_t trial = 1;
  while (killed < kills) {
    fs::remove(file_);
    for (int life = 0;; ++life) {
      ASSERT_LT(life, 1000);
      const auto process = child::start("--slow", file_);
      // Most die, some in their first moments; in the end the rest is small enough.
      if (life < 6) {
        std::this_thread::sleep_for(std::chrono::microseconds{support::mix(trial++) % 60'000});
        ::kill(process.pid, SIGKILL);
      }
      int status = 0;
      const auto said = process.ended(status);
      if (WIFSIGNALED(status)) {
        ASSERT_EQ(WTERMSIG(status), SIGKILL);
        ++killed;
        continue;
      }
      ASSERT_EQ(WEXITSTATUS(status), 0) << said;
      EXPECT_EQ(std::strtod(said.c_str(), nullptr), expected) << said;
      break;
    }
  }
}

TEST_F(Checkpoint, OnAFullDiskFailsTheRunInOneLineAndKeepsWhatIsThere)
{
  cluster c{"host:2"};
  const auto saved = interrupt(c, rough_job(), options());
  const auto size = fs::file_size(file_);
  int status = 0;
  const auto said = child::start("--full", file_).ended(status);
  ASSERT_TRUE(WIFEXITED(status)) << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_NE(said.find("25 checkpoint '" + file_ + "': writing it: "), std::string::npos) << said;
  EXPECT_EQ(fs::file_size(file_), size);
  EXPECT_EQ(fastgpu::aggregate(fastgpu::execute(c, rough_job(), options())).get(),
            fastgpu::aggregate(fastgpu::execute(c, rough_job())).get());
  EXPECT_EQ(calls, 2 * many - saved);
}

}  // namespace checkpoint_test

int main(int argc, char** argv)
{
  if (argc == 3 && (std::string{argv[1]} == "--slow" || std::string{argv[1]} == "--full")) {
    return checkpoint_test::run_as_child(argv[1], argv[2]);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
