#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "image/png.hpp"
#include "support/configurations.hpp"
#include "support/folder.hpp"
#include "support/process.hpp"

/// @file
/// The examples as their users meet them: started as processes, judged by exit status, output and JSON.

namespace {

using namespace support;

TEST(Configurations, CoverEveryPair)
{
  std::set<std::pair<std::string, std::string>> pairs;
  for (const auto& row : pairwise()) {
    const arguments values{row.devices, std::to_string(row.cut), row.policy, row.reduction};
    for (const auto& left : values) {
      for (const auto& right : values) {
        if (left < right) pairs.emplace(left, right);
      }
    }
  }
  EXPECT_EQ(pairs.size(), 6u * 3 + 6 * 3 + 6 * 2 + 3 * 3 + 3 * 2 + 3 * 2);
}

// Answers -----------------------------------------------------------------------------------------------------

TEST(NasEp, ClassSHasItsPublishedAnswerAndOneHashEverywhere)
{
  std::map<std::string, std::set<std::string>> hashes;  // a hash a granule in ordered, one in all in exact
  faults seen;
  for (const auto& row : pairwise()) {
    const auto all = arguments{"--class", "S"} + row.options({"1", "37", "1000000"});
    SCOPED_TRACE(json::serialize(json::value_from(all)));
    const auto report = expect_verified("nas_ep", all);
    EXPECT_EQ(report.at("m"), 24);
    EXPECT_EQ(report.at("kept"), 13'176'389);
    EXPECT_EQ(report.at("q"), (json::array{6'140'517, 5'865'300, 1'100'361, 68'546, 1'648, 17, 0, 0, 0, 0}));
    EXPECT_NEAR(report.at("sum_x").as_double(), -3.247834652034740e3, 3.3e-5);
    EXPECT_NEAR(report.at("sum_y").as_double(), -6.958407078382297e3, 7.0e-5);
    hashes[row.reduction == "exact" ? "exact" : "ordered, granule " + std::to_string(row.cut)].insert(hash_of(report));
    seen.add(report);
  }
  for (const auto& [which, found] : hashes) {
    EXPECT_EQ(found.size(), 1u) << which;
    EXPECT_EQ(found.begin()->size(), 64u) << which;
  }
  EXPECT_EQ(hashes.size(), 4u);
  EXPECT_GT(seen.retries, 0u);
  EXPECT_GT(seen.lost, 0u);
}

TEST(NasEp, IsVerifiedInFastToo)
{
  expect_verified("nas_ep", {"--reduction", "fast", "--devices", "host:1*3,faulty:44", "--granule", "3"});
}

TEST(NasEp, ClaimsNothingWhereNoAnswerIsPublished)
{
  const auto end = run("nas_ep", {"--m", "17", "--json", "-"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(report_of(end).at("verified"), nullptr);
}

// SHA-256 over total, inside and the counts, all computed apart from this program.
constexpr auto mandelbrot_hash = "4453084b0cf890960d62d93356765236bfb43385b137b87cef1da81fdc56a0f1";

TEST(Mandelbrot, HasItsKnownAnswerAndOneHashEverywhere)
{
  expect_one_hash("mandelbrot", {}, {"1", "7x13", "100000"}, mandelbrot_hash);
}

TEST(Mandelbrot, ReportsTotals)
{
  const auto report = expect_verified("mandelbrot", {});
  EXPECT_EQ(report.at("total"), 12'455'666);
  EXPECT_EQ(report.at("inside"), 44'334);
}

TEST(Mandelbrot, ClaimsNothingOfOtherPictures)
{
  const auto end = run("mandelbrot", {"--width", "3", "--height", "2", "--iterations", "5", "--json", "-"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(report_of(end).at("verified"), nullptr);
}

TEST(Mandelbrot, WritesThePictureWithTheLargerYOnTop)
{
  const folder here;
  const auto path = here.path("upper half.png");
  const auto end = run("mandelbrot", {"--width", "60", "--height", "30", "--y0", "0", "--out", path});
  ASSERT_EQ(end.status, 0) << end.err;
  const auto picture = std::get<image::picture<image::rgb>>(image::read_png(path));
  EXPECT_EQ(picture.size, (fastgpu::extents<2>{{30, 60}}));
  const auto is_black = [](const image::rgb& pixel) { return pixel == image::rgb{}; };
  const auto middle = picture.pixels.begin() + 15 * 60;
  EXPECT_LT(std::count_if(picture.pixels.begin(), middle, is_black), 20);
  EXPECT_GT(std::count_if(middle, picture.pixels.end(), is_black), 200);
}

TEST(Mandelbrot, WritesNoPictureOfAFailedRun)
{
  const folder here;
  const auto end = run("mandelbrot", {"--devices", "faulty:44", "--log-level", "off", "--out", here.path("x.png")});
  EXPECT_EQ(end.status, 1);
  EXPECT_TRUE(is_one_line(end.err)) << end.err;
  EXPECT_EQ(here.files(), 0u);
}

TEST(Uts, T3HasItsPublishedSizeAndOneHashEverywhere)
{
  auto rows = pairwise();
#if defined(__SANITIZE_ADDRESS__)
  // Four million nodes take seconds there: one granule of the three.
  std::erase_if(rows, [](const configuration& row) { return row.cut != one; });
#endif
  expect_one_hash("uts", {"--tree", "T3"}, {"1", "37", "1000000"},
                  "3157264536dd0583ac6847db7a326f8ef3410c5ab69d4ecf170712cb8f8ff366", rows);
}

TEST(Uts, T1HasItsPublishedSize)
{
  const auto report = expect_verified("uts", {"--tree", "T1", "--devices", "host:2", "--granule", "5"});
  EXPECT_EQ(report.at("nodes"), 4'130'071);
  EXPECT_EQ(report.at("depth"), 10);
  EXPECT_EQ(report.at("leaves"), 3'305'118);
  EXPECT_EQ(hash_of(report), "7cbfe885664e33eec03a86e1656033cfe5a0a0b0a59a3ea6f3680cb0472c69ab");
}

TEST(Uts, CountsATreeTooNarrowForAFrontier)
{
  for (const std::string devices : {"host:1", "host:2", "host:1*7", "host:1,faulty:44*2"}) {
    const auto report = expect_verified("uts", {"--devices", devices});  // the tree `default`
    EXPECT_EQ(report.at("nodes"), 1'732);
    EXPECT_EQ(report.at("depth"), 6);
    EXPECT_EQ(report.at("leaves"), 1'050);
    EXPECT_EQ(hash_of(report), "377b916141834c54e3af841bb8a4747da9f54c3e9a70603595f06334a78b55b5");
  }
}

TEST(Uts, KnowsANamedTreeByItsParameters)
{
  expect_verified("uts", {"--type", "1", "--shape", "3", "--depth", "10", "--branching", "4", "--root", "19"});
}

TEST(Uts, ClaimsNothingOfOtherTrees)
{
  const auto end = run("uts", {"--type", "0", "--branching", "5000", "--m", "2", "--q", "0.3", "--json", "-"});
  EXPECT_EQ(end.status, 0) << end.err;
  const auto report = report_of(end);
  EXPECT_EQ(report.at("verified"), nullptr);
  EXPECT_EQ(report.at("run").at("subtasks"), 5000);
}

// SHA-256 over the sorted keys, all computed apart from this program.
TEST(BlockSort, HasItsKnownAnswerAndOneHashEverywhere)
{
  expect_one_hash("block_sort", {"--count", "100003", "--seed", "5"}, {"1", "37", "1000000"},
                  "43d39b9c0545515875b26319d554f0dd3f5d4d18ae791621c1bb7c2a8e9fae5c");
  EXPECT_EQ(hash_of(expect_verified("block_sort", {"--devices", "host:2"})),
            "500c43d23bf1314c24b92e08dc5a184fd705ddef62e025e4aae6f4b87cbdd1cf");
}

TEST(BlockSort, SortsAnyCountInBlocksOfAnySize)
{
  const std::map<std::string, std::string> hashes{
      {"0", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"1", "b1ea54aac4b60a174caa9ef84ed951ea3122859c113b648cd3ba399993f7b8c2"},
      {"2", "a0a3b96990e1755d3dcb235cddcf9ef941c606bbbdd51adcc2de15ef2ba1023b"},
      {"3", "5964c1944ff8d2e99703219263b5e9c23c3e7bb1746277357f7aa52d5551a676"},
      {"1025", "96e71199aec2db5f0e0027eadbd51d55c3b2220677a1a40e30c04ccf084423f1"},
      {"65537", "234ea342f8d935feb8899cd42e825985b1dbefaf744cd62edc6a6eb1c2fb86af"}};
  for (const auto& [count, hash] : hashes) {
    for (const std::string granule : {"1", "2", "1000", "65536", "9223372036854775807"}) {
      const auto report = expect_verified("block_sort", {"--count", count, "--granule", granule, "--devices", "host:2"});
      EXPECT_EQ(hash_of(report), hash) << count << ", " << granule;
    }
  }
}

TEST(BlockSort, ReportsBlocksAndRounds)
{
  const auto report = expect_verified("block_sort", {"--count", "2049", "--granule", "512"});
  EXPECT_EQ(report.at("blocks"), 5);
  EXPECT_EQ(report.at("rounds"), 3);
  EXPECT_EQ(report.at("ascending"), true);
  EXPECT_EQ(report.at("same_keys"), true);
}

// Output ------------------------------------------------------------------------------------------------------

const arguments all_programs{"block_sort", "mandelbrot", "nas_ep", "uts"};

TEST(Programs, WriteNothingButJsonToStandardOutputWhereThatIsAskedFor)
{
  for (const auto& program : all_programs) {
    const auto end = run(program, {"--json", "-"});
    EXPECT_EQ(end.status, 0) << program;
    const auto report = report_of(end);
    EXPECT_EQ(report.at("schema"), 1) << program;
    EXPECT_EQ(report.at("program").as_string(), program);
    EXPECT_EQ(report.at("outcome"), "done") << program;
    for (const auto* key :
         {"wall_s", "devices", "subtasks", "batches", "steals", "retries", "reduction", "result_hash"}) {
      EXPECT_TRUE(report.at("run").as_object().contains(key)) << program << ": " << key;
    }
    EXPECT_NE(end.err.find("VERIFIED\n"), std::string::npos) << program << ": " << end.err;
  }
}

TEST(Programs, SayVerifiedOnStandardOutputAndNothingOnStandardError)
{
  for (const auto& program : all_programs) {
    const auto end = run(program, {"--progress"});  // no terminal, no bar
    EXPECT_EQ(end.status, 0) << program;
    EXPECT_NE(end.out.find("\nVERIFIED\n"), std::string::npos) << program << ": " << end.out;
    EXPECT_EQ(end.err, "") << program;
  }
}

TEST(Programs, HoldPredictionsAgainstRuns)
{
  const auto end = run("nas_ep", {"--class", "S", "--devices", "host:1", "--repeat", "2", "--predict", "--json", "-"});
  EXPECT_EQ(end.status, 0);
  const auto report = report_of(end);
  const auto& runs = report.at("runs").as_array();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_TRUE(runs[0].at("run").at("predicted").is_null());
  EXPECT_EQ(runs[0].at("run").at("not_predicted"), "device 0 (host:1) has not been measured at this kernel");
  EXPECT_GT(runs[1].at("run").at("predicted").at("wall_s").to_number<double>(), 0);
  EXPECT_NE(end.err.find("no prediction: device 0 (host:1) has not been measured at this kernel\n"), std::string::npos);
  EXPECT_NE(end.err.find("\nexecute  "), std::string::npos) << end.err;
  EXPECT_EQ(run("nas_ep", {"--class", "S"}).out.find("predict"), std::string::npos);
}

TEST(Programs, GoByTheHistoryOfEarlierOnes)
{
  const folder here;
  for (const int measured : {0, 1}) {
    const auto report = expect_verified("nas_ep", {"--class", "S", "--history", here.path("speeds.json")});
    EXPECT_EQ(report.at("run").at("measured_share").to_number<int>(), measured);
  }
}

TEST(Programs, ReportEachRepetition)
{
  for (const auto& program : all_programs) {
    const auto end = run(program, {"--repeat", "2", "--json", "-"});
    EXPECT_EQ(end.status, 0) << program;
    const auto report = report_of(end);
    const auto& runs = report.at("runs").as_array();
    ASSERT_EQ(runs.size(), 2u) << program;
    EXPECT_EQ(runs[0].at("verified"), true) << program;
    EXPECT_EQ(runs[0].at("run").at("result_hash"), runs[1].at("run").at("result_hash")) << program;
  }
}

TEST(Programs, PrintHelpAndVersion)
{
  for (const auto& program : all_programs) {
    const auto help = run(program, {"--help"});
    EXPECT_EQ(help.status, 0) << program;
    EXPECT_NE(help.out.find("--devices"), std::string::npos) << program;
    EXPECT_EQ(help.err, "") << program;
    const auto version = run(program, {"--version"});
    EXPECT_EQ(version.status, 0) << program;
    EXPECT_TRUE(is_one_line(version.out)) << program << ": " << version.out;
    EXPECT_EQ(version.err, "") << program;
  }
}

// Bad use -----------------------------------------------------------------------------------------------------

void expect_refused(const std::string& program, const arguments& options, int status)
{
  process started{program, options};
  const auto end = started.wait();
  EXPECT_EQ(end.status, status) << started.name();
  EXPECT_TRUE(is_one_line(end.err)) << started.name() << ": " << end.err;
  EXPECT_EQ(end.err.substr(0, program.size() + 2), program + ": ") << started.name();
}

TEST(Programs, RefuseWrongCommonOptionsInOneLine)
{
  for (const auto& program : all_programs) {
    for (const arguments& options : std::vector<arguments>{{"--bogus"},
                                                           {"extra"},
                                                           {"--devices"},
                                                           {"--devices", "host:0"},
                                                           {"--devices", "host:1*0"},
                                                           {"--devices", "host:x"},
                                                           {"--devices", "host:1,"},
                                                           {"--devices", "toaster:1"},
                                                           {"--devices", "paced:-1"},
                                                           {"--granule", "0"},
                                                           {"--granule", "-1"},
                                                           {"--granule", "7x"},
                                                           {"--granule", "1x1x1"},
                                                           {"--granule", "99999999999999999999"},
                                                           {"--policy", "fair"},
                                                           {"--reduction", "approximate"},
                                                           {"--repeat", "0"},
                                                           {"--checkpoint", "x", "--repeat", "2"},
                                                           {"--log-level", "loud"}}) {
      expect_refused(program, options, 2);
    }
  }
}

TEST(NasEp, RefusesWrongOptionsInOneLine)
{
  for (const arguments& options : std::vector<arguments>{{"--class", "D"},
                                                         {"--class", "s"},
                                                         {"--m", "15"},
                                                         {"--m", "41"},
                                                         {"--m", "x"},
                                                         {"--class", "S", "--m", "24"}}) {
    expect_refused("nas_ep", options, 2);
  }
}

TEST(Mandelbrot, RefusesWrongOptionsInOneLine)
{
  for (const arguments& options : std::vector<arguments>{{"--width", "0"},
                                                         {"--height", "-1"},
                                                         {"--width", "1e3"},
                                                         {"--width", "1000001"},
                                                         {"--width", "20000", "--height", "20000"},
                                                         {"--iterations", "0"},
                                                         {"--iterations", "4294967297"},
                                                         {"--x0", "1", "--x1", "1"},
                                                         {"--y0", "2", "--y1", "1"},
                                                         {"--x0", "nan"},
                                                         {"--y1", "inf"},
                                                         {"--x0", "-1.7e308", "--x1", "1.7e308"}}) {
    expect_refused("mandelbrot", options, 2);
  }
}

TEST(Uts, RefusesWrongOptionsInOneLine)
{
  for (const arguments& options : std::vector<arguments>{{"--tree", "T2"},
                                                         {"--tree", "T1", "--depth", "9"},
                                                         {"--type", "2"},
                                                         {"--shape", "1"},
                                                         {"--depth", "-1"},
                                                         {"--branching", "nan"},
                                                         {"--branching", "-1"},
                                                         {"--type", "0", "--m", "8", "--q", "0.125"},
                                                         {"--type", "0", "--m", "101", "--q", "0"},
                                                         {"--type", "0", "--branching", "1e9"},
                                                         {"--root", "-1"},
                                                         {"--root", "4294967296"},
                                                         {"--granule", "2x2"}}) {
    expect_refused("uts", options, 2);
  }
}

TEST(BlockSort, RefusesWrongOptionsInOneLine)
{
  for (const arguments& options : std::vector<arguments>{{"--count", "-1"},
                                                         {"--count", "1e3"},
                                                         {"--count", "4294967297"},
                                                         {"--seed", "-1"},
                                                         {"--seed", "4294967296"},
                                                         {"--granule", "2x2"}}) {
    expect_refused("block_sort", options, 2);
  }
}

TEST(Programs, ReportOutputsThatCannotBeWrittenInOneLine)
{
  for (const auto& program : all_programs) {
    for (const auto* option : {"--json", "--trace"}) {
      for (const auto* path : {"/nonexistent/x", "/", "/dev/full"}) expect_refused(program, {option, path}, 1);
    }
  }
}

TEST(Mandelbrot, ReportsAPictureThatCannotBeWrittenInOneLine)
{
  for (const auto* path : {"/nonexistent/x.png", "/", "/dev/full", "/proc/x.png"}) {
    expect_refused("mandelbrot", {"--out", path}, 1);
  }
}

TEST(Mandelbrot, LooksAtItsOutputBeforeTheWork)
{
  // Hours, were it done first.
  const arguments much{"--width", "16384", "--height", "16384", "--iterations", "1000000"};
  expect_refused("mandelbrot", much + arguments{"--out", "/nonexistent/x.png"}, 1);
}

TEST(Programs, WriteJsonOfAFailureToo)
{
  const auto end = run("mandelbrot", {"--out", "/nonexistent/x.png", "--json", "-"});
  EXPECT_EQ(end.status, 1);
  const auto report = report_of(end);
  EXPECT_EQ(report.at("outcome"), "failed");
  EXPECT_EQ(report.at("error").at("detail"), "/nonexistent/x.png: cannot write: No such file or directory");
}

TEST(NasEp, GoesOnFromItsCheckpointAfterASignal)
{
  const folder files;
  const auto checkpoint = files.path("run.checkpoint");
  const auto size = [&] { return std::filesystem::exists(checkpoint) ? std::filesystem::file_size(checkpoint) : 0; };
  process started{"nas_ep", {"--checkpoint", checkpoint, "--devices", "paced:50", "--granule", "1"}};  // five seconds
  for (int i = 0; i < 500 && size() == 0; ++i) std::this_thread::sleep_for(10ms);
  const auto header = size();
  for (int i = 0; i < 500 && size() == header; ++i) std::this_thread::sleep_for(10ms);
  started.send(SIGINT);
  EXPECT_EQ(started.wait().status, 1);
  EXPECT_GT(size(), header);
  const arguments again{"--checkpoint", checkpoint, "--devices", "host:2", "--granule", "1"};
  const auto report = expect_verified("nas_ep", again);
  EXPECT_EQ(hash_of(report), hash_of(expect_verified("nas_ep", {"--granule", "1"})));
  EXPECT_LT(report.at("run").at("devices").at(0).at("subtasks").as_int64(), 256);
  EXPECT_EQ(hash_of(expect_verified("nas_ep", again)), hash_of(report));  // nothing is left to do
  const auto other = run("nas_ep", {"--checkpoint", checkpoint, "--class", "W"});
  EXPECT_EQ(other.status, 1);
  EXPECT_TRUE(is_one_line(other.err)) << other.err;
}

TEST(Programs, EndSoonAfterASignal)
{
  for (const int signal : {SIGINT, SIGTERM}) {
    process started{"nas_ep", {"--class", "C", "--json", "-"}};  // far from done when the signal comes
    std::this_thread::sleep_for(300ms);
    const auto sent = std::chrono::steady_clock::now();
    started.send(signal);
    const auto end = started.wait();
    EXPECT_LT(std::chrono::steady_clock::now() - sent, 2s);
    EXPECT_EQ(end.status, 1);
    EXPECT_TRUE(is_one_line(end.err)) << end.err;
    const auto report = report_of(end);
    EXPECT_EQ(report.at("outcome"), "cancelled");
    EXPECT_EQ(report.at("run").at("outcome"), "cancelled");
  }
}

}  // namespace
