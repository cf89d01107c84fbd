#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <fastgpu/config.hpp>
#include <fastgpu/detail/value_table.hpp>
#include <fastgpu/result.hpp>

#include "cuda/gpu.hpp"

/// @file
/// Collectives among the members of a group, as one of its ranks sees them. The seam to NCCL, so that everything above
/// it is tested on machines without a GPU.

namespace fastgpu::inline v0::detail {

/// A member of a group, by a number that it keeps while the group changes.
struct member_id {
  std::uint32_t value = 0;
  friend auto operator<=>(member_id, member_id) = default;
};

/// What the ranks of one communicator find each other by. Serves once.
struct communicator_id {
  std::array<std::byte, 128> bytes{};
  friend bool operator==(const communicator_id&, const communicator_id&) = default;
};

/// Who reduces together. With every change of its members, and every new communicator, a group enters a new epoch.
struct membership {
  std::uint64_t epoch = 0;
  std::vector<member_id> members;  ///< A member's rank is its place here.
  communicator_id id;
};

struct reduce_request {
  const void* from = nullptr;  ///< [count] numbers; stays as it is.
  void* to = nullptr;          ///< Of the root: [count] numbers, not overlapping `from`. Undefined until done.
  std::size_t count = 0;
  scalar_kind scalar = scalar_kind::int64;
  merge_kind merge = merge_kind::sum;
  std::uint32_t root = 0;      ///< Rank that gets the result.
};

enum class communicator_status {
  starting,  ///< Not all ranks have met yet.
  ready,
  failed,    ///< why() tells; abort() and the destructor are all that is left.
};

enum class collective_status {
  under_way,
  done,
  failed,  ///< The result is undefined, and the communicator of no more use.
};

/// One rank's end. Nothing here waits: a rank that hangs leaves the others under way, and the deadline is theirs.
///
/// @par Threads  One at a time, all calls for one GPU from the thread that issues its work.
class FASTGPU_API communicator {
 public:
  /// Aborts what is under way.
  virtual ~communicator() = default;

  [[nodiscard]] virtual communicator_status status() = 0;

  /// Enqueues a collective, which all ranks must. Memory is that of the GPU, and stays until the collective is done or
  /// aborted. @pre  status() is ready, and none is under way.
  virtual void reduce(const reduce_request& request, gpu_stream on) = 0;
  /// `to` gets `bytes` bytes of each rank, in the order of ranks.
  virtual void all_gather(const void* from, void* to, std::size_t bytes, gpu_stream on) = 0;

  /// How the last collective is doing.
  [[nodiscard]] virtual collective_status poll() = 0;

  /// Ends what is under way, whatever the other ranks do.
  virtual void abort() noexcept = 0;

  [[nodiscard]] virtual const failure& why() const noexcept = 0;
};

/// Makes communicators for one GPU.
class FASTGPU_API communicators {
 public:
  virtual ~communicators() = default;

  /// For a new communicator, of which the caller becomes a rank.
  [[nodiscard]] virtual result<communicator_id> make_id() = 0;

  /// `me` joins the others. A failure means that there never will be a communicator here.
  /// @pre  `me` is one of at least two members.
  [[nodiscard]] virtual result<std::unique_ptr<communicator>> join(const membership& group, member_id me) = 0;
};

[[nodiscard]] FASTGPU_API bool is_member(const membership& group, member_id who);

/// The rank of `who`. @pre  It is a member.
[[nodiscard]] FASTGPU_API std::uint32_t rank_of(const membership& group, member_id who);

}  // namespace fastgpu::inline v0::detail
