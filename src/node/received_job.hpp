#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <fastgpu/job.hpp>
#include <fastgpu/result.hpp>

#include "detail/interval_set.hpp"
#include "detail/mapped_bytes.hpp"
#include "detail/memory.hpp"
#include "net/messages.hpp"
#include "node/content_cache.hpp"
#include "node/job_description.hpp"

/// @file
/// A job that came from a coordinator, as this process's executor runs it.

namespace fastgpu::inline v0::detail {

/// A job rebuilt from its description. Data have their place from the start, all of it at its global indices, so that
/// kernels run unchanged; only what came or was written costs memory.
///
/// @par Threads  store_piece() before anything runs that needs the piece, one call at a time; data that are being read
///               do not come again. The rest as job_storage.
class received_job final : public job_storage {
 public:
  /// @return  errc::kernel_not_registered where nobody here knows the kernel; errc::build_mismatch where it has other
  ///          types or sizes here; errc::invalid_argument where the description is none.
  /// @param contents  Outlives the job.
  /// @throws std::bad_alloc
  [[nodiscard]] static result<ref<received_job>> make(const job_description& what, content_cache& contents,
                                                      const received_job_limits& limits = {});

  [[nodiscard]] fold_kind fold() const noexcept { return fold_; }

  /// Of address space that its slices and outputs take, touched or not.
  [[nodiscard]] std::uint64_t data_bytes() const noexcept;

  /// Broadcast arguments whose content is not here yet. While there are any, nothing of the job can run.
  [[nodiscard]] std::vector<std::uint32_t> missing() const;

  /// Puts a piece of an argument's data into its place, a broadcast's also into the cache.
  /// @return  Why it is none of this job's, with nothing taken over.
  /// @throws std::bad_alloc
  [[nodiscard]] std::optional<failure> store_piece(const job_data_piece& piece, std::span<const std::byte> bytes);

  /// Frees memory of outputs: those of `subtasks` are committed. Pages that other subtasks share stay.
  void give_back(const interval_set& subtasks) noexcept;

 private:
  received_job(const job_description& what, const program& code, content_cache& contents);

  content_cache& contents_;
  fold_kind fold_;
  aligned_bytes kernel_;
  aligned_bytes operation_;
  std::vector<argument> arguments_;
  std::vector<aligned_bytes> values_;  // by argument; null for others
  std::vector<mapped_bytes> places_;   // by argument, of slices and outputs; empty for others
  std::vector<content_hash> hashes_;   // by argument, of broadcasts
  std::vector<content> broadcasts_;    // by argument; null until it has come, and for others
};

}  // namespace fastgpu::inline v0::detail
