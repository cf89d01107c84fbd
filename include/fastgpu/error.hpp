#pragma once

#include <cstdint>
#include <string>
#include <system_error>

#include <fastgpu/config.hpp>

/// @file
/// What can go wrong, in numbers that are only ever added to, and how it is told.

namespace fastgpu::inline v0 {

/// Error codes of the library. Numbers are part of the interface: new ones go to the end. (A run for which there was no
/// memory fails with std::errc::not_enough_memory.)
enum class errc {
  no_usable_device = 1,       ///< No device can take the job, or none is left.
  kernel_failed = 2,          ///< The kernel threw or raised its error flag: it would fail again.
  retries_exhausted = 3,      ///< A subtask failed on devices as often as is allowed.
  cancelled = 4,              ///< The run was cancelled before it had a value.
  deadline_exceeded = 5,      ///< The run's deadline passed before it had a value.
  kernel_not_registered = 6,  ///< A back end was asked for that has no entry for the program.
  placement_mismatch = 7,     ///< The placement belongs to a job of another shape, or does not cover it.
  invalid_argument = 8,       ///< An argument's value cannot be used; the detail names it.
  unsupported_reduction = 9,  ///< The reduction mode cannot serve this operation; the detail names both.
  too_many_subtasks = 10,     ///< More subtasks than 2^32 - 1: choose a larger granule.
  overlapping_data = 11,      ///< An output overlaps another argument.
  partial_too_large = 12,     ///< The forest of an ordered reduction would pass its bound in bytes.
  empty_reduction = 13,       ///< Nothing to reduce, and the operation has no identity.
  no_matching_device = 14,    ///< No device meets the job's requirements.
  device_failed = 15,         ///< A device could not carry out a batch; such batches are retried.
  device_lost = 16,           ///< A device is gone for the rest of the run.
  internal = 17,              ///< A self-check of the library failed: a defect, never a wrong answer.
  file_error = 18,            ///< A file could not be read or written; the detail names it.
  node_unreachable = 19,      ///< No connection to a node could be made.
  refused = 20,               ///< The peer, or this side, refused the other's credentials or rights.
  protocol_error = 21,        ///< The peer sent what the protocol does not allow, or another protocol's version.
  build_mismatch = 22,        ///< The peer's library or program was built differently.
  node_lost = 23,             ///< A node went away: its process died, or nothing is heard of it.
  credentials_error = 24,     ///< Credentials are missing, unsafe or unusable; the detail names the file.
  checkpoint_error = 25,      ///< A checkpoint cannot be used or written: damaged, of another job, in use; the detail names it.
};

/// The one instance, in src/error.cpp: categories compare by address.
[[nodiscard]] FASTGPU_API const std::error_category& category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(errc code) noexcept
{
  return {static_cast<int>(code), category()};
}

/// Why something did not happen: a code for programs, a sentence for people.
struct failure {
  std::error_code code;
  std::string detail{};      ///< E.g. "subtask 17 on device 0 (host:2): std::bad_alloc".
  std::int64_t subtask = -1;  ///< Which one, where it is one's fault; -1 else.
  std::int64_t device = -1;   ///< Number of the device it happened on; -1 where there is none.
};

/// Thrown by calls that cannot be carried out. what() is the detail, or the code's message where there is none.
class FASTGPU_API error : public std::system_error {
 public:
  explicit error(failure why);
  error(errc code, std::string detail);
  ~error() override;

  [[nodiscard]] const char* what() const noexcept override;

  /// The same as a value.
  [[nodiscard]] const failure& why() const noexcept { return why_; }

 private:
  failure why_;
};

}  // namespace fastgpu::inline v0

template <>
struct std::is_error_code_enum<fastgpu::errc> : std::true_type {};
