#pragma once

#include <string>

#include <fastgpu/model/prediction.hpp>

/// @file
/// Clusters described in a TOML file:
///
///     currency = "EUR"
///     uplink = 1.25e9        # bytes a second of this process's link, for all nodes together
///
///     [[node]]               # nodes that are alike; without `bandwidth`, this process itself
///     name = "a"
///     count = 4
///     latency = 50e-6        # seconds, there and back
///     bandwidth = 1.25e9     # bytes a second
///     price = 8.0            # of each, an hour
///
///     [[node.device]]        # devices of each that are alike
///     name = "gpu"
///     count = 8
///     workers = 1            # subtasks at a time
///     speed = 40.0           # of a worker, relative to one of the device that the job is measured on
///     batch = 8e-6           # seconds that a batch takes beyond its subtasks
///     bandwidth = 25e9       # bytes a second of copies to it
///
///     [costs]                # of a run
///     start = 1e-3           # seconds until workers are at work
///     seal = 5e-6            # seconds to close a worker's partial
///     merge = 5e9            # bytes a second

namespace program {

struct described_cluster {
  fastgpu::cluster_model model;
  std::string currency;
};

/// @throws usage_error         for what is in it: file, line, key and what was expected.
/// @throws std::runtime_error  where it cannot be read.
[[nodiscard]] described_cluster read_cluster(const std::string& path);

}  // namespace program
