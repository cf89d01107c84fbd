#pragma once

/// @file
/// The ranks of the NCCL item are processes of this program.

namespace measured {

/// What such a process does in place of everything else. @return  Its exit status.
int run_nccl_rank(int argc, char** argv);

inline constexpr const char* nccl_rank_option = "--nccl-rank";

}  // namespace measured
