#include "image/kernels.hpp"  // first: shows that the header stands alone

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "image/operation.hpp"
#include "support/host_team.hpp"
#include "support/pictures.hpp"

namespace {

using image::picture;
using image::sum_of;
using support::applied;
using support::colored;
using support::grey;
using support::random_colored;
using support::random_grey;

using extents = fastgpu::extents<2>;

// Small pictures against the definitions, read as plainly as can be.

template <class T, class Pixel>
picture<T> channel_of(const picture<Pixel>& what, int c)
{
  picture<T> out{what.size};
  std::transform(what.pixels.begin(), what.pixels.end(), out.pixels.begin(),
                 [c](const Pixel& pixel) { return image::channel(pixel, c); });
  return out;
}

std::int64_t mirrored(std::int64_t i, std::int64_t n)
{
  if (n == 1) return 0;
  while (i < 0 || i >= n) i = i < 0 ? -i : 2 * (n - 1) - i;
  return i;
}

int mirrored_at(const grey& in, std::int64_t row, std::int64_t column)
{
  return in.view()(mirrored(row, in.size[0]), mirrored(column, in.size[1]));
}

int repeated_at(const grey& in, std::int64_t row, std::int64_t column)
{
  return in.view()(std::clamp<std::int64_t>(row, 0, in.size[0] - 1),
                   std::clamp<std::int64_t>(column, 0, in.size[1] - 1));
}

/// function(row, column) for every pixel.
template <class T, class Function>
picture<T> filled(extents size, const Function& function)
{
  picture<T> out{size};
  for (std::int64_t row = 0; row < size[0]; ++row) {
    for (std::int64_t column = 0; column < size[1]; ++column) {
      out.view()(row, column) = static_cast<T>(function(row, column));
    }
  }
  return out;
}

struct slope {
  int x = 0, y = 0;
};

slope slope_at(const grey& in, std::int64_t row, std::int64_t column,
               int (*at)(const grey&, std::int64_t, std::int64_t))
{
  constexpr int smooth[3] = {1, 2, 1};
  slope sum;
  for (int k = -1; k <= 1; ++k) {
    sum.x += smooth[k + 1] * (at(in, row + k, column + 1) - at(in, row + k, column - 1));
    sum.y += smooth[k + 1] * (at(in, row + 1, column + k) - at(in, row - 1, column + k));
  }
  return sum;
}

/// Canny's edges by the book: whole planes, then a flood from the strong pixels. Channels: blue first.
grey canny_by_the_book(const std::vector<grey>& channels, double low, double high, bool squared)
{
  const extents size = channels.front().size;
  const auto magnitude = [&](slope s) { return squared ? s.x * s.x + s.y * s.y : std::abs(s.x) + std::abs(s.y); };
  picture<slope> slopes{size};
  for (std::int64_t row = 0; row < size[0]; ++row) {
    for (std::int64_t column = 0; column < size[1]; ++column) {
      for (const grey& in : channels) {
        const slope s = slope_at(in, row, column, repeated_at);
        if (magnitude(s) > magnitude(slopes.view()(row, column))) slopes.view()(row, column) = s;
      }
    }
  }
  const auto at = [&](std::int64_t row, std::int64_t column) {
    const bool inside = row >= 0 && row < size[0] && column >= 0 && column < size[1];
    return inside ? magnitude(slopes.view()(row, column)) : 0;
  };
  if (squared) {
    low *= low;
    high *= high;
  }
  grey edges{size};
  std::vector<std::pair<std::int64_t, std::int64_t>> open;
  const auto kept = filled<std::uint8_t>(size, [&](std::int64_t r, std::int64_t c) {
    const slope s = slopes.view()(r, c);
    const int m = magnitude(s);
    if (m <= low) return 0;
    const double steep = std::abs(s.y) * 32768.0;
    bool ridge = false;
    if (steep < std::abs(s.x) * 13573.0) {
      ridge = m > at(r, c - 1) && m >= at(r, c + 1);
    } else if (steep > std::abs(s.x) * (13573.0 + 65536.0)) {
      ridge = m > at(r - 1, c) && m >= at(r + 1, c);
    } else if ((s.x < 0) == (s.y < 0)) {
      ridge = m > at(r - 1, c - 1) && m > at(r + 1, c + 1);
    } else {
      ridge = m > at(r - 1, c + 1) && m > at(r + 1, c - 1);
    }
    if (ridge && m > high) open.emplace_back(r, c);
    return ridge ? 1 : 0;
  });
  while (!open.empty()) {
    const auto [row, column] = open.back();
    open.pop_back();
    if (row < 0 || row >= size[0] || column < 0 || column >= size[1]) continue;
    if (kept.view()(row, column) == 0 || edges.view()(row, column) != 0) continue;
    edges.view()(row, column) = 255;
    for (int down = -1; down <= 1; ++down) {
      for (int right = -1; right <= 1; ++right) open.emplace_back(row + down, column + right);
    }
  }
  return edges;
}

/// Sizes down to a single pixel, windows larger than the picture, tiles of all kinds.
class SmallPicture : public testing::TestWithParam<extents> {
 protected:
  const extents size = GetParam();
  const std::vector<extents> tiles = {{{64, 64}}, {{1, 1}}, {{2, 3}}, {{5, 1}}};
  const grey in = random_grey(size, 17);
};

INSTANTIATE_TEST_SUITE_P(Sizes, SmallPicture,
                         testing::Values(extents{{1, 1}}, extents{{1, 2}}, extents{{1, 9}}, extents{{8, 1}},
                                         extents{{2, 2}}, extents{{3, 5}}, extents{{16, 11}}, extents{{7, 40}}),
                         [](const auto& size) {
                           return std::to_string(size.param[0]) + "x" + std::to_string(size.param[1]);
                         });

TEST_P(SmallPicture, MeansFollowTheDefinition)
{
  for (const int width : {1, 3, 5, 9}) {
    const auto expected = filled<std::uint8_t>(size, [&](std::int64_t row, std::int64_t column) {
      int sum = 0;
      for (int down = -(width / 2); down <= width / 2; ++down) {
        for (int right = -(width / 2); right <= width / 2; ++right) sum += mirrored_at(in, row + down, column + right);
      }
      return std::lround(static_cast<double>(sum) / (width * width));
    });
    for (const auto& tile : tiles) {
      EXPECT_EQ(std::get<grey>(applied("mean:size=" + std::to_string(width), in, tile).result), expected) << width;
    }
  }
}

TEST_P(SmallPicture, GaussiansFollowTheDefinition)
{
  double whole = 0;
  for (int down = -3; down <= 3; ++down) {
    for (int right = -3; right <= 3; ++right) whole += std::exp(-(down * down + right * right) / (2 * 1.3 * 1.3));
  }
  double sum = 0;
  const auto unrounded = filled<double>(size, [&](std::int64_t row, std::int64_t column) {
    double value = 0;
    for (int down = -3; down <= 3; ++down) {
      for (int right = -3; right <= 3; ++right) {
        value += std::exp(-(down * down + right * right) / (2 * 1.3 * 1.3)) / whole *
                 mirrored_at(in, row + down, column + right);
      }
    }
    sum += value;
    return value;
  });
  for (const auto& tile : tiles) {
    const auto done = applied("gaussian:size=7,sigma=1.3", in, tile);
    EXPECT_NEAR(done.sum_unrounded.value(), sum, 1e-9);
    for (std::size_t i = 0; i < unrounded.pixels.size(); ++i) {
      EXPECT_EQ(std::get<grey>(done.result).pixels[i], std::lround(unrounded.pixels[i])) << unrounded.pixels[i];
    }
  }
}

TEST_P(SmallPicture, SlopesFollowTheDefinition)
{
  const auto x = [&](auto row, auto column) { return slope_at(in, row, column, mirrored_at).x; };
  const auto y = [&](auto row, auto column) { return slope_at(in, row, column, mirrored_at).y; };
  const auto both = [&](auto row, auto column) {
    return std::min(255, std::abs(x(row, column)) + std::abs(y(row, column)));
  };
  for (const auto& tile : tiles) {
    const auto done = applied("sobel", in, tile);
    EXPECT_EQ(std::get<picture<std::int16_t>>(done.gx.value()), filled<std::int16_t>(size, x));
    EXPECT_EQ(std::get<picture<std::int16_t>>(done.gy.value()), filled<std::int16_t>(size, y));
    EXPECT_EQ(std::get<grey>(done.result), filled<std::uint8_t>(size, both));
  }
}

TEST_P(SmallPicture, EdgesFollowTheDefinition)
{
  // Few levels bring equal magnitudes, many bring all directions.
  for (const unsigned levels : {2U, 4U, 256U}) {
    const grey noise = random_grey(size, 23 + levels, levels);
    const auto l1 = canny_by_the_book({noise}, 300, 500, false);
    const auto l2 = canny_by_the_book({noise}, 200.5, 450.25, true);
    for (const auto& tile : tiles) {
      const auto done = applied("canny:low=300,high=500", noise, tile);
      EXPECT_EQ(std::get<grey>(done.result), l1);
      EXPECT_EQ(done.edges, sum_of(l1) / 255);
      EXPECT_EQ(std::get<grey>(applied("canny:low=200.5,high=450.25,norm=l2", noise, tile).result), l2);
    }
  }
}

TEST_P(SmallPicture, EdgesOfColorsFollowTheSteepestChannel)
{
  const colored noise = random_colored(size, 5);
  const std::vector<grey> blue_first = {channel_of<std::uint8_t>(noise, 2), channel_of<std::uint8_t>(noise, 1),
                                        channel_of<std::uint8_t>(noise, 0)};
  for (const auto& tile : tiles) {
    EXPECT_EQ(std::get<grey>(applied("canny:low=500,high=700", noise, tile).result),
              canny_by_the_book(blue_first, 500, 700, false));
    EXPECT_EQ(std::get<grey>(applied("canny:low=400,high=600,norm=l2", noise, tile).result),
              canny_by_the_book(blue_first, 400, 600, true));
  }
}

TEST_P(SmallPicture, MorphologyIgnoresPixelsOutside)
{
  const auto extreme = [&](const grey& from, int radius, bool cross, bool largest) {
    return filled<std::uint8_t>(size, [&](std::int64_t row, std::int64_t column) {
      int best = largest ? 0 : 255;
      for (std::int64_t r = std::max<std::int64_t>(row - radius, 0); r < std::min(row + radius + 1, size[0]); ++r) {
        for (std::int64_t c = std::max<std::int64_t>(column - radius, 0); c < std::min(column + radius + 1, size[1]);
             ++c) {
          if (cross && r != row && c != column) continue;
          best = largest ? std::max<int>(best, from.view()(r, c)) : std::min<int>(best, from.view()(r, c));
        }
      }
      return best;
    });
  };
  for (const int width : {1, 3, 7}) {
    for (const bool cross : {false, true}) {
      const auto dilated = [&](const grey& from) { return extreme(from, width / 2, cross, true); };
      const auto eroded = [&](const grey& from) { return extreme(from, width / 2, cross, false); };
      const std::string keys = ":size=" + std::to_string(width) + (cross ? ",shape=cross" : ",shape=rect");
      for (const auto& tile : tiles) {
        EXPECT_EQ(std::get<grey>(applied("dilate" + keys, in, tile).result), dilated(in)) << keys;
        EXPECT_EQ(std::get<grey>(applied("erode" + keys, in, tile).result), eroded(in)) << keys;
        EXPECT_EQ(std::get<grey>(applied("open" + keys, in, tile).result), dilated(eroded(in))) << keys;
        EXPECT_EQ(std::get<grey>(applied("close" + keys, in, tile).result), eroded(dilated(in))) << keys;
      }
    }
  }
}

TEST_P(SmallPicture, IsResizedByPixelCentres)
{
  for (const double factor : {0.01, 0.4, 1.0, 1.5, 3.0}) {
    const auto side = [&](std::int64_t n) {
      return std::max<std::int64_t>(1, std::lround(static_cast<double>(n) * factor));
    };
    const extents to{{side(size[0]), side(size[1])}};
    const auto centre = [&](std::int64_t i, int d) {
      return (static_cast<double>(i) + 0.5) * static_cast<double>(size[d]) / static_cast<double>(to[d]);
    };
    const auto nearest = filled<std::uint8_t>(to, [&](std::int64_t row, std::int64_t column) {
      // A point on the line between two pixels belongs to the second; the small step keeps rounding out of it.
      return repeated_at(in, static_cast<std::int64_t>(std::floor(centre(row, 0) + 1e-9)),
                         static_cast<std::int64_t>(std::floor(centre(column, 1) + 1e-9)));
    });
    const auto bilinear = filled<double>(to, [&](std::int64_t row, std::int64_t column) {
      const double y = centre(row, 0) - 0.5;
      const double x = centre(column, 1) - 0.5;
      const auto top = static_cast<std::int64_t>(std::floor(y));
      const auto left = static_cast<std::int64_t>(std::floor(x));
      const double down = y - std::floor(y);
      const double right = x - std::floor(x);
      return (1 - down) * ((1 - right) * repeated_at(in, top, left) + right * repeated_at(in, top, left + 1)) +
             down * ((1 - right) * repeated_at(in, top + 1, left) + right * repeated_at(in, top + 1, left + 1));
    });
    for (const auto& tile : tiles) {
      const std::string text = "resize:factor=" + std::to_string(factor);
      EXPECT_EQ(std::get<grey>(applied(text + ",method=nearest", in, tile).result), nearest) << text;
      const auto smooth = std::get<grey>(applied(text + ",method=bilinear", in, tile).result);
      ASSERT_EQ(smooth.size, to);
      for (std::size_t i = 0; i < smooth.pixels.size(); ++i) {
        EXPECT_NEAR(smooth.pixels[i], bilinear.pixels[i], 0.5 + 1e-9) << text;
      }
    }
  }
}

TEST_P(SmallPicture, TurnsExactlyByRightAngles)
{
  const auto turned = [&](const std::string& angle, const grey& from) {
    return std::get<grey>(applied("rotate:angle=" + angle, from, {{2, 3}}).result);
  };
  const grey left = turned("90", in);
  ASSERT_EQ(left.size, (extents{{size[1], size[0]}}));
  EXPECT_EQ(left.view()(0, 0), in.view()(0, size[1] - 1));  // the upper right corner comes to the upper left
  EXPECT_EQ(left.view()(size[1] - 1, 0), in.view()(0, 0));
  EXPECT_EQ(turned("90", left), turned("180", in));
  EXPECT_EQ(turned("90", turned("180", in)), turned("270", in));
  EXPECT_EQ(turned("270", left), in);
  EXPECT_EQ(turned("-270", in), left);
  EXPECT_EQ(turned("450", in), left);
  EXPECT_EQ(turned("0", in), in);
  EXPECT_EQ(turned("360", in), in);
}

TEST_P(SmallPicture, TurnsByOtherAnglesAboutItsCentre)
{
  for (const double angle : {30.0, 45.0, 101.5, 359.0}) {
    const double radians = angle * 3.14159265358979323846 / 180;
    const auto value = [&](std::int64_t row, std::int64_t column) {
      const bool inside = row >= 0 && row < size[0] && column >= 0 && column < size[1];
      return inside ? in.view()(row, column) : 0;
    };
    const auto expected = filled<double>(size, [&](std::int64_t row, std::int64_t column) {
      const double up = static_cast<double>(size[0] - 1) / 2 - static_cast<double>(row);
      const double right = static_cast<double>(column) - static_cast<double>(size[1] - 1) / 2;
      // Where this pixel was before the turn, in axes that point right and up.
      const double x = std::cos(-radians) * right - std::sin(-radians) * up + static_cast<double>(size[1] - 1) / 2;
      const double y = static_cast<double>(size[0] - 1) / 2 - (std::sin(-radians) * right + std::cos(-radians) * up);
      const auto top = static_cast<std::int64_t>(std::floor(y));
      const auto left = static_cast<std::int64_t>(std::floor(x));
      const double lower = y - std::floor(y);
      const double further = x - std::floor(x);
      return (1 - lower) * ((1 - further) * value(top, left) + further * value(top, left + 1)) +
             lower * ((1 - further) * value(top + 1, left) + further * value(top + 1, left + 1));
    });
    for (const auto& tile : tiles) {
      const auto turned = std::get<grey>(applied("rotate:angle=" + std::to_string(angle), in, tile).result);
      ASSERT_EQ(turned.size, size);
      for (std::size_t i = 0; i < turned.pixels.size(); ++i) {
        EXPECT_NEAR(turned.pixels[i], expected.pixels[i], 0.5 + 0.01) << angle;  // positions are to 2^-16 of a pixel
      }
    }
  }
}

TEST_P(SmallPicture, FlipsAreTheirOwnInverse)
{
  const auto flipped = [&](const std::string& axis, const grey& from) {
    return std::get<grey>(applied("flip:axis=" + axis, from, {{2, 2}}).result);
  };
  EXPECT_EQ(flipped("h", in).view()(0, 0), in.view()(0, size[1] - 1));
  EXPECT_EQ(flipped("v", in).view()(0, 0), in.view()(size[0] - 1, 0));
  EXPECT_EQ(flipped("h", flipped("h", in)), in);
  EXPECT_EQ(flipped("v", flipped("v", in)), in);
}

TEST_P(SmallPicture, ColorsAreTreatedChannelByChannel)
{
  const colored noise = random_colored(size, 99);
  for (const char* text :
       {"mean:size=5", "gaussian:size=5,sigma=0.8", "sobel", "dilate:size=3,shape=cross", "erode:size=3", "open:size=5",
        "close:size=3", "resize:factor=1.7,method=nearest", "resize:factor=0.6,method=bilinear", "rotate:angle=20",
        "rotate:angle=90", "flip:axis=h", "flip:axis=v"}) {
    const auto done = applied(text, noise, {{3, 4}});
    std::uint64_t sum = 0;
    for (int c = 0; c < 3; ++c) {
      const auto one = applied(text, channel_of<std::uint8_t>(noise, c));
      EXPECT_EQ(channel_of<std::uint8_t>(std::get<colored>(done.result), c), std::get<grey>(one.result)) << text;
      sum += sum_of(one.result);
      if (!done.gx) continue;
      using slopes = picture<image::color<std::int16_t>>;
      EXPECT_EQ(channel_of<std::int16_t>(std::get<slopes>(*done.gx), c), std::get<picture<std::int16_t>>(*one.gx));
      EXPECT_EQ(channel_of<std::int16_t>(std::get<slopes>(*done.gy), c), std::get<picture<std::int16_t>>(*one.gy));
    }
    EXPECT_EQ(sum_of(done.result), sum) << text;
  }
}

/// Kernels of teams run on teams of several threads.
struct threaded : image::sequential {
  threaded(extents tile, int threads) : sequential{tile}, size{threads} {}

  template <class Kernel, class In, class... Out>
  void slices(const Kernel& kernel, const picture<In>& in, int halo, fastgpu::border edge, picture<Out>&... out) const
  {
    if constexpr (requires { Kernel::shared_bytes; }) {
      sequential::slices(support::on_threads<Kernel>{kernel, size}, in, halo, edge, out...);
    } else {
      sequential::slices(kernel, in, halo, edge, out...);
    }
  }

  template <class Kernel, class In, class Out>
  void tiles(const Kernel& kernel, const picture<In>& in, picture<Out>& out) const
  {
    sequential::tiles(support::on_threads<Kernel>{kernel, size}, in, out);
  }

  int size;
};

TEST(ImageTeams, GiveTheSameWithAnyNumberOfThreads)
{
  const colored noise = random_colored({70, 90}, 7);
  for (const char* text : {"mean:size=3", "mean:size=31", "gaussian:size=127,sigma=20", "gaussian:size=3,sigma=1",
                           "dilate:size=5", "erode:size=9,shape=cross", "canny:low=20,high=60,norm=l1"}) {
    const auto one = applied(text, noise);
    for (const int threads : {2, 5}) {
      for (const extents tile : {extents{{64, 64}}, extents{{1, 90}}}) {
        const auto many = image::apply(image::parse_operation(text), noise, threaded{tile, threads});
        EXPECT_EQ(many.result, one.result) << text << ", " << threads << " threads";
        EXPECT_EQ(many.sum_unrounded, one.sum_unrounded) << text << ", " << threads << " threads";
      }
    }
  }
}

}  // namespace
