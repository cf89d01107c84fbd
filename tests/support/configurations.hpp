#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "support/process.hpp"

/// @file
/// The configurations over which a program's answer must not change, and what is expected of it in each.

namespace support {

enum granule : std::size_t { one, odd, huge };
using granules = std::array<std::string, 3>;  // a program's values of --granule

struct configuration {
  std::string devices;
  granule cut;
  std::string policy;
  std::string reduction;

  [[nodiscard]] arguments options(const granules& of_program) const
  {
    return {"--devices", devices, "--granule", of_program[cut], "--policy", policy, "--reduction", reduction};
  }
};

/// Every device list with every granule; policies and reductions so that each of their values meets each of the
/// others'.
///
/// The faulty devices of seeds 44 and 45 refuse nothing and die after a few batches, that of seed 1 refuses some and
/// never dies: nothing fails three times, which would end a run.
inline std::vector<configuration> pairwise()
{
  const arguments devices{"host:1", "host:2", "host:1*3", "host:1*7", "host:1,faulty:44*2", "host:2,faulty:1"};
  const arguments policies{"equal", "least_loaded", "by_speed"};
  const arguments reductions{"ordered", "exact"};
  std::vector<configuration> rows;
  for (std::size_t d = 0; d < devices.size(); ++d) {
    for (auto g : {one, odd, huge}) {
      rows.push_back({devices[d], g, policies[(d + g) % 3], reductions[(d / 3 + g) % 2]});
    }
  }
  return rows;
}

/// What faulty devices did in the runs looked at.
struct faults {
  std::uint64_t retries = 0;
  std::uint64_t lost = 0;

  void add(const json::object& report)
  {
    const auto& run = report.at("run").as_object();
    retries += run.at("retries").to_number<std::uint64_t>();
    for (const auto& device : run.at("devices").as_array()) lost += device.at("lost").as_bool() ? 1u : 0u;
  }
};

/// Runs a program with JSON on standard output, expects its answer to be the known one.
inline json::object expect_verified(const std::string& program, const arguments& options)
{
  process started{program, options + arguments{"--json", "-"}};
  const auto end = started.wait();
  EXPECT_EQ(end.status, 0) << started.name() << "\n" << end.err;
  auto report = report_of(end);
  EXPECT_EQ(report.at("outcome"), "done") << started.name();
  EXPECT_EQ(report.at("verified"), true) << started.name();
  return report;
}

inline std::string hash_of(const json::object& report)
{
  return report.at("run").at("result_hash").as_string().c_str();
}

/// Expects one hash of `program`, whose results are integers, over all configurations.
inline void expect_one_hash(const std::string& program, const arguments& options, const granules& cuts,
                     const std::string& hash, const std::vector<configuration>& rows = pairwise())
{
  faults seen;
  for (const auto& row : rows) {
    const auto all = options + row.options(cuts);
    SCOPED_TRACE(json::serialize(json::value_from(all)));
    const auto report = expect_verified(program, all);
    EXPECT_EQ(hash_of(report), hash);
    seen.add(report);
  }
  EXPECT_GT(seen.retries, 0u);
  EXPECT_GT(seen.lost, 0u);
}

}  // namespace support
