#pragma once

#include <optional>
#include <ostream>
#include <string_view>

#include "detail/planted.hpp"

/// @file
/// The planted bugs by name.

namespace simulation {

using fastgpu::detail::bug;

struct named_bug {
  bug which;
  const char* name;
};

/// For test names.
inline void PrintTo(const named_bug& b, std::ostream* to) { *to << b.name; }

inline constexpr named_bug bugs[] = {
    {bug::no_fence, "no-fence"},
    {bug::fence_off_by_one, "fence-off-by-one"},
    {bug::folded_is_forgotten, "folded-is-forgotten"},
    {bug::revoke_ignored, "revoke-ignored"},
    {bug::eager_backup, "eager-backup"},
    {bug::any_seal_settles, "any-seal-settles"},
    {bug::no_retry_cap, "no-retry-cap"},
    {bug::early_acknowledgement, "early-acknowledgement"},
    {bug::seal_unwaited, "seal-unwaited"},
    {bug::granted_twice, "granted-twice"},
    {bug::runs_what_it_gave, "runs-what-it-gave"},
    {bug::dropped_ignored, "dropped-ignored"},
    {bug::moves_lost, "moves-lost"},
    {bug::no_acknowledgement, "no-acknowledgement"},
    {bug::early_start, "early-start"},
    {bug::overtaken_held, "overtaken-held"},
    {bug::staged_twice, "staged-twice"},
    {bug::split_suspects, "split-suspects"},
    {bug::robbed_for_ever, "robbed-for-ever"},
    {bug::shared_staging, "shared-staging"},
    {bug::waiting_forgotten, "waiting-forgotten"},
};

[[nodiscard]] inline std::optional<bug> bug_named(std::string_view name)
{
  for (const auto& b : bugs) {
    if (name == b.name) return b.which;
  }
  return std::nullopt;
}

}  // namespace simulation
