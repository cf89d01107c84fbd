#pragma once

#include <nccl.h>

#include <string>

#include <fastgpu/result.hpp>

/// @file
/// NCCL, loaded when it is first asked for: programs link without it and start on machines that have none.

namespace fastgpu::inline v0::detail {

/// The functions that are used, of one loaded library.
struct nccl_library {
  decltype(&ncclGetVersion) get_version = nullptr;
  decltype(&ncclGetUniqueId) get_unique_id = nullptr;
  decltype(&ncclCommInitRankConfig) comm_init_rank_config = nullptr;
  decltype(&ncclCommGetAsyncError) comm_get_async_error = nullptr;
  decltype(&ncclCommAbort) comm_abort = nullptr;
  decltype(&ncclReduce) reduce = nullptr;
  decltype(&ncclAllGather) all_gather = nullptr;
  decltype(&ncclGetErrorString) get_error_string = nullptr;
  decltype(&ncclGetLastError) get_last_error = nullptr;
  int version = 0;  ///< As ncclGetVersion() has it: 22809 is 2.28.9.
};

/// The oldest library that is used. Older ones have known deadlocks in abort.
inline constexpr int nccl_version_min = NCCL_VERSION(2, 28, 0);

/// Loads the library at `path`, or where the loader finds libnccl.so.2 if it is empty. Never unloads it: its threads
/// outlive their communicators.
///
/// @return  A failure of one line where it is absent, too old or lacks a function.
[[nodiscard]] result<nccl_library> load_nccl(const std::string& path);

/// The process's NCCL: where the environment's FASTGPU_NCCL_LIBRARY says, as of a Python wheel, else where the loader
/// looks.
///
/// @par Threads  Any.
/// @par Cost     The first call loads it.
[[nodiscard]] const result<nccl_library>& nccl();

}  // namespace fastgpu::inline v0::detail
