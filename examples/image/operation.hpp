#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <fastgpu/data.hpp>
#include <fastgpu/index.hpp>
#include <fastgpu/view.hpp>

#include "image/kernels.hpp"
#include "image/png.hpp"

/// @file
/// Operations on pictures: their text form, and how each is made of kernels, whoever runs these.

namespace image {

struct mean_options {
  int size = 0;  ///< Edge of the window, odd.
};
struct gaussian_options {
  int size = 0;  ///< Edge of the window, odd.
  double sigma = 0;
};
struct sobel_options {};
struct canny_options {
  std::int32_t low = 0, high = 0;  ///< As canny_classes holds them: rounded down, squared for l2.
  norm measure = norm::l1;
};
enum class morphology : std::uint8_t { dilate, erode, open, close };
struct morphology_options {
  morphology kind = morphology::dilate;
  int size = 0;  ///< Edge of the structuring element, odd.
  element shape = element::rect;
};
struct resize_options {
  double factor = 0;
  interpolation method = interpolation::bilinear;
};
struct rotate_options {
  double angle = 0;  ///< Degrees counter-clockwise, [0, 360).
};
struct flip_options {
  axis along = axis::h;
};

/// One operation, checked.
struct operation {
  std::string name;  ///< "mean", "gaussian" and so on.
  std::string text;  ///< As the user wrote it.
  std::variant<mean_options, gaussian_options, sobel_options, canny_options, morphology_options, resize_options,
               rotate_options, flip_options>
      what;
};

/// Reads an operation, NAME:key=value,... Every key at most once, in any order:
///
///   mean:size=         gaussian:size=,sigma=     sobel     canny:low=,high=[,norm=l1|l2]
///   dilate|erode|open|close:size=[,shape=rect|cross]
///   resize:factor=[,method=nearest|bilinear]     rotate:angle=     flip:axis=h|v
///
/// What is in brackets may be left out: l1, rect, bilinear.
///
/// @throws std::invalid_argument  One line that names the operation, the key and what was expected.
[[nodiscard]] operation parse_operation(std::string_view text);

/// Grey or colour with channels of another type.
template <class Channel>
using planes = std::variant<picture<Channel>, picture<color<Channel>>>;

/// What an operation gives: the picture, and what is reported beside it.
struct outcome {
  any_picture result{};
  std::optional<double> sum_unrounded{};     ///< gaussian: see sum_of().
  std::optional<planes<std::int16_t>> gx{};  ///< sobel.
  std::optional<planes<std::int16_t>> gy{};  ///< sobel.
  std::optional<std::uint64_t> edges{};      ///< canny: edge pixels.
};

/// Sum over all pixels and channels. Exact.
[[nodiscard]] std::uint64_t sum_of(const any_picture& what);
/// Sum of magnitudes over all pixels and channels. Exact.
[[nodiscard]] std::uint64_t sum_abs_of(const planes<std::int16_t>& what);
/// Sum over all pixels and channels, row by row, with the rounding errors summed up beside it and added at the
/// end: within an ulp or two of the exact sum for pictures of any size.
/// @see  A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", ZAMM 54, 1974.
[[nodiscard]] double sum_of(const planes<double>& what);

/// The pixels' bytes; see bytes_of(picture).
template <class... Pictures>
[[nodiscard]] std::span<const std::byte> bytes_of(const std::variant<Pictures...>& what)
{
  return std::visit([](const auto& picture) { return bytes_of(picture); }, what);
}

/// By distance from the centre; zero beyond size / 2. In both dimensions the same, proportional to
/// exp(-d^2 / (2 sigma^2)) and of sum 1.
/// @pre size is odd, 1 <= size <= size_max, sigma >= 0.01.
[[nodiscard]] std::array<double, radius_max + 1> gaussian_weights(int size, double sigma);

/// Cosine and sine in the fixed point of the kernel `rotate`.
struct fixed_angle {
  std::int64_t cosine, sine;
};
[[nodiscard]] fixed_angle fixed_angle_of(double degrees);

/// Size of a picture after resize: each side times factor, rounded to nearest, at least 1.
/// @throws std::runtime_error  The result would have a side longer than side_max or, at `pixel_bytes` a pixel,
///                             more than picture_bytes_max bytes.
[[nodiscard]] fastgpu::extents<2> resized(fastgpu::extents<2> size, double factor, int pixel_bytes);

/// Second half of Canny's hysteresis, serial: joins the components that touch across the borders of tiles, and
/// gives 255 for every pixel of a component with a strong pixel, else 0.
///
/// @param tile    Rows and columns of the tiles that label_tile worked on, counted from the upper left corner.
/// @param labels  [rows, columns] as label_tile left them; used as working memory, undefined afterwards.
/// @pre   tile[0] >= 1, tile[1] >= 1 and fewer than 2^31 - 1 pixels.
[[nodiscard]] picture<std::uint8_t> unite_tiles(fastgpu::extents<2> size, fastgpu::extents<2> tile,
                                                std::span<std::int32_t> labels);

/// Canny's hysteresis: 255 for every weak or strong pixel that a path of such pixels, 8 neighbours each, joins to
/// a strong one, else 0. The same for every tile size.
///
/// @param classes  [size[0], size[1]] of pixel_class.
/// @pre   As unite_tiles().
[[nodiscard]] picture<std::uint8_t> hysteresis(fastgpu::extents<2> size, fastgpu::extents<2> tile,
                                               std::span<const std::uint8_t> classes);

/// Runs kernels one cell, or one tile, after the other in the calling thread: the reference that every other way of running
/// them is held against, and the model of a Runner. Nothing here is fast.
class sequential {
 public:
  /// Pictures are cut into tiles of this size, the last ones smaller; by default there is one tile.
  explicit sequential(fastgpu::extents<2> tile = {{side_max, side_max}}) : tile_{tile} {}

  /// Rows and columns of the tiles that a picture is cut into by tiles().
  [[nodiscard]] fastgpu::extents<2> tile(fastgpu::extents<2> /*size*/) const { return tile_; }

  /// kernel(at, in, out...) for every pixel `at` of the outputs, which have the size of `in`, or kernel(team, tile, in,
  /// out...) for every tile; `in` comes as slices with `halo` filled by `edge`.
  template <class Kernel, class In, class... Out>
  void slices(const Kernel& kernel, const picture<In>& in, int halo, fastgpu::border edge, picture<Out>&... out) const
  {
    for_each_tile(in.size, [&](const fastgpu::block<2>& tile) {
      const picture<In> slice = cut(in, tile, halo, edge);
      const fastgpu::in2<In> view{
          slice.pixels.data(), {{tile.begin[0] - halo, tile.begin[1] - halo}}, slice.size, {{slice.size[1], 1}}};
      if constexpr (std::is_invocable_v<const Kernel&, fastgpu::index<2>, fastgpu::in2<In>, fastgpu::out2<Out>...>) {
        for_each_cell(tile, [&](fastgpu::index<2> at) { kernel(at, view, out.view()...); });
      } else {
        std::vector<std::max_align_t> shared(Kernel::shared_bytes / sizeof(std::max_align_t) + 1);
        kernel(fastgpu::team{reinterpret_cast<std::byte*>(shared.data()), Kernel::shared_bytes}, tile, view, out.view()...);
      }
    });
  }

  /// kernel(at, in, out) for every pixel `at` of the output; `in` comes whole.
  template <class Kernel, class In, class Out>
  void whole(const Kernel& kernel, const picture<In>& in, picture<Out>& out) const
  {
    for_each_tile(out.size, [&](const fastgpu::block<2>& tile) {
      for_each_cell(tile, [&](fastgpu::index<2> at) { kernel(at, in.view(), out.view()); });
    });
  }

  /// kernel(team, tile, in, out) for every tile of the output, which has the size of `in`.
  template <class Kernel, class In, class Out>
  void tiles(const Kernel& kernel, const picture<In>& in, picture<Out>& out) const
  {
    for_each_tile(out.size, [&](const fastgpu::block<2>& tile) {
      kernel(fastgpu::team{nullptr, 0}, tile, in.view(), out.view());
    });
  }

 private:
  /// Where index i of a side of n lies when it is outside.
  static std::int64_t inside(std::int64_t i, std::int64_t n, fastgpu::border edge)
  {
    if (edge == fastgpu::border::replicate || n == 1) return i < 0 ? 0 : i < n ? i : n - 1;
    const std::int64_t period = 2 * (n - 1);  // there and back; the two ends occur once
    const std::int64_t phase = (i % period + period) % period;
    return phase < n ? phase : period - phase;
  }

  template <class In>
  static picture<In> cut(const picture<In>& in, const fastgpu::block<2>& tile, int halo, fastgpu::border edge)
  {
    picture<In> slice{fastgpu::extents<2>{{tile.size(0) + 2 * halo, tile.size(1) + 2 * halo}}};
    for_each_cell({{}, {{slice.size[0], slice.size[1]}}}, [&](fastgpu::index<2> at) {
      slice.view()(at) = in.view()(inside(tile.begin[0] - halo + at[0], in.size[0], edge),
                                   inside(tile.begin[1] - halo + at[1], in.size[1], edge));
    });
    return slice;
  }

  template <class Function>
  void for_each_tile(fastgpu::extents<2> size, const Function& function) const
  {
    fastgpu::block<2> tile;
    for (std::int64_t row = 0; row < size[0]; row += tile_[0]) {
      for (std::int64_t column = 0; column < size[1]; column += tile_[1]) {
        tile.begin = {{row, column}};
        tile.end = {{std::min(row + tile_[0], size[0]), std::min(column + tile_[1], size[1])}};
        function(tile);
        ++tile.subtask;
      }
    }
  }

  template <class Function>
  static void for_each_cell(const fastgpu::block<2>& tile, const Function& function)
  {
    for (std::int64_t row = tile.begin[0]; row < tile.end[0]; ++row) {
      for (std::int64_t column = tile.begin[1]; column < tile.end[1]; ++column) {
        function(fastgpu::index<2>{{row, column}});
      }
    }
  }

  fastgpu::extents<2> tile_;
};

/// Applies one operation. `run` has the members tile(), slices(), whole() and tiles() of `sequential`; its results
/// must not depend on how it cuts pictures up.
template <class Runner>
[[nodiscard]] outcome apply(const operation& next, const any_picture& in, Runner&& run);

/// Applies operations in turn and returns the last picture. `seen(operation, outcome)` is called after each.
template <class Runner, class Seen>
[[nodiscard]] any_picture apply(std::span<const operation> chain, any_picture in, Runner&& run, Seen&& seen)
{
  for (const operation& next : chain) {
    outcome done = apply(next, in, run);
    seen(next, std::as_const(done));
    in = std::move(done.result);
  }
  return in;
}

namespace detail {

/// How each operation is made of kernels.
template <class Pixel, class Runner>
class composer {
 public:
  composer(const picture<Pixel>& in, Runner& run) : in_{in}, run_{run} {}

  [[nodiscard]] outcome operator()(const mean_options& options) const
  {
    const int radius = options.size / 2;
    return filtered(mean<Pixel>{radius}, radius, fastgpu::border::reflect_101);
  }

  [[nodiscard]] outcome operator()(const gaussian_options& options) const
  {
    gaussian<Pixel> kernel;
    kernel.radius = options.size / 2;
    const auto weights = gaussian_weights(options.size, options.sigma);
    std::copy(weights.begin(), weights.end(), kernel.weight);
    picture<with_channel<Pixel, double>> unrounded{in_.size};
    run_.slices(kernel, in_, kernel.radius, fastgpu::border::reflect_101, unrounded);
    picture<Pixel> out{in_.size};
    run_.slices(rounded<Pixel>{}, unrounded, 0, fastgpu::border::replicate, out);
    outcome done{.result = std::move(out)};
    done.sum_unrounded = sum_of(planes<double>{std::move(unrounded)});
    return done;
  }

  [[nodiscard]] outcome operator()(const sobel_options&) const
  {
    picture<with_channel<Pixel, std::int16_t>> gx{in_.size};
    picture<with_channel<Pixel, std::int16_t>> gy{in_.size};
    picture<Pixel> out{in_.size};
    run_.slices(sobel<Pixel>{}, in_, 1, fastgpu::border::reflect_101, gx, gy, out);
    return {.result = std::move(out), .gx = std::move(gx), .gy = std::move(gy)};
  }

  [[nodiscard]] outcome operator()(const canny_options& options) const
  {
    picture<std::uint8_t> classes{in_.size};
    const canny_classes<Pixel> kernel{in_.size, options.low, options.high, options.measure};
    run_.slices(kernel, in_, 2, fastgpu::border::replicate, classes);
    picture<std::int32_t> labels{in_.size};
    run_.tiles(label_tile{in_.size[1]}, classes, labels);
    outcome done{.result = unite_tiles(in_.size, run_.tile(in_.size), labels.pixels)};
    done.edges = sum_of(done.result) / 255;
    return done;
  }

  [[nodiscard]] outcome operator()(const morphology_options& options) const
  {
    const int radius = options.size / 2;
    const dilate<Pixel> grow{radius, options.shape};
    const erode<Pixel> shrink{radius, options.shape};
    switch (options.kind) {
      case morphology::dilate: return filtered(grow, radius, fastgpu::border::replicate);
      case morphology::erode: return filtered(shrink, radius, fastgpu::border::replicate);
      case morphology::open: return filtered_twice(shrink, grow, radius);
      case morphology::close: return filtered_twice(grow, shrink, radius);
    }
    std::abort();  // no such kind
  }

  [[nodiscard]] outcome operator()(const resize_options& options) const
  {
    const auto size = resized(in_.size, options.factor, sizeof(Pixel));
    return rearranged(resize<Pixel>{size, options.method}, size);
  }

  [[nodiscard]] outcome operator()(const rotate_options& options) const
  {
    for (const int turns : {0, 1, 2, 3}) {
      if (options.angle != 90.0 * turns) continue;
      const auto size = turns % 2 == 0 ? in_.size : fastgpu::extents<2>{{in_.size[1], in_.size[0]}};
      return rearranged(quarter_turns<Pixel>{turns}, size);
    }
    const fixed_angle angle = fixed_angle_of(options.angle);
    return rearranged(rotate<Pixel>{angle.cosine, angle.sine}, in_.size);
  }

  [[nodiscard]] outcome operator()(const flip_options& options) const
  {
    return rearranged(flip<Pixel>{options.along}, in_.size);
  }

 private:
  template <class Kernel>
  [[nodiscard]] outcome filtered(const Kernel& kernel, int halo, fastgpu::border edge) const
  {
    picture<Pixel> out{in_.size};
    run_.slices(kernel, in_, halo, edge, out);
    return {.result = std::move(out)};
  }

  template <class First, class Second>
  [[nodiscard]] outcome filtered_twice(const First& first, const Second& second, int halo) const
  {
    picture<Pixel> between{in_.size};
    run_.slices(first, in_, halo, fastgpu::border::replicate, between);
    picture<Pixel> out{in_.size};
    run_.slices(second, between, halo, fastgpu::border::replicate, out);
    return {.result = std::move(out)};
  }

  template <class Kernel>
  [[nodiscard]] outcome rearranged(const Kernel& kernel, fastgpu::extents<2> size) const
  {
    picture<Pixel> out{size};
    run_.whole(kernel, in_, out);
    return {.result = std::move(out)};
  }

  const picture<Pixel>& in_;
  Runner& run_;
};

}  // namespace detail

template <class Runner>
outcome apply(const operation& next, const any_picture& in, Runner&& run)
{
  return std::visit(
      [&run]<class Pixel>(const picture<Pixel>& pixels, const auto& options) {
        return detail::composer<Pixel, std::remove_reference_t<Runner>>{pixels, run}(options);
      },
      in, next.what);
}

}  // namespace image
