#pragma once

/// @file
/// Bugs that tests can switch on in the state machines, to see that they would be found. In the library they are
/// constants, and nothing is left of them.

namespace fastgpu::inline v0::detail {

enum class bug {
  none,
  no_fence,             ///< What was said under an old job number is heard.
  fence_off_by_one,     ///< What was said under the job number before is heard.
  folded_is_forgotten,  ///< What a lost node had folded and not sealed is not run again.
  revoke_ignored,       ///< A node folds what was revoked.
  eager_backup,         ///< A backup counts at once.
  any_seal_settles,     ///< A backup wins with a seal that is no answer to the one that revoked it.
  no_retry_cap,         ///< What fails is tried for ever.
  early_acknowledgement,  ///< A partial is acknowledged before it counts.
  seal_unwaited,        ///< A node seals what is still running, and nobody counts.
  granted_twice,        ///< What was stolen stays with its victim, too.
  runs_what_it_gave,    ///< A node runs what it has given back.
  dropped_ignored,      ///< What a node dropped is not given to anyone.
  moves_lost,           ///< The ledger is not told of a steal.
  no_acknowledgement,   ///< Partials are not acknowledged.
  early_start,          ///< A node does not wait for a grant's data.
  overtaken_held,       ///< A node may not drop what a backup has won from it.
  staged_twice,         ///< A backup is asked of a node that runs one of the same already.
  split_suspects,       ///< Suspects are parts of spans.
  robbed_for_ever,      ///< What must not move any more is asked for again and again.
  shared_staging,       ///< A backup and a grant of the same run at a time, and write the same memory.
  waiting_forgotten,    ///< What waits for its data is not given back to the coordinator.
};

#if defined(FASTGPU_PLANTED_BUGS)
inline bug planted_bug = bug::none;
[[nodiscard]] inline bool planted(bug which) { return which == planted_bug; }
#else
[[nodiscard]] constexpr bool planted(bug) { return false; }
#endif

}  // namespace fastgpu::inline v0::detail
