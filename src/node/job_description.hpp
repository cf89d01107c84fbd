#pragma once

#include <cstdint>
#include <optional>

#include <fastgpu/detail/program.hpp>
#include <fastgpu/error.hpp>

#include "net/messages.hpp"

/// @file
/// A job without its data, as one process tells it another: how it is written down, and what is checked of what was.

namespace fastgpu::inline v0::detail {

/// Of the elements alone: rows may be further apart than they are long.
[[nodiscard]] content_hash hash_of_data(const argument& a);

/// Why no other process can run the job, whatever its devices: nothing where one can.
[[nodiscard]] std::optional<failure> why_not_remote(const job_data& job);

/// Writes the job down. Hashes what it broadcasts, so it is called once a job and not once a node.
/// @throws error  What why_not_remote() says.
[[nodiscard]] job_description describe_job(const job_data& job, fold_kind fold);

/// Why `what` fits in no message: nothing where it does.
[[nodiscard]] std::optional<failure> why_not_sent(const open_job& what);

/// What a job from elsewhere may ask of this process.
struct received_job_limits {
  std::uint64_t data_bytes_max = std::uint64_t{1} << 40;   ///< Of all data, touched or not; of one block with its halo.
  std::uint64_t value_bytes_max = std::uint64_t{1} << 30;  ///< Of one value of the reduction, or one exact state.
};

/// Why `job` is no job of program `code` that can run here: nothing where it is one. Nothing in it is taken for granted
/// but what its vectors and strings are; afterwards all of it can be. (But the kernel: it is a program's code over bytes
/// that are the coordinator's, and reads as far as it reads. Who may send jobs is trusted to send kernels.)
[[nodiscard]] std::optional<failure> check_description(const job_description& job, const program& code,
                                                       const received_job_limits& limits);

/// The shape in a description that was checked.
[[nodiscard]] space_shape shape_of(const job_description& job);

/// Whether `range` is made of whole spans of the job, at least one: what devices can be given.
[[nodiscard]] bool is_range_of(const job_data& job, interval range) noexcept;

}  // namespace fastgpu::inline v0::detail
