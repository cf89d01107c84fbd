#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include <gsl/assert>

#include <fastgpu/config.hpp>
#include <fastgpu/detail/argument.hpp>
#include <fastgpu/detail/border.hpp>
#include <fastgpu/index.hpp>
#include <fastgpu/view.hpp>

/// @file
/// Data arguments of kernels: what the data are, and how they travel.
///
/// Lvalues are borrowed until the run's outcome is delivered, rvalues of containers are moved into the job.
/// Inputs must not change meanwhile. Outputs are borrowed always.

namespace fastgpu::inline v0 {

/// N-dimensional data in the user's memory: rows contiguous, planes and rows at strides. Does not own.
template <class T, int N>
struct data_view {
  T* data = nullptr;
  extents<N> shape{};
  index<N> stride{};  ///< In elements; the last one is 1.
  memory where{};     ///< Host memory unless said otherwise.

  /// Number of elements.
  [[nodiscard]] constexpr std::size_t size() const { return static_cast<std::size_t>(shape.count()); }

  data_view() = default;
  constexpr data_view(T* first, extents<N> size, memory kind = {}) : data{first}, shape{size}, where{kind}
  {
    stride[N - 1] = 1;
    for (int d = N - 2; d >= 0; --d) stride[d] = stride[d + 1] * size[d + 1];
  }
  /// With rows (and planes) further apart than they are long.
  constexpr data_view(T* first, extents<N> size, index<N> strides, memory kind = {})
      : data{first}, shape{size}, stride{strides}, where{kind}
  {
    Expects(strides[N - 1] == 1);
  }
};

/// `rows` x `columns` elements, row-major. `pitch` is the distance of rows in elements, 0 for `columns`.
template <class T>
[[nodiscard]] constexpr data_view<T, 2> matrix(T* first, std::int64_t rows, std::int64_t columns,
                                               std::int64_t pitch = 0)
{
  Expects(rows >= 0 && columns >= 0 && (pitch == 0 || pitch >= columns));
  return {first, extents<2>{{rows, columns}}, index<2>{{pitch == 0 ? columns : pitch, 1}}};
}

/// `planes` x `rows` x `columns` elements, row-major and dense.
template <class T>
[[nodiscard]] constexpr data_view<T, 3> volume(T* first, std::int64_t planes, std::int64_t rows, std::int64_t columns)
{
  Expects(planes >= 0 && rows >= 0 && columns >= 0);
  return {first, extents<3>{{planes, rows, columns}}};
}

namespace detail {

/// A container whose elements lie in a row: what can be borrowed as a one-dimensional view.
template <class C>
concept contiguous = requires(C& c) {
  { *c.data() };
  { c.size() };
};

template <class C>
using element_of = std::remove_reference_t<decltype(*std::declval<C&>().data())>;

struct nothing {};

/// An argument whose data the user keeps, with `Owned` moved in where the user gave it away.
template <class View, bool PerBlock, class Owned = nothing>
struct data_argument {
  using view_type = View;
  static constexpr bool per_block = PerBlock;  ///< The view changes with the block.
  argument what{};
  Owned owned{};
};

template <class T, int N>
argument describe(argument_kind kind, const data_view<T, N>& data)
{
  static_assert(std::is_trivially_copyable_v<std::remove_const_t<T>>,
                "fastgpu: elements travel as bytes, so their type must be trivially copyable");
  argument a;
  a.kind = kind;
  a.where = data.where;
  a.rank = N;
  a.element_bytes = sizeof(T);
  a.data = const_cast<std::remove_const_t<T>*>(data.data);
  for (int d = 0; d < N; ++d) {
    a.extent[d] = data.shape[d];
    a.stride[d] = data.stride[d];
  }
  return a;
}

template <class C>
data_view<element_of<C>, 1> as_view(C& c)
{
  return {c.data(), extents<1>{{static_cast<std::int64_t>(c.size())}}};
}

/// A temporary that owns its elements is moved into the job; one that only looks at them would dangle.
template <class C>
constexpr void refuse_view_of_temporary()
{
  static_assert(!std::is_trivially_destructible_v<C>,
                "fastgpu: a view of a temporary would dangle: name the data, or move the container in");
}

}  // namespace detail

/// The whole of `data`, read by every subtask; travels once a node. The kernel sees in1/in2/in3.
template <class T, int N>
[[nodiscard]] auto broadcast(data_view<T, N> data)
{
  using element = std::remove_const_t<T>;
  return detail::data_argument<basic_view<const element, N>, false>{
      detail::describe(detail::argument_kind::broadcast, data)};
}
template <detail::contiguous C>
[[nodiscard]] auto broadcast(C& data)
{
  return broadcast(detail::as_view(data));
}
template <detail::contiguous C>
  requires(!std::is_lvalue_reference_v<C>)
[[nodiscard]] auto broadcast(C&& data)
{
  using element = std::remove_const_t<detail::element_of<C>>;
  detail::refuse_view_of_temporary<C>();
  // Moving a container keeps its buffer, so the description stays right.
  auto what = detail::describe(detail::argument_kind::broadcast, detail::as_view(data));
  return detail::data_argument<basic_view<const element, 1>, false, C>{what, std::move(data)};
}

/// The part of `data` that a subtask's block covers. The data have the shape of the iteration space. The kernel sees
/// in1/in2/in3 with global indices.
template <class T, int N>
[[nodiscard]] auto slices(data_view<T, N> data)
{
  using element = std::remove_const_t<T>;
  return detail::data_argument<basic_view<const element, N>, false>{
      detail::describe(detail::argument_kind::slices, data)};
}
template <detail::contiguous C>
[[nodiscard]] auto slices(C& data)
{
  return slices(detail::as_view(data));
}
template <detail::contiguous C>
  requires(!std::is_lvalue_reference_v<C>)
[[nodiscard]] auto slices(C&& data)
{
  detail::refuse_view_of_temporary<C>();
  using element = std::remove_const_t<detail::element_of<C>>;
  auto what = detail::describe(detail::argument_kind::slices, detail::as_view(data));
  return detail::data_argument<basic_view<const element, 1>, false, C>{what, std::move(data)};
}

/// The same, grown by `halo` elements on every side. Positions outside the data are filled by `edge` (with `fill`
/// for border::constant) at the transfer, so kernels never test for edges.
template <class T, int N>
[[nodiscard]] auto slices(data_view<T, N> data, std::int64_t halo, border edge, std::remove_const_t<T> fill = {})
{
  using element = std::remove_const_t<T>;
  static_assert(sizeof(element) <= detail::fill_bytes_max, "fastgpu: elements of slices with a halo: 64 bytes at most");
  Expects(halo >= 0 && halo <= detail::halo_max);
  auto what = detail::describe(detail::argument_kind::slices, data);
  what.halo = halo;
  what.edge = static_cast<std::uint8_t>(edge);
  std::memcpy(what.fill, &fill, sizeof fill);
  return detail::data_argument<basic_view<const element, N>, true>{what};
}
template <detail::contiguous C>
[[nodiscard]] auto slices(C& data, std::int64_t halo, border edge, std::remove_const_t<detail::element_of<C>> fill = {})
{
  return slices(detail::as_view(data), halo, edge, fill);
}
template <detail::contiguous C>
  requires(!std::is_lvalue_reference_v<C>)
[[nodiscard]] auto slices(C&& data, std::int64_t halo, border edge,
                          std::remove_const_t<detail::element_of<C>> fill = {})
{
  detail::refuse_view_of_temporary<C>();
  using element = std::remove_const_t<detail::element_of<C>>;
  auto what = slices(detail::as_view(data), halo, edge, fill).what;
  return detail::data_argument<basic_view<const element, 1>, true, C>{what, std::move(data)};
}

/// Output: each block fills its part of `out`, which has the shape of the iteration space. The kernel sees out1/out2/out3
/// with global indices, writes every element of its block, and nothing outside: then every element has one writer, also
/// when a subtask runs again. What it leaves out is undefined: a GPU fills a copy that does not begin with what was there.
template <class T, int N>
[[nodiscard]] auto gather(data_view<T, N> out)
{
  static_assert(!std::is_const_v<T>, "fastgpu: gather() writes: its data must not be const");
  return detail::data_argument<basic_view<T, N>, false>{detail::describe(detail::argument_kind::gather, out)};
}
template <detail::contiguous C>
[[nodiscard]] auto gather(C& out)
{
  return gather(detail::as_view(out));
}

/// Output of any shape: the kernel knows which elements are its block's own, and stays inside.
template <class T, int N>
[[nodiscard]] auto scatter(data_view<T, N> out)
{
  auto any = gather(out);
  any.what.free_shape = true;
  return any;
}
template <detail::contiguous C>
[[nodiscard]] auto scatter(C& out)
{
  return scatter(detail::as_view(out));
}
template <detail::contiguous C>
  requires(!std::is_lvalue_reference_v<C> && !std::is_trivially_destructible_v<C>)
auto gather(C&& out) = delete;  // the output would be gone before anyone could read it

}  // namespace fastgpu::inline v0
