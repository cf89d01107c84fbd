#pragma once

#include "support/emulated_backend.hpp"  // first: these jobs have entries for GPUs

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "aggregate/partial.hpp"
#include "cuda/gpu.hpp"
#include "device/host_device.hpp"
#include "support/gpu_jobs.hpp"
#include "support/gpu_under_test.hpp"

/// @file
/// Jobs that reduce vectors of doubles that tell every order, by tallies and by launches of their own.

namespace support {

/// A vector for each index, by a kernel that launches for itself, a vector a subtask. On cores it tallies.
struct gradients {
  std::int64_t width = 1;
  std::uint32_t subtasks_max = ~0u;  ///< Larger batches find no memory for what they launch.
  std::uint32_t fails_at = ~0u;      ///< A subtask at which the launch throws.

  static double element(std::int64_t i, std::int64_t k) { return rough(static_cast<std::uint64_t>(i * 1009 + k)); }

  void operator()(fastgpu::cuda_context& gpu, const fastgpu::cuda_batch<1>& batch, double* values) const
  {
    using fastgpu::detail::gpu_error;
    if (batch.size() > subtasks_max) throw gpu_error{gpu_error::kind::out_of_memory, "no memory to launch"};
    const auto first = batch.first_subtask();
    if (fails_at - first < batch.size()) throw std::runtime_error{"as it was told to"};
    gpu.enqueue([n = width, batch, values] {
      for (std::uint32_t s = 0; s < batch.size(); ++s) {
        const auto b = batch[s];
        for (std::int64_t k = 0; k < n; ++k) {
          double sum = 0;
          for (auto i = b.begin[0]; i < b.end[0]; ++i) sum += element(i, k);
          values[s * n + k] = sum;
        }
      }
    });
  }
  void operator()(fastgpu::host_context&, fastgpu::block<1> b, fastgpu::tally<fastgpu::sum<double>> to) const
  {
    for (auto i = b.begin[0]; i < b.end[0]; ++i) {
      for (std::int64_t k = 0; k < width; ++k) to.merge(k, element(i, k));
    }
  }
};

/// The same sum by a tally on GPUs too.
inline auto tallied_gradients(std::int64_t n, std::int64_t granule, std::int64_t width)
{
  return fastgpu::make_job(
      fastgpu::space(n, fastgpu::by_size{granule}),
      [](std::uint64_t i, fastgpu::tally<fastgpu::sum<double>> to) {
        for (std::int64_t k = 0; k < to.width(); ++k) to.merge(k, gradients::element(static_cast<std::int64_t>(i), k));
      },
      fastgpu::reduced(fastgpu::sum<double>{}, width));
}
inline auto launched_gradients(std::int64_t n, std::int64_t granule, const gradients& kernel)
{
  return fastgpu::make_job(fastgpu::space(n, fastgpu::by_size{granule}), kernel,
                           fastgpu::reduced(fastgpu::sum<double>{}, kernel.width));
}

template <class V>
std::vector<V> vector_of(fastgpu::detail::partial& of, std::int64_t width)
{
  std::vector<V> value(static_cast<std::size_t>(width));
  of.value(value.data());
  return value;
}

/// What one thread of the host makes of all subtasks.
template <class V, class Job>
std::vector<V> on_host(const Job& job, fastgpu::detail::fold_kind fold = fastgpu::detail::fold_kind::ordered)
{
  const int stop = 0;
  fastgpu::detail::host_device host{{}, 1, "host"};
  const auto session = host.open({&job.data(), fold, &stop, 0});
  EXPECT_EQ(run_batches(*session, {{0, job.data().shape.count}}), fastgpu::detail::batch_status::done);
  return vector_of<V>(*session->seal().values, job.data().width);
}

inline fastgpu::gpu_options resident_from(std::uint64_t bytes)
{
  fastgpu::gpu_options options;
  options.resident_bytes_min = bytes;
  return options;
}

}  // namespace support
