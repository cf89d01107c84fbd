#include "execute/choose_fold.hpp"

#include <string>

#include <fastgpu/error.hpp>

namespace fastgpu::inline v0::detail {

fold_kind choose_fold(const job_data& job, reduction mode)
{
  const auto* values = job.code->values;
  if (values == nullptr) return fold_kind::none;
  if (values->order_free) return fold_kind::single;
  switch (mode) {
    case reduction::ordered: return fold_kind::ordered;
    case reduction::fast:
      if (!values->commutative) {
        throw error{errc::unsupported_reduction, std::string{"reduction 'fast' needs a commutative operation, and "} +
                                                     values->name + " does not say that it is"};
      }
      return fold_kind::single;
    case reduction::exact:
      if (values->exact_bytes == 0 || job.code->vector_value) {
        throw error{errc::unsupported_reduction,
                    std::string{"reduction 'exact' serves sums of numbers or of a few fields, not "} + values->name +
                        (job.code->vector_value ? " over a vector" : "")};
      }
      return fold_kind::exact;
  }
  return fold_kind::ordered;
}

}  // namespace fastgpu::inline v0::detail
