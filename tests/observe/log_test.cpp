#include <fastgpu/observe/log.hpp>  // first: shows that the header stands alone

#include <atomic>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/error.hpp>

namespace {

using fastgpu::errc;
using fastgpu::log_level;
using fastgpu::set_log;
using fastgpu::detail::log_enabled;
using fastgpu::detail::log_line;

/// Collects lines, and leaves the log as it was.
class Log : public testing::Test {
 protected:
  ~Log() override { set_log(log_level::warning); }

  static void keep(void* context, log_level level, std::string_view line)
  {
    auto& lines = *static_cast<std::vector<std::string>*>(context);
    lines.push_back(std::to_string(static_cast<int>(level)) + " " + std::string{line});
  }

  std::vector<std::string> lines_;
};

constexpr log_level all_levels[] = {log_level::trace,   log_level::debug, log_level::info,
                                    log_level::warning, log_level::error, log_level::off};

TEST_F(Log, ReportsWarningsAndErrorsToStandardErrorAtFirst)
{
  testing::internal::CaptureStderr();
  log_line(log_level::info, "not this");
  log_line(log_level::warning, "a device was lost");
  log_line(log_level::error, "the run failed");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "fastgpu: warning: a device was lost\nfastgpu: error: the run failed\n");
}

TEST_F(Log, SendsLinesOfItsLevelAndAboveToTheSink)
{
  testing::internal::CaptureStderr();
  for (const auto level : all_levels) {
    if (level == log_level::off) continue;
    lines_.clear();
    set_log(level, &keep, &lines_);
    std::vector<std::string> expected;
    for (const auto of : all_levels) {
      if (of == log_level::off) continue;
      EXPECT_EQ(log_enabled(of), of >= level);
      log_line(of, "line");
      if (of >= level) expected.push_back(std::to_string(static_cast<int>(of)) + " line");
    }
    EXPECT_EQ(lines_, expected);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(Log, SendsNothingWhenItIsOff)
{
  set_log(log_level::off, &keep, &lines_);
  for (const auto of : all_levels) {
    if (of != log_level::off) log_line(of, "line");
  }
  EXPECT_TRUE(lines_.empty());
}

TEST_F(Log, GoesBackToStandardErrorWithoutASink)
{
  set_log(log_level::trace, &keep, &lines_);
  set_log(log_level::trace);
  testing::internal::CaptureStderr();
  log_line(log_level::trace, std::string_view{"cut here, not there", 8});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "fastgpu: trace: cut here\n");
  EXPECT_TRUE(lines_.empty());
}

TEST_F(Log, FindsLevelsByName)
{
  const char* names[] = {"trace", "debug", "info", "warning", "error", "off"};
  for (std::size_t i = 0; i < std::size(names); ++i) EXPECT_EQ(fastgpu::log_level_named(names[i]), all_levels[i]);
}

TEST_F(Log, NamesTheLevelsThatExist)
{
  for (const std::string name : {"", "Info", "warn", "verbose"}) {
    try {
      (void)fastgpu::log_level_named(name);
      ADD_FAILURE() << name;
    } catch (const fastgpu::error& e) {
      EXPECT_EQ(e.code(), errc::invalid_argument);
      EXPECT_EQ(e.what(), "log level '" + name + "': expected trace, debug, info, warning, error or off");
    }
  }
}

TEST_F(Log, CallsOneSinkAtATimeAndNoFormerOne)
{
  struct counting_sink {
    int inside = 0;  // a second call at the same time would race on these
    int lines = 0;
    int overlaps = 0;
    std::atomic<bool> closed = false;
    std::atomic<int> late = 0;
    static void take(void* context, log_level, std::string_view)
    {
      auto& me = *static_cast<counting_sink*>(context);
      if (++me.inside != 1) ++me.overlaps;
      if (me.closed.load()) ++me.late;
      ++me.lines;
      --me.inside;
    }
  };
  constexpr int lines_of_each = 2000;
  counting_sink sinks[2];
  set_log(log_level::info, &counting_sink::take, &sinks[0]);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < lines_of_each; ++i) log_line(log_level::info, "line");
      });
    }
    for (int i = 1; i <= 200; ++i) {
      sinks[i % 2].closed = false;
      set_log(log_level::info, &counting_sink::take, &sinks[i % 2]);
      sinks[(i + 1) % 2].closed = true;  // from here on it must not be called
      std::this_thread::yield();
    }
  }
  set_log(log_level::off);
  EXPECT_EQ(sinks[0].lines + sinks[1].lines, 3 * lines_of_each);
  for (const auto& sink : sinks) {
    EXPECT_EQ(sink.overlaps, 0);
    EXPECT_EQ(sink.late.load(), 0);
  }
}

}  // namespace
