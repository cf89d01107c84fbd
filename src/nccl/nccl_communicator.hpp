#pragma once

#include <memory>

#include "nccl/communicator.hpp"

/// @file
/// Communicators by NCCL.

namespace fastgpu::inline v0::detail {

struct nccl_library;

/// For the GPU `on`, which outlives what comes back. Loads NCCL when a communicator is first wanted.
[[nodiscard]] std::unique_ptr<communicators> make_nccl_communicators(gpu& on);

/// By a library of the caller's, which outlives what comes back.
[[nodiscard]] std::unique_ptr<communicators> make_nccl_communicators(gpu& on, const nccl_library& library);

}  // namespace fastgpu::inline v0::detail
