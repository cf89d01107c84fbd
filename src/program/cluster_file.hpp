#pragma once

#include <string>

#include <fastgpu/model/calibrate.hpp>
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
///     broadcast = 0.5e9      # bytes a second of what all nodes are sent, and hash; as the link, if it is not there
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
///     steal = 2e-6           # seconds for a worker to get work from another
///
/// and what `fastgpu calibrate` says of itself, which is believed where and when it was measured alone:
///
///     [calibration]
///     date = "2026-11-21T20:30:00Z"
///     machine = "AMD EPYC, 2 cores"
///     version = "0.1.0"

namespace program {

struct described_cluster {
  fastgpu::cluster_model model;
  std::string currency;
};

/// @throws usage_error  for what is in it: file, line, key and what was expected; where it cannot be read; where it is a
///                      calibration that should not be used.
[[nodiscard]] described_cluster read_cluster(const std::string& path);

/// The costs of runs, of a calibration of this machine.
/// @throws usage_error  as read_cluster(), and where it is no calibration.
[[nodiscard]] fastgpu::run_costs read_calibrated_costs(const std::string& path);

/// What read_cluster() reads.
[[nodiscard]] std::string to_toml(const fastgpu::calibration& what);

}  // namespace program
