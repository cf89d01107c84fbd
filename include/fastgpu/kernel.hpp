#pragma once

#include <cstddef>
#include <cstdint>

#include <fastgpu/config.hpp>
#include <fastgpu/detail/atomic_merge.hpp>
#include <fastgpu/ids.hpp>

/// @file
/// What kernels may ask of the library while they run.

namespace fastgpu::inline v0 {

/// The accumulator of a vector reduction, as a kernel sees it: `width` values, each merged by the operation.
template <class Op>
class tally {
 public:
  using value_type = typename Op::value_type;

  FASTGPU_HD constexpr tally(value_type* values, std::int64_t width, const Op* op)
      : values_{values}, width_{width}, op_{op}
  {
  }

  /// Merges `value` into element `at`. @pre 0 <= at < width().
  FASTGPU_HD constexpr void merge(std::int64_t at, const value_type& value) const
  {
#if defined(FASTGPU_DETAIL_ON_GPU)
    if constexpr (sizeof(value_type) == 4 || sizeof(value_type) == 8) {
      detail::atomic_merge(values_ + at, value, *op_);
      return;
    }
#endif
    values_[at] = (*op_)(values_[at], value);  // on a GPU only where one thread has the vector for itself
  }
  FASTGPU_HD constexpr std::int64_t width() const { return width_; }

 private:
  value_type* values_;
  std::int64_t width_;
  const Op* op_;
};

/// In fastgpu/cuda/context.hpp, for kernels that launch their own work on a GPU.
class cuda_context;
template <int N>
class cuda_batch;

/// Given to kernels that ask for it as their first parameter, once a block: `f(host_context&, block<N>, views...)`.
///
/// @par Threads  Belongs to the thread that runs the block.
class FASTGPU_API host_context {
 public:
  /// The device that runs the block.
  [[nodiscard]] device_id device() const noexcept { return device_; }

  /// `bytes` of memory, aligned to 64, that last until the block's kernel returns. Their content is undefined.
  /// @throws std::bad_alloc
  [[nodiscard]] std::byte* scratch(std::size_t bytes);

  /// True once the run was cancelled or is past its deadline: a long block may then return early; its output is
  /// thrown away.
  [[nodiscard]] bool stop_requested() const noexcept;

  /// Raises the kernel's error flag: the run fails with errc::kernel_failed, naming the subtask and `why`, of which the
  /// first 255 characters are kept.
  void fail(const char* why) noexcept;

  host_context(const host_context&) = delete;
  host_context& operator=(const host_context&) = delete;

 protected:
  host_context() = default;
  ~host_context() = default;

  device_id device_{};
  const int* stop_ = nullptr;  // read through std::atomic_ref
  bool failed_ = false;
  char failure_[256] = {};
  std::byte* scratch_ = nullptr;
  std::size_t scratch_bytes_ = 0;
};

}  // namespace fastgpu::inline v0
