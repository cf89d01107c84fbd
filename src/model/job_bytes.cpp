#include "model/job_bytes.hpp"

#include <gsl/assert>

namespace fastgpu::inline v0::detail {
namespace {

double elements_of(const argument& a)
{
  double n = 1;
  for (int d = 0; d < a.rank; ++d) n *= static_cast<double>(a.extent[d]);
  return n;
}

}  // namespace

void add_bytes(job_profile& profile, const job_data& job)
{
  Expects(profile.subtasks > 0);
  const auto n = static_cast<double>(profile.subtasks);
  for (std::uint32_t i = 0; i < job.argument_count; ++i) {
    const auto& a = job.arguments[i];
    const auto bytes = elements_of(a) * a.element_bytes;
    if (a.kind == argument_kind::slices) profile.input_bytes += bytes / n;
    if (a.kind == argument_kind::gather) profile.output_bytes += bytes / n;
    if (a.kind == argument_kind::broadcast) profile.broadcast_bytes += bytes;
  }
  if (job.code->values != nullptr) {
    profile.value_bytes = static_cast<double>(job.code->values->bytes) * static_cast<double>(job.width);
  }
}

}  // namespace fastgpu::inline v0::detail
