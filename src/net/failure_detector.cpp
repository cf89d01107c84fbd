#include "net/failure_detector.hpp"

#include <gsl/assert>

namespace fastgpu::inline v0::detail {

failure_detector::failure_detector(seconds suspect_after, seconds dead_after, seconds now)
    : suspect_after_s_{suspect_after.count}, dead_after_s_{dead_after.count}, heard_s_{now.count}
{
  Expects(suspect_after_s_ > 0 && suspect_after_s_ <= dead_after_s_);
}

// Sums are compared and not differences, so that at the very time that suspect_at() names the verdict has changed.
failure_detector::verdict failure_detector::judge(seconds now) const noexcept
{
  if (now.count >= dead_at().count) return verdict::dead;
  if (now.count >= suspect_at().count) return verdict::suspect;
  return verdict::alive;
}

}  // namespace fastgpu::inline v0::detail
