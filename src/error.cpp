#include <fastgpu/error.hpp>

#include <utility>

namespace fastgpu::inline v0 {
namespace {

class library_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "fastgpu"; }

  std::string message(int code) const override
  {
    switch (static_cast<errc>(code)) {
      case errc::no_usable_device: return "no usable device";
      case errc::kernel_failed: return "the kernel failed";
      case errc::retries_exhausted: return "a subtask failed too often";
      case errc::cancelled: return "cancelled";
      case errc::deadline_exceeded: return "deadline exceeded";
      case errc::kernel_not_registered: return "the kernel is not registered for this back end";
      case errc::placement_mismatch: return "the placement does not belong to this job";
      case errc::invalid_argument: return "invalid argument";
      case errc::unsupported_reduction: return "the reduction mode does not serve this operation";
      case errc::too_many_subtasks: return "too many subtasks";
      case errc::overlapping_data: return "an output overlaps another argument";
      case errc::partial_too_large: return "the partial is too large for an ordered reduction";
      case errc::empty_reduction: return "nothing to reduce and no identity";
      case errc::no_matching_device: return "no device meets the requirements";
      case errc::device_failed: return "a device failed";
      case errc::device_lost: return "a device was lost";
      case errc::internal: return "internal self-check failed";
      case errc::file_error: return "file error";
      case errc::node_unreachable: return "node unreachable";
      case errc::refused: return "refused";
      case errc::protocol_error: return "protocol error";
      case errc::build_mismatch: return "built differently";
      case errc::node_lost: return "node lost";
      case errc::credentials_error: return "unusable credentials";
      case errc::checkpoint_error: return "unusable checkpoint";
    }
    return "unknown error " + std::to_string(code);
  }
};

}  // namespace

const std::error_category& category() noexcept
{
  static const library_category instance;
  return instance;
}

error::error(failure why) : std::system_error{why.code}, why_{std::move(why)} {}

error::error(errc code, std::string detail) : error{failure{make_error_code(code), std::move(detail)}} {}

const char* error::what() const noexcept
{
  return why_.detail.empty() ? std::system_error::what() : why_.detail.c_str();
}

error::~error() = default;

}  // namespace fastgpu::inline v0
