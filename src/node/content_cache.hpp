#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>

#include "detail/mapped_bytes.hpp"
#include "net/messages.hpp"

/// @file
/// Broadcast data of a node, known by their hash: what came once need not come again.

namespace fastgpu::inline v0::detail {

/// Broadcast data, read-only, shared by all jobs that use them.
using content = std::shared_ptr<const mapped_bytes>;

/// The hash of some bytes.
[[nodiscard]] content_hash hash_of(std::span<const std::byte> bytes);

/// Contents that were used last, up to a bound in bytes. Those that leave it live on in the jobs that use them.
///
/// @par Threads  Any.
class content_cache {
 public:
  explicit content_cache(std::uint64_t bytes_max) : bytes_max_{bytes_max} {}

  /// Null where it is not here, or has another size.
  [[nodiscard]] content find(const content_hash& hash, std::size_t bytes);

  /// Takes in `bytes`. Null, with nothing taken in, where their hash is another: one coordinator must not choose what
  /// another's jobs read.
  /// @throws std::bad_alloc
  [[nodiscard]] content store(const content_hash& hash, std::span<const std::byte> bytes);

  /// Bytes that it holds.
  [[nodiscard]] std::uint64_t bytes() const;

 private:
  struct entry {
    content_hash hash;
    content what;
  };

  const std::uint64_t bytes_max_;
  mutable std::mutex mutex_;  // leaf lock: held for a lookup or an update, never while hashing
  std::list<entry> entries_;  // guarded by mutex_; the one used last is the first; few, for they are large
  std::uint64_t bytes_ = 0;   // guarded by mutex_
};

}  // namespace fastgpu::inline v0::detail
