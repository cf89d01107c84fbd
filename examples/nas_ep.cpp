#include <cmath>
#include <cstdio>
#include <map>
#include <string>

#include <fastgpu/fastgpu.hpp>

#include "nas_ep_kernel.hpp"
#include "program/command_line.hpp"
#include "program/sha256.hpp"

/// @file
/// NAS EP, the embarrassingly parallel benchmark: pairs of normal deviates by the polar method, counted in square
/// annuli. Definition and answers: NASA reports RNR-91-002 and RNR-94-007.

FASTGPU_REGISTER("example.ep_block", ep_block, ep_sum)

struct known_answer {
  double sum_x;
  double sum_y;
  std::uint64_t kept;
};
const std::map<int, known_answer> answers{{24, {-3.247834652034740e3, -6.958407078382297e3, 13176389}},
                                          {25, {-2.863319731645753e3, -6.320053679109499e3, 26354769}},
                                          {28, {-4.295875165629892e3, -1.580732573678431e4, 210832767}},
                                          {32, {4.764367927995374e4, -8.084072988043731e4, 3373275903}}};

/// Whether the published answer is met: 1e-8 relative on both sums, the count exactly.
bool verify(const ep_tally& t, const known_answer& known)
{
  constexpr double tolerance = 1e-8;
  return t.kept == known.kept && std::fabs((t.sum_x - known.sum_x) / known.sum_x) <= tolerance &&
         std::fabs((t.sum_y - known.sum_y) / known.sum_y) <= tolerance;
}

bool run(program::session& s, int m)
{
  const auto job = fastgpu::make_job(s.space(std::int64_t{1} << (m - block_log2), 1), ep_block{},
                                     fastgpu::reduced(ep_sum{}));
  const ep_tally t = s.run(job);

  program::sha256 hash;
  hash.add(t.sum_x).add(t.sum_y).add(t.kept);
  boost::json::array q;
  for (auto count : t.q) {
    hash.add(count);
    q.push_back(count);
  }
  s.set_result_hash(hash.hex());
  s.fields = {{"m", m}, {"sum_x", t.sum_x}, {"sum_y", t.sum_y}, {"kept", t.kept}, {"q", q}, {"verified", nullptr}};

  char line[160];
  std::snprintf(line, sizeof line, "EP 2^%d pairs: sum x %.15e, sum y %.15e, kept %llu", m, t.sum_x, t.sum_y,
                static_cast<unsigned long long>(t.kept));
  s.print(line);
  const auto known = answers.find(m);
  if (known == answers.end()) {
    s.print("no answer is published for this size");
    return true;
  }
  const bool verified = verify(t, known->second);
  s.fields["verified"] = verified;
  s.print(verified ? "VERIFIED" : "NOT VERIFIED");
  return verified;
}

int main(int argc, char** argv)
{
  program::command_line line{"nas_ep", "NAS EP: 2^m pairs of normal deviates, with the published answers"};
  std::string size = "S";
  int m = 0;
  line.app().add_option("--class", size, "S, W, A, B or C: 2^24, 2^25, 2^28, 2^30 or 2^32 pairs")
      ->check(CLI::IsMember({"S", "W", "A", "B", "C"}))
      ->capture_default_str();
  line.app()
      .add_option("--m", m, "2^m pairs, instead of a class")
      ->check(CLI::Range(block_log2, 40))
      ->excludes("--class");
  return line.run(argc, argv, [&](program::session& s) {
    static const std::map<std::string, int> sizes{{"S", 24}, {"W", 25}, {"A", 28}, {"B", 30}, {"C", 32}};
    return run(s, m != 0 ? m : sizes.at(size));
  });
}
