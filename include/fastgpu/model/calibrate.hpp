#pragma once

#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>

#include <fastgpu/cluster/cluster.hpp>
#include <fastgpu/data.hpp>
#include <fastgpu/detail/ref.hpp>
#include <fastgpu/error.hpp>
#include <fastgpu/job.hpp>
#include <fastgpu/kernel.hpp>
#include <fastgpu/model/prediction.hpp>
#include <fastgpu/register.hpp>
#include <fastgpu/seconds.hpp>

/// @file
/// Calibration: what devices, links and runs of this machine cost, by measuring them.

namespace fastgpu::inline v0 {

struct calibrate_options {
  seconds each{0.1};  ///< Runs of at least so long are timed; 0.001 to 10 s. A device takes some ten times as much.
  /// Told what is measured next, on the calling thread; null: nobody.
  void (*progress)(void* context, const char* what) = nullptr;
  void* context = nullptr;
};

/// A measured cluster, and when and where it was measured.
struct calibration {
  cluster_model model{};
  std::string date{};     ///< UTC: "2026-11-21T20:30:00Z".
  std::string machine{};  ///< The starting process's, as machine_name().
  std::string version{};  ///< Of the library.
};

/// This machine, as far as measurements depend on it: "AMD EPYC 7B13, 2 cores".
[[nodiscard]] FASTGPU_API std::string machine_name();

/// Why nothing should be predicted from `c` here and now: it is of another machine, another version of the library, more
/// than 30 days old, or from the future. Nothing where it may be used. @par Threads Any.
[[nodiscard]] FASTGPU_API std::optional<std::string> why_unusable(const calibration& c);

namespace detail {

/// Some integer operations: `rounds` times 3.
struct calibration_hash {
  std::uint32_t rounds;
  FASTGPU_HD std::uint64_t operator()(std::uint64_t i) const
  {
    for (std::uint32_t round = 0; round < rounds; ++round) i = (i ^ (i >> 29)) * 0xbf58476d1ce4e5b9;
    return i;
  }
};
FASTGPU_REGISTER("fastgpu.calibration.hash", calibration_hash)

/// Reads one element, of a slice or of what every node has.
struct calibration_read {
  FASTGPU_HD std::uint64_t operator()(std::uint64_t i, in1<std::uint64_t> from) const
  {
    return from(static_cast<std::int64_t>(i));
  }
};
FASTGPU_REGISTER("fastgpu.calibration.read", calibration_read)

/// A value of many elements.
struct calibration_tally {
  FASTGPU_HD void operator()(std::uint64_t i, tally<sum<std::uint64_t>> to) const
  {
    to.merge(static_cast<std::int64_t>(i) % to.width(), i);
  }
};
FASTGPU_REGISTER("fastgpu.calibration.tally", calibration_tally)

/// The jobs that are timed, made where kernels can be compiled for GPUs.
struct calibration_jobs {
  ref<const job_storage> (*hash)(std::uint32_t subtasks, std::uint32_t indices, std::uint32_t rounds);
  ref<const job_storage> (*read)(std::span<const std::uint64_t> data, std::uint32_t indices);
  ref<const job_storage> (*fetch)(std::span<const std::uint64_t> data, std::uint32_t subtasks);  ///< As a broadcast.
  ref<const job_storage> (*count)(std::uint32_t subtasks, std::uint32_t width);
};

/// @tparam Backend  What the including file's compiler can make entries for: an inline function of its own for each.
template <class Backend>
calibration_jobs calibration_jobs_for()
{
  static constexpr auto of = [](std::uint32_t subtasks, std::uint32_t indices) {
    return space<1>{std::int64_t{subtasks} * indices, by_size{indices}};
  };
  return {
      [](std::uint32_t subtasks, std::uint32_t indices, std::uint32_t rounds) {
        return make_job(of(subtasks, indices), calibration_hash{rounds}, reduced(sum<std::uint64_t>{})).storage();
      },
      [](std::span<const std::uint64_t> data, std::uint32_t indices) {
        return make_job(space<1>{std::ssize(data), by_size{indices}}, calibration_read{}, slices(data),
                        reduced(sum<std::uint64_t>{}))
            .storage();
      },
      [](std::span<const std::uint64_t> data, std::uint32_t subtasks) {
        return make_job(of(subtasks, 1), calibration_read{}, broadcast(data), reduced(sum<std::uint64_t>{})).storage();
      },
      [](std::uint32_t subtasks, std::uint32_t width) {
        return make_job(of(subtasks, 1), calibration_tally{}, reduced(sum<std::uint64_t>{}, width)).storage();
      }};
}

FASTGPU_API calibration calibrate(const ref<cluster_core>& on, const calibration_jobs& jobs,
                                  const calibrate_options& options);

}  // namespace detail

/// Measures the cluster's devices, its nodes' links, and what runs cost beside their subtasks: one device of each kind, by
/// runs on it alone. Nothing else should run on them meanwhile. What comes out is what predict() takes; speeds are
/// relative to a worker of the first device, at integer operations.
///
/// A node's kernels are those of its program: one that calls this function, as `fastgpu` does, has what is needed.
///
/// @return        This process's devices as the first node, then each node that is there. Where something is too small
///                to be told from noise it is 0: nothing is held up by it.
/// @throws error  errc::no_usable_device where there is none, errc::invalid_argument; what a node failed with.
/// @par Threads   As execute().
template <class Backend = detail::this_backend>
[[nodiscard]] calibration calibrate(const cluster& on, const calibrate_options& options = {})
{
  return detail::calibrate(on.core(), detail::calibration_jobs_for<Backend>(), options);
}

}  // namespace fastgpu::inline v0
