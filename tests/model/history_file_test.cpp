#include "model/history_file.hpp"  // first: shows that the header stands alone

#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/folder.hpp"

namespace {

using fastgpu::detail::history;
using fastgpu::detail::history_entry;
using fastgpu::detail::history_machine;
using fastgpu::detail::parse_history;
using fastgpu::detail::print_history;
using fastgpu::detail::read_history;
using fastgpu::detail::write_history;

constexpr std::int64_t day_s = 86'400;
constexpr std::int64_t now_s = 20'000 * day_s;

const history_machine here{"Some CPU", 64};

history_entry entry(const std::string& kernel, std::vector<double> speeds, std::int64_t date_s = now_s)
{
  const auto fresh = speeds.size();
  return {kernel, "host:2; host x86-64-v3", 20, date_s, std::move(speeds), fresh};
}

std::string text_with(const std::vector<history_entry>& entries) { return print_history(entries, here, now_s); }

std::string edited(std::string text, const std::string& what, const std::string& with)
{
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what << " in " << text;
  return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

std::string refusal_of(const std::string& text) { return parse_history(text, here, now_s).refused; }

void write(const std::string& path, const std::string& text) { std::ofstream{path, std::ios::binary} << text; }

TEST(HistoryFile, LeavesOutNamesThatAreNotUnicode)
{
  const auto back =
      parse_history(text_with({entry("kept", {1}), entry("\xff", {2}), entry("kept too", {3})}), here, now_s);
  EXPECT_EQ(back.refused, "");
  ASSERT_EQ(back.entries.size(), 2);
  EXPECT_EQ(back.entries[0].kernel, "kept");
  EXPECT_EQ(back.entries[1].kernel, "kept too");
}

TEST(HistoryFile, ComesBackAsItWas)
{
  const support::folder folder;
  const auto path = folder.path("history.json");
  EXPECT_EQ(read_history(path, here, now_s).refused, "");  // none yet
  const std::vector<history_entry> some{entry("b", {1.5, 1e-3, 123456789.125}),
                                        entry("a \"quoted\"\n\xc3\xa9", {2}, now_s - day_s)};
  ASSERT_EQ(write_history(path, some, here, now_s), "");
  const auto back = read_history(path, here, now_s);
  EXPECT_EQ(back.refused, "");
  ASSERT_EQ(back.entries.size(), 2);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(back.entries[i].kernel, some[i].kernel);
    EXPECT_EQ(back.entries[i].device, some[i].device);
    EXPECT_EQ(back.entries[i].size_class, 20);
    EXPECT_EQ(back.entries[i].date_s, some[i].date_s);
    EXPECT_EQ(back.entries[i].speeds, some[i].speeds);
    EXPECT_EQ(back.entries[i].fresh, 0);
  }
  EXPECT_EQ(folder.files(), 1);
  struct stat found {};
  ASSERT_EQ(::stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600);
}

TEST(HistoryFile, SaysWhatItIs)
{
  EXPECT_TRUE(text_with({}).starts_with(R"({"format":"fastgpu-history/1","library":")" FASTGPU_VERSION
                                        R"(","date":1728000000,"machine":{"cpu":"Some CPU","cores":64},"entries":[)"))
      << text_with({});
}

TEST(HistoryFile, OfTwoProcessesHasWhatBothMeasured)
{
  const support::folder folder;
  const auto path = folder.path("history.json");
  ASSERT_EQ(write_history(path, {entry("both", {1, 2}), entry("first", {3})}, here, now_s), "");
  auto known = entry("first", {300});
  known.fresh = 0;  // what the second has read at its start is not newer than what is there now
  ASSERT_EQ(write_history(path, {entry("both", {4}), entry("second", {5}), known}, here, now_s), "");
  const auto all = read_history(path, here, now_s).entries;
  ASSERT_EQ(all.size(), 3);
  for (const auto& e : all) {
    const auto expected =
        e.kernel == "both" ? std::vector<double>{1, 2, 4} : std::vector<double>{e.kernel == "first" ? 3. : 5.};
    EXPECT_EQ(e.speeds, expected) << e.kernel;
  }
}

TEST(HistoryFile, IsWholeWhoeverElseWritesIt)
{
  const support::folder folder;
  const auto path = folder.path("history.json");
  std::vector<std::thread> writers;
  for (const std::string name : {"a", "b"}) {
    writers.emplace_back([&, name] {
      for (int i = 0; i < 50; ++i) EXPECT_EQ(write_history(path, {entry(name, {1.0 + i})}, here, now_s), "");
    });
  }
  for (int i = 0; i < 50; ++i) EXPECT_EQ(read_history(path, here, now_s).refused, "");
  for (auto& w : writers) w.join();
  EXPECT_GE(read_history(path, here, now_s).entries.size(), 1);
  EXPECT_EQ(folder.files(), 1);
}

TEST(HistoryFile, KeepsTheLastMeasuredOfMoreThanItHolds)
{
  const support::folder folder;
  const auto path = folder.path("history.json");
  std::vector<history_entry> old;
  for (std::size_t i = 0; i < history::keys_max; ++i)
    old.push_back(entry("old " + std::to_string(i), {1}, now_s - day_s));
  ASSERT_EQ(write_history(path, old, here, now_s), "");
  ASSERT_EQ(write_history(path, {entry("new", {1})}, here, now_s), "");
  const auto all = read_history(path, here, now_s).entries;
  ASSERT_EQ(all.size(), history::keys_max);
  EXPECT_EQ(all.front().kernel, "new");
}

TEST(HistoryFile, IsRefusedWithAReason)
{
  const auto good = text_with({entry("a", {1, 2}), entry("b", {3})});
  EXPECT_EQ(refusal_of(good), "");
  EXPECT_EQ(refusal_of(edited(good, "history/1", "history/2")),
            "its format is 'fastgpu-history/2', not 'fastgpu-history/1'");
  EXPECT_EQ(refusal_of(edited(good, "Some CPU", "Another")),
            "it is of another machine (Another, 64 cores; this is Some CPU, 64 cores)");
  EXPECT_EQ(refusal_of(edited(good, R"("cores":64)", R"("cores":2)")),
            "it is of another machine (Some CPU, 2 cores; this is Some CPU, 64 cores)");
  EXPECT_EQ(refusal_of(text_with({entry("a", {1}, now_s - 91 * day_s)})), "all of it is older than 90 days");
  EXPECT_EQ(refusal_of(text_with({entry("a", {1}, now_s + 2 * day_s)})), "an entry is of the future");
  EXPECT_EQ(refusal_of(text_with({entry("a", {})})), "an entry has 0 speeds");
  EXPECT_EQ(refusal_of(text_with({entry("a", std::vector<double>(16, 1.0))})), "an entry has 16 speeds");
  EXPECT_EQ(refusal_of(text_with({entry("", {1})})), "the name of a kernel or device is of 0 bytes");
  EXPECT_EQ(refusal_of(text_with({entry(std::string(1025, 'x'), {1})})),
            "the name of a kernel or device is of 1025 bytes");
  EXPECT_EQ(refusal_of(text_with(std::vector<history_entry>(4097, entry("a", {1})))),
            "it has 4097 entries, more than 4096");
  EXPECT_EQ(refusal_of(edited(good, R"("size_class":20)", R"("size_class":-1)")), "a size class is not there");
  for (const std::string damaged : {"", "{}", "[]", "null", "{\"format\":1}", "\xff\xfe", "nonsense"}) {
    EXPECT_TRUE(refusal_of(damaged).starts_with("it is damaged: ")) << damaged << ": " << refusal_of(damaged);
  }
  EXPECT_TRUE(refusal_of(good.substr(0, good.size() / 2)).starts_with("it is damaged: "));
  EXPECT_TRUE(refusal_of(std::string(1'000'000, '[')).starts_with("it is damaged: "));
}

TEST(HistoryFile, IsRefusedForAnAbsurdSpeed)
{
  for (const double speed : {0.0, -1.0, 1e300, 1e-300, 1e19}) {
    EXPECT_TRUE(refusal_of(text_with({entry("a", {1, speed})})).starts_with("an entry has a speed of ")) << speed;
  }
  const auto good = text_with({entry("a", {1, 2})});
  for (const std::string number : {"NaN", "Infinity", "1e999", "\"1\"", "null", "[1]"}) {
    EXPECT_NE(refusal_of(edited(good, "[1E0", "[" + number)), "") << number;
  }
}

TEST(HistoryFile, LeavesOutWhatIsOld)
{
  const auto read = parse_history(
      text_with({entry("new", {1}, now_s - 89 * day_s), entry("old", {1}, now_s - 91 * day_s)}), here, now_s);
  EXPECT_EQ(read.refused, "");
  ASSERT_EQ(read.entries.size(), 1);
  EXPECT_EQ(read.entries[0].kernel, "new");
}

TEST(HistoryFile, IsBoundedInSize)
{
  const support::folder folder;
  const auto path = folder.path("history.json");
  write(path, R"({"format":"fastgpu-history/1",)" + std::string(16u << 20, ' '));
  EXPECT_EQ(read_history(path, here, now_s).refused, "it is larger than 16 MiB");
  std::vector<history_entry> large;  // with names that take six bytes a letter
  for (std::size_t i = 0; i < history::keys_max; ++i) {
    large.push_back({std::to_string(i), std::string(history::name_bytes_max, '\x01'), 20, now_s, {1}, 1});
  }
  ASSERT_EQ(write_history(path, large, here, now_s), "");
  const auto back = read_history(path, here, now_s);
  EXPECT_EQ(back.refused, "");
  EXPECT_GT(back.entries.size(), 2000);
  EXPECT_LT(back.entries.size(), history::keys_max);
}

TEST(HistoryFile, IsRefusedWhereItIsNoFile)
{
  const support::folder folder;
  EXPECT_EQ(read_history(folder.path(), here, now_s).refused, "it is no regular file");
  EXPECT_EQ(read_history("/dev/zero", here, now_s).refused, "it is no regular file");
  ASSERT_EQ(::mkfifo(folder.path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_history(folder.path("pipe"), here, now_s).refused, "it is no regular file");
  write(folder.path("empty"), "");
  EXPECT_EQ(read_history(folder.path("empty"), here, now_s).refused, "it is empty");
}

TEST(HistoryFile, SaysWhyItCannotBeWritten)
{
  const support::folder folder;
  EXPECT_EQ(write_history(folder.path("nowhere/history.json"), {entry("a", {1})}, here, now_s),
            "making it: No such file or directory");
  EXPECT_EQ(write_history(folder.path(), {entry("a", {1})}, here, now_s), "it is no regular file");
  EXPECT_EQ(folder.files(), 0);
}

TEST(HistoryFile, OutlivesALimitOfFileSizes)
{
  const support::folder folder;
  const auto path = folder.path("history.json");
  ASSERT_EQ(write_history(path, {entry("a", {1})}, here, now_s), "");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit none{16, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &none), 0);
  const auto why = write_history(path, {entry("b", {1})}, here, now_s);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(why, "writing it: File too large");
  EXPECT_EQ(folder.files(), 1);
  EXPECT_EQ(read_history(path, here, now_s).entries.size(), 1);
}

TEST(HistoryFile, IsReplacedWhereItIsRefused)
{
  const support::folder folder;
  const auto path = folder.path("history.json");
  write(path, "nonsense");
  EXPECT_EQ(write_history(path, {entry("a", {1})}, here, now_s), "it is a file of something else");
  write(path, R"({"format":"fastgpu-history/0"})");
  ASSERT_EQ(write_history(path, {entry("a", {1})}, here, now_s), "");
  EXPECT_EQ(read_history(path, here, now_s).entries.size(), 1);
}

TEST(HistoryFile, IsReadOrRefusedWhateverBytesAreChanged)
{
  const auto good = text_with({entry("a", {1, 2}), entry("b", {3})});
  int read = 0;
  int refused = 0;
  for (std::uint64_t seed = 1; seed <= 10'000; ++seed) {
    std::mt19937_64 random{seed};
    auto text = good;
    for (auto n = 1 + random() % 3; n > 0; --n) {
      const auto at = random() % text.size();
      switch (random() % 3) {
        case 0: text[at] = static_cast<char>(random()); break;
        case 1: text.erase(at, 1 + random() % 4); break;
        default: text.insert(at, 1, R"([]{},:"0-9.eE)"[random() % 13]); break;
      }
    }
    const auto found = parse_history(text, here, now_s);
    ++(found.refused.empty() ? read : refused);
    history all;
    for (const auto& e : found.entries) {
      all.take(e);
      const auto speed = all.speed({e.kernel, 0, e.device, e.size_class});
      ASSERT_TRUE(history::is_speed(speed)) << "seed " << seed;
    }
  }
  EXPECT_GT(read, 100);
  EXPECT_GT(refused, 1000);
}

TEST(HistoryFile, KnowsThisMachine)
{
  const auto machine = fastgpu::detail::this_machine();
  EXPECT_FALSE(machine.cpu.empty());
  EXPECT_GE(machine.cores, 1);
  EXPECT_EQ(machine, fastgpu::detail::this_machine());
}

}  // namespace
