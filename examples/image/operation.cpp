#include "image/operation.hpp"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <stdexcept>
#include <string>
#include <system_error>

#include <gsl/assert>

namespace image {
namespace {

/// Text as it can stand in a message of one line.
std::string quoted(std::string_view text)
{
  constexpr std::size_t shown_max = 60;
  std::string out = "\"";
  for (const char c : text.substr(0, shown_max)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return out + (text.size() > shown_max ? "...\"" : "\"");
}

template <class Value>
struct named {
  std::string_view name;
  Value value;
};

/// "a, b or c".
std::string alternatives(std::span<const std::string_view> names)
{
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += i + 1 == names.size() ? " or " : ", ";
    out += names[i];
  }
  return out;
}

template <class Number>
std::optional<Number> number_in(std::string_view text)
{
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A number as a user would write it.
std::string shown(double value)
{
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}

/// The key=value pairs of one operation.
class arguments {
 public:
  /// @param allowed  The operation's keys; others are refused. Outlives this.
  arguments(std::string_view operation, std::string_view pairs, std::span<const std::string_view> allowed)
      : operation_{operation}, allowed_{allowed}
  {
    if (pairs.data() == nullptr) return;  // no colon
    for (;;) {
      const auto comma = pairs.find(',');
      add(pairs.substr(0, comma));
      if (comma == std::string_view::npos) return;
      pairs.remove_prefix(comma + 1);
    }
  }

  [[nodiscard]] int odd_size() const
  {
    const std::string expected = "an odd number from 1 to " + std::to_string(size_max);
    const auto text = required("size", expected);
    const auto value = number_in<int>(text);
    if (!value || *value < 1 || *value > size_max || *value % 2 == 0) refuse("size", expected, text);
    return *value;
  }

  /// A number from `least` to `most`.
  [[nodiscard]] double number(std::string_view key, double least, double most) const
  {
    const std::string expected = "a number from " + shown(least) + " to " + shown(most);
    const auto text = required(key, expected);
    const auto value = number_in<double>(text);
    if (!value || !(*value >= least && *value <= most)) refuse(key, expected, text);
    return *value;
  }

  /// One of several names. The first one if the key is missing, unless it must not be.
  template <class Value, std::size_t N>
  [[nodiscard]] Value choice(std::string_view key, const named<Value> (&values)[N], bool may_be_missing = true) const
  {
    std::string_view names[N];
    for (std::size_t i = 0; i < N; ++i) names[i] = values[i].name;
    const std::string expected = alternatives(names);
    const auto given = find(key);
    if (!given && may_be_missing) return values[0].value;
    const auto text = required(key, expected);
    for (const auto& [name, value] : values) {
      if (text == name) return value;
    }
    refuse(key, expected, text);
  }

  [[noreturn]] void refuse(std::string_view key, const std::string& expected, std::string_view text) const
  {
    fail(std::string{key} + ": expected " + expected + ", not " + quoted(text));
  }

  [[nodiscard]] std::string_view text_of(std::string_view key) const { return find(key).value_or(""); }

 private:
  void add(std::string_view pair)
  {
    const auto equals = pair.find('=');
    const auto key = pair.substr(0, equals);
    if (equals == std::string_view::npos) fail("expected key=value, not " + quoted(pair));
    if (std::find(allowed_.begin(), allowed_.end(), key) == allowed_.end()) {
      fail("unknown key " + quoted(key) + "; " +
           (allowed_.empty() ? std::string{"it takes none"} : "expected " + alternatives(allowed_)));
    }
    if (find(key)) fail(std::string{key} + ": given twice");
    pairs_.push_back({key, pair.substr(equals + 1)});
  }

  [[nodiscard]] std::optional<std::string_view> find(std::string_view key) const
  {
    for (const auto& pair : pairs_) {
      if (pair.name == key) return pair.value;
    }
    return std::nullopt;
  }

  [[nodiscard]] std::string_view required(std::string_view key, const std::string& expected) const
  {
    const auto given = find(key);
    if (!given) fail(std::string{key} + " is missing: expected " + expected);
    return *given;
  }

  [[noreturn]] void fail(const std::string& reason) const
  {
    throw std::invalid_argument{std::string{operation_} + ": " + reason};
  }

  std::string_view operation_;
  std::span<const std::string_view> allowed_;
  std::vector<named<std::string_view>> pairs_;
};

constexpr double threshold_max = 10000;  // far above any gradient; its square fits 32 bits

canny_options canny_from(const arguments& given)
{
  const double low = given.number("low", 0, threshold_max);
  const double high = given.number("high", 0, threshold_max);
  if (high < low) given.refuse("high", "a number not below low, " + shown(low), given.text_of("high"));
  const norm measure = given.choice("norm", {named<norm>{"l1", norm::l1}, {"l2", norm::l2}});
  // Magnitudes are whole numbers: above a threshold means above its floor.
  const auto threshold = [&](double value) {
    return static_cast<std::int32_t>(std::floor(measure == norm::l2 ? value * value : value));
  };
  return {threshold(low), threshold(high), measure};
}

morphology_options morphology_from(morphology kind, const arguments& given)
{
  return {kind, given.odd_size(),
          given.choice("shape", {named<element>{"rect", element::rect}, {"cross", element::cross}})};
}

rotate_options rotate_from(const arguments& given)
{
  const double angle = std::fmod(given.number("angle", -36000, 36000), 360.0);
  const double turned = angle < 0 ? angle + 360.0 : angle;
  return {turned < 360.0 ? turned : 0.0};  // a tiny negative angle rounds to the full turn
}

constexpr std::string_view size_key[] = {"size"};
constexpr std::string_view gaussian_keys[] = {"size", "sigma"};
constexpr std::string_view canny_keys[] = {"low", "high", "norm"};
constexpr std::string_view morphology_keys[] = {"size", "shape"};
constexpr std::string_view resize_keys[] = {"factor", "method"};
constexpr std::string_view rotate_keys[] = {"angle"};
constexpr std::string_view flip_keys[] = {"axis"};

using options = decltype(operation::what);

struct entry {
  std::string_view name;
  std::span<const std::string_view> keys;
  options (*read)(const arguments&);
};

constexpr entry entries[] = {
    {"mean", size_key, [](const arguments& given) -> options { return mean_options{given.odd_size()}; }},
    {"gaussian", gaussian_keys,
     [](const arguments& given) -> options {
       return gaussian_options{given.odd_size(), given.number("sigma", 0.01, 1000)};
     }},
    {"sobel", {}, [](const arguments&) -> options { return sobel_options{}; }},
    {"canny", canny_keys, [](const arguments& given) -> options { return canny_from(given); }},
    {"dilate", morphology_keys,
     [](const arguments& given) -> options { return morphology_from(morphology::dilate, given); }},
    {"erode", morphology_keys,
     [](const arguments& given) -> options { return morphology_from(morphology::erode, given); }},
    {"open", morphology_keys,
     [](const arguments& given) -> options { return morphology_from(morphology::open, given); }},
    {"close", morphology_keys,
     [](const arguments& given) -> options { return morphology_from(morphology::close, given); }},
    {"resize", resize_keys,
     [](const arguments& given) -> options {
       return resize_options{given.number("factor", 0.001, 1000),
                             given.choice("method", {named<interpolation>{"bilinear", interpolation::bilinear},
                                                     {"nearest", interpolation::nearest}})};
     }},
    {"rotate", rotate_keys, [](const arguments& given) -> options { return rotate_from(given); }},
    {"flip", flip_keys,
     [](const arguments& given) -> options {
       return flip_options{given.choice("axis", {named<axis>{"h", axis::h}, {"v", axis::v}}, false)};
     }},
};

/// Calls function(value) for each channel of each pixel, row by row.
template <class Picture, class Function>
void for_each_channel(const Picture& what, Function&& function)
{
  for (const auto& pixel : what.pixels) {
    for (int c = 0; c < channels<std::remove_cvref_t<decltype(pixel)>>; ++c) function(channel(pixel, c));
  }
}

}  // namespace

operation parse_operation(std::string_view text)
{
  const auto colon = text.find(':');
  const auto name = text.substr(0, colon);
  for (const auto& known : entries) {
    if (known.name != name) continue;
    const auto pairs = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
    return {std::string{name}, std::string{text}, known.read(arguments{name, pairs, known.keys})};
  }
  std::string names;
  for (const auto& known : entries) names += (names.empty() ? "" : ", ") + std::string{known.name};
  throw std::invalid_argument{"unknown operation " + quoted(name) + "; expected one of " + names};
}

std::uint64_t sum_of(const any_picture& what)
{
  std::uint64_t sum = 0;
  std::visit([&](const auto& picture) { for_each_channel(picture, [&](std::uint8_t value) { sum += value; }); }, what);
  return sum;
}

std::uint64_t sum_abs_of(const planes<std::int16_t>& what)
{
  std::uint64_t sum = 0;
  const auto add = [&](std::int16_t value) { sum += static_cast<std::uint64_t>(value < 0 ? -value : value); };
  std::visit([&](const auto& picture) { for_each_channel(picture, add); }, what);
  return sum;
}

double sum_of(const planes<double>& what)
{
  double sum = 0;
  double lost = 0;
  const auto add = [&](double value) {
    const double next = sum + value;
    lost += std::abs(sum) >= std::abs(value) ? (sum - next) + value : (value - next) + sum;
    sum = next;
  };
  std::visit([&](const auto& picture) { for_each_channel(picture, add); }, what);
  return sum + lost;
}

std::array<double, radius_max + 1> gaussian_weights(int size, double sigma)
{
  Expects(size >= 1 && size <= size_max && size % 2 == 1 && sigma >= 0.01);
  std::array<double, radius_max + 1> weights{};
  double whole = 0;
  for (int d = size / 2; d >= 0; --d) {  // small ones first: the sum loses less
    const double weight = std::exp(-d * d / (2 * sigma * sigma));
    weights[static_cast<std::size_t>(d)] = weight;
    whole += d == 0 ? weight : 2 * weight;
  }
  for (double& weight : weights) weight /= whole;
  return weights;
}

fixed_angle fixed_angle_of(double degrees)
{
  const double radians = degrees * (std::numbers::pi / 180.0);
  constexpr int bits = rotate<std::uint8_t>::fraction_bits;
  return {std::llround(std::ldexp(std::cos(radians), bits)), std::llround(std::ldexp(std::sin(radians), bits))};
}

fastgpu::extents<2> resized(fastgpu::extents<2> size, double factor, int pixel_bytes)
{
  const double rows = std::max(1.0, std::floor(static_cast<double>(size[0]) * factor + 0.5));
  const double columns = std::max(1.0, std::floor(static_cast<double>(size[1]) * factor + 0.5));
  if (std::max(rows, columns) > static_cast<double>(side_max) ||
      rows * columns * pixel_bytes > static_cast<double>(picture_bytes_max)) {
    throw std::runtime_error{"resize: the result would be too large: " + shown(columns) + " x " + shown(rows) +
                             " pixels, of at most " + std::to_string(side_max) + " a side and " +
                             std::to_string(picture_bytes_max) + " bytes"};
  }
  return {{static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)}};
}

namespace {

/// Disjoint sets of pixels, kept in labels as label_tile leaves them: 0, or +-(1 + place of the parent). The sign
/// counts at roots, where minus says strong. @see label_tile, for the algorithm
class signed_forest {
 public:
  explicit signed_forest(std::span<std::int32_t> labels) : labels_{labels} {}

  std::int32_t& operator[](std::int32_t place) const { return labels_[static_cast<std::size_t>(place)]; }

  std::int32_t root_of(std::int32_t place) const
  {
    for (;;) {
      auto& label = (*this)[place];
      const std::int32_t parent = label_tile::forest::place_in(label);
      if (parent == place) return place;
      label = (*this)[parent];  // halves the path; a parent's parent is nearer to the root
      place = parent;
    }
  }

  /// Puts the sets of two places together, strong if one of them is. Does nothing if either has label 0.
  void unite(std::int32_t a, std::int32_t b) const
  {
    if ((*this)[a] == 0 || (*this)[b] == 0) return;
    a = root_of(a);
    b = root_of(b);
    if (a == b) return;
    const auto [first, second] = std::minmax(a, b);
    if ((*this)[second] < 0 && (*this)[first] > 0) (*this)[first] = -(*this)[first];
    (*this)[second] = 1 + first;
  }

 private:
  std::span<std::int32_t> labels_;
};

}  // namespace

picture<std::uint8_t> unite_tiles(fastgpu::extents<2> size, fastgpu::extents<2> tile, std::span<std::int32_t> labels)
{
  Expects(tile[0] >= 1 && tile[1] >= 1);
  Expects(size.count() < std::int64_t{1} << 31 && labels.size() == static_cast<std::size_t>(size.count()));
  // A label names a pixel, so the labels are a forest over the whole picture as they stand.
  const signed_forest trees{labels};
  const auto place = [&](std::int64_t row, std::int64_t column) {
    return static_cast<std::int32_t>(row * size[1] + column);
  };
  for (std::int64_t row = tile[0]; row < size[0]; row += tile[0]) {
    for (std::int64_t column = 0; column < size[1]; ++column) {
      for (std::int64_t above = std::max<std::int64_t>(column - 1, 0); above < std::min(column + 2, size[1]); ++above) {
        trees.unite(place(row, column), place(row - 1, above));
      }
    }
  }
  for (std::int64_t column = tile[1]; column < size[1]; column += tile[1]) {
    for (std::int64_t row = 0; row < size[0]; ++row) {
      for (std::int64_t left = std::max<std::int64_t>(row - 1, 0); left < std::min(row + 2, size[0]); ++left) {
        trees.unite(place(row, column), place(left, column - 1));
      }
    }
  }
  picture<std::uint8_t> edges{size};
  for (std::int32_t pixel = 0; pixel < size.count(); ++pixel) {
    const auto at = static_cast<std::size_t>(pixel);
    if (labels[at] != 0) edges.pixels[at] = trees[trees.root_of(pixel)] < 0 ? 255 : 0;
  }
  return edges;
}

picture<std::uint8_t> hysteresis(fastgpu::extents<2> size, fastgpu::extents<2> tile,
                                 std::span<const std::uint8_t> classes)
{
  Expects(classes.size() == static_cast<std::size_t>(size.count()));
  picture<std::uint8_t> in{size};
  std::copy(classes.begin(), classes.end(), in.pixels.begin());
  picture<std::int32_t> labels{size};
  sequential{tile}.tiles(label_tile{size[1]}, in, labels);
  return unite_tiles(size, tile, labels.pixels);
}

}  // namespace image
