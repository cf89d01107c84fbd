#pragma once

#include <compare>
#include <cstdint>

#include <fastgpu/error.hpp>

#include "nccl/communicator.hpp"
#include "nccl/reduction_plan.hpp"

/// @file
/// What the two sides of a group's reduction say to each other. Messages between a pair arrive in order and once, or no
/// more at all: what the sessions below promise.

namespace fastgpu::inline v0::detail {

/// Which reduction of a group, and which attempt at it: a message with an older one is void.
struct group_stamp {
  std::uint64_t reduction = 0;
  std::uint64_t epoch = 0;
  friend auto operator<=>(const group_stamp&, const group_stamp&) = default;
};

/// To a member.
struct group_command {
  enum class kind {
    make_id,     ///< For the communicator of the epoch.
    reduce,      ///< Be a rank of `group`. The first rank is the root.
    abort,       ///< Leave the communicator, and say so.
    send_input,  ///< The coordinator merges on the host.
    release,     ///< The value is committed: the input is free.
    dismiss,     ///< You are no longer a member, and your input has not been used: leave the communicator too.
  };
  kind what = kind::abort;
  group_stamp stamp;
  membership group{};      ///< reduce
  bool connected = false;  ///< reduce: its communicator was made by an earlier reduction.
};

/// From a member.
struct group_report {
  enum class kind {
    id,
    reduced,  ///< The collective is done here.
    failed,   ///< It is not, and will not be.
    aborted,
    input,
  };
  kind what = kind::failed;
  group_stamp stamp;
  communicator_id id{};   ///< id
  payload bytes{};        ///< reduced, of the root: the result; input: the input.
  failure why{};          ///< failed
  bool for_good = false;  ///< failed: there never will be a communicator.
};

}  // namespace fastgpu::inline v0::detail
