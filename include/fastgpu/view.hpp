#pragma once

#include <cstdint>

#include <fastgpu/config.hpp>
#include <fastgpu/index.hpp>

/// @file
/// What a kernel sees of its data arguments: views addressed by *global* indices, wherever the bytes lie.

namespace fastgpu::inline v0 {

/// A view of N-dimensional data with the global index of its first element. Does not own; trivially
/// copyable. Rows are contiguous: the last coordinate has stride one.
///
/// A kernel must stay inside [origin, origin + shape): for a slice that is the subtask's block grown by
/// the halo; nothing checks it.
template <class T, int N>
class basic_view {
 public:
  basic_view() = default;
  FASTGPU_HD constexpr basic_view(T* data, index<N> origin, extents<N> shape, index<N> stride)
      : data_{data}, origin_{origin}, shape_{shape}, stride_{stride}
  {
  }

  FASTGPU_HD constexpr T& operator()(std::int64_t i) const requires(N == 1) { return data_[i - origin_[0]]; }
  FASTGPU_HD constexpr T& operator[](std::int64_t i) const requires(N == 1) { return data_[i - origin_[0]]; }
  FASTGPU_HD constexpr T& operator()(std::int64_t row, std::int64_t column) const requires(N == 2)
  {
    return data_[(row - origin_[0]) * stride_[0] + (column - origin_[1])];
  }
  FASTGPU_HD constexpr T& operator()(std::int64_t plane, std::int64_t row, std::int64_t column) const requires(N == 3)
  {
    return data_[(plane - origin_[0]) * stride_[0] + (row - origin_[1]) * stride_[1] + (column - origin_[2])];
  }
  FASTGPU_HD constexpr T& operator()(index<N> at) const
  {
    std::int64_t offset = at[N - 1] - origin_[N - 1];
    for (int d = 0; d + 1 < N; ++d) offset += (at[d] - origin_[d]) * stride_[d];
    return data_[offset];
  }

  FASTGPU_HD constexpr T* data() const { return data_; }
  FASTGPU_HD constexpr index<N> origin() const { return origin_; }   ///< Global index of data()[0].
  FASTGPU_HD constexpr extents<N> shape() const { return shape_; }   ///< Elements in each dimension.
  FASTGPU_HD constexpr index<N> stride() const { return stride_; }   ///< In elements; the last is 1.

 private:
  T* data_ = nullptr;
  index<N> origin_{};
  extents<N> shape_{};
  index<N> stride_{};
};

template <class T> using in1 = basic_view<const T, 1>;
template <class T> using in2 = basic_view<const T, 2>;
template <class T> using in3 = basic_view<const T, 3>;
template <class T> using out1 = basic_view<T, 1>;
template <class T> using out2 = basic_view<T, 2>;
template <class T> using out3 = basic_view<T, 3>;

}  // namespace fastgpu::inline v0
