#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <fastgpu/detail/program.hpp>

#include "aggregate/partial.hpp"
#include "detail/interval_set.hpp"
#include "execute/checkpoint_format.hpp"

/// @file
/// The file from which a run resumes: committed partials, one after the other, each on the disk before it counts.

namespace fastgpu::inline v0::detail {

/// Who this job is, in this program.
/// @param numeric_class  Of all devices that may take part; empty: any.
[[nodiscard]] checkpoint_identity identity_of(const job_data& job, fold_kind fold, std::string numeric_class);

/// One run's file, locked while this lives.
///
/// @par Threads  One at a time.
class checkpoint {
 public:
  /// Opens `path` and reads all that it holds, or begins it.
  /// @throws error  errc::checkpoint_error, with the file's name: used by another run, damaged, of another job or build,
  ///                or it cannot be read or made.
  checkpoint(std::string path, const checkpoint_identity& identity, checkpoint_shape shape);
  ~checkpoint();
  checkpoint(const checkpoint&) = delete;
  checkpoint& operator=(const checkpoint&) = delete;

  /// What need not be run.
  [[nodiscard]] const interval_set& saved() const noexcept { return contents_.saved; }

  /// Reads the values of what was saved, and copies blocks to the job's outputs. Once, before append().
  /// @return  Null where nothing was saved.
  /// @throws error  errc::checkpoint_error where a record holds no partial of the job
  [[nodiscard]] std::unique_ptr<partial> load(const job_data& job, fold_kind fold, memory_source& memory) const;

  /// Writes a partial as pack_partial() gave it, and waits until it is on the disk.
  /// @throws error  errc::checkpoint_error: it is not there, and the file ends with the record before it
  void append(const interval_set& fold_set, std::span<const std::byte> packed);

 private:
  class file;
  std::unique_ptr<file> file_;
  checkpoint_header header_;
  checkpoint_shape shape_;
  checkpoint_contents contents_;
};

}  // namespace fastgpu::inline v0::detail
