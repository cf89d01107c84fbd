#include "image/operation.hpp"  // first: shows that the headers stand alone

#include <fcntl.h>
#include <png.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/evp.h>

namespace {

using image::any_picture;
using image::apply;
using image::operation;
using image::outcome;
using image::parse_operation;
using image::picture;
using image::read_png;
using image::rgb;
using image::sequential;
using image::sum_abs_of;
using image::sum_of;
using image::write_png;

using grey = picture<std::uint8_t>;
using colored = picture<rgb>;
using extents = fastgpu::extents<2>;

/// First 16 digits of the SHA-256.
std::string sha(std::span<const std::byte> bytes)
{
  std::array<unsigned char, 32> digest{};
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1) return "failed";
  std::string text;
  for (const unsigned char byte : std::span{digest}.first(8)) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::string sha(const any_picture& what) { return sha(image::bytes_of(what)); }

outcome applied(const std::string& text, const any_picture& in, extents tile = {{image::side_max, image::side_max}})
{
  return apply(parse_operation(text), in, sequential{tile});
}

// ---------------------------------------------------------------------------------------------------------------------
// camera.png

/// The picture with known answers, and the tiles it is cut into.
class Camera : public testing::TestWithParam<extents> {
 protected:
  void SetUp() override
  {
    const char* const folder = std::getenv("FASTGPU_TEST_IMAGES");
    const auto path = std::filesystem::path{folder == nullptr ? "" : folder} / "camera.png";
    if (folder == nullptr || !std::filesystem::exists(path)) {
      GTEST_SKIP() << "no camera.png in the folder FASTGPU_TEST_IMAGES: tests/support/get-camera.sh FOLDER fetches it";
    }
    static const any_picture read = read_png(path.string());
    camera = read;
  }

  [[nodiscard]] outcome apply(const std::string& text) const { return applied(text, camera, GetParam()); }

  any_picture camera;
};

INSTANTIATE_TEST_SUITE_P(Tiles, Camera,
                         testing::Values(extents{{512, 512}}, extents{{64, 64}}, extents{{37, 51}}, extents{{1, 512}},
                                         extents{{3, 1}}, extents{{1000, 7}}),
                         [](const auto& tile) {
                           return std::to_string(tile.param[0]) + "x" + std::to_string(tile.param[1]);
                         });

TEST_P(Camera, IsThePictureThatTheAnswersAreFor)
{
  ASSERT_TRUE(std::holds_alternative<grey>(camera));
  EXPECT_EQ(std::get<grey>(camera).size, (extents{{512, 512}}));
  EXPECT_EQ(sum_of(camera), 33832495U);
  EXPECT_EQ(sha(camera), "5cb24482a53416f9");
}

TEST_P(Camera, HasTheKnownMean)
{
  const auto mean = apply("mean:size=3").result;
  EXPECT_EQ(sum_of(mean), 33832915U);
  EXPECT_EQ(sha(mean), "c23d781f75f31be0");
}

TEST_P(Camera, HasTheKnownGaussianBeforeRounding)
{
  const auto done = apply("gaussian:size=5,sigma=1.0");
  ASSERT_TRUE(done.sum_unrounded.has_value());
  EXPECT_NEAR(*done.sum_unrounded, 33832650.17395833, 2e-8);
  EXPECT_NEAR(static_cast<double>(sum_of(done.result)), 33832650.17, 512 * 512 * 0.5);
}

TEST_P(Camera, HasTheKnownSobelSlopes)
{
  const auto done = apply("sobel");
  ASSERT_TRUE(done.gx.has_value() && done.gy.has_value());
  EXPECT_EQ(sum_abs_of(*done.gx), 8544999U);
  EXPECT_EQ(sum_abs_of(*done.gy), 7536987U);
  EXPECT_EQ(sha(image::bytes_of(*done.gx)), "57daf478cde7bb06");
  EXPECT_EQ(sha(image::bytes_of(*done.gy)), "36c953899586da69");
}

TEST_P(Camera, HasTheKnownCannyEdges)
{
  const auto done = apply("canny:low=100,high=200,norm=l1");
  EXPECT_EQ(done.edges, 19686U);
  EXPECT_EQ(sha(done.result), "ea135066f7d43c4d");
}

TEST_P(Camera, HasTheKnownMorphology)
{
  EXPECT_EQ(sum_of(apply("dilate:size=3").result), 36666225U);
  EXPECT_EQ(sum_of(apply("erode:size=3,shape=rect").result), 31127826U);
  EXPECT_EQ(sum_of(apply("open:size=3,shape=rect").result), 32762022U);
  EXPECT_EQ(sum_of(apply("close:shape=rect,size=3").result), 34899933U);
}

TEST_P(Camera, HasTheKnownTurnsAndFlips)
{
  EXPECT_EQ(sha(apply("rotate:angle=270").result), "fae3d73f004987bb");
  EXPECT_EQ(sha(apply("rotate:angle=-90").result), "fae3d73f004987bb");
  EXPECT_EQ(sha(apply("flip:axis=h").result), "5b74bef39076c73d");
  EXPECT_EQ(sha(apply("flip:axis=v").result), "92c09d47f46d2385");
}

TEST_P(Camera, HasTheKnownEnlargement)
{
  const auto twice = apply("resize:factor=2,method=nearest").result;
  EXPECT_EQ(sum_of(twice), 135329980U);
  EXPECT_EQ(sha(twice), "371ab53a04cc9310");
}

TEST_P(Camera, GivesTheSameForEveryTileSizeWhereNoAnswerIsKnown)
{
  for (const char* text : {"gaussian:size=7,sigma=1.7", "canny:low=40,high=90,norm=l2", "dilate:size=5,shape=cross",
                           "resize:factor=0.37", "rotate:angle=33.3"}) {
    EXPECT_EQ(sha(apply(text).result), sha(applied(text, camera).result)) << text;
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Small pictures against the definitions, read as plainly as can be.

grey random_grey(extents size, unsigned seed, unsigned levels = 256)
{
  std::mt19937 random{seed};
  grey out{size};
  for (auto& pixel : out.pixels) pixel = static_cast<std::uint8_t>(random() % levels * (255 / (levels - 1)));
  return out;
}

colored random_colored(extents size, unsigned seed)
{
  std::mt19937 random{seed};
  const auto value = [&] { return static_cast<std::uint8_t>(random() % 256); };
  colored out{size};
  for (auto& pixel : out.pixels) {
    pixel.r = value();
    pixel.g = value();
    pixel.b = value();
  }
  return out;
}

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

TEST(Hysteresis, FollowsAPathThroughManyTiles)
{
  // A spiral of weak pixels, one of them strong, and a bar that touches nothing.
  const std::vector<std::string> map = {
      "111111110",  //
      "000000001",  //
      "011111101",  //
      "010000101",  //
      "010201001",  //
      "010110001",  //
      "010000001",  //
      "001111110",  //
      "000000000",  //
      "111111111",
  };
  const extents size{{10, 9}};
  std::vector<std::uint8_t> classes;
  for (const auto& line : map) {
    for (const char c : line) classes.push_back(static_cast<std::uint8_t>(c - '0'));
  }
  const auto reached = image::hysteresis(size, size, classes);
  EXPECT_EQ(reached.view()(0, 0), 255);
  EXPECT_EQ(reached.view()(4, 3), 255);
  EXPECT_EQ(reached.view()(1, 0), 0);
  EXPECT_EQ(reached.view()(9, 0), 0);
  for (std::int64_t rows = 1; rows <= 11; ++rows) {
    for (std::int64_t columns = 1; columns <= 10; ++columns) {
      EXPECT_EQ(image::hysteresis(size, {{rows, columns}}, classes), reached) << rows << " x " << columns;
    }
  }
}

TEST(Hysteresis, OfRandomMapsDoesNotDependOnTiles)
{
  std::mt19937 random{7};
  for (int round = 0; round < 200; ++round) {
    const auto side = [&] { return static_cast<std::int64_t>(1 + random() % 30); };
    const extents size{{side(), side()}};
    std::vector<std::uint8_t> classes(static_cast<std::size_t>(size.count()));
    for (auto& c : classes) c = random() % 50 == 0 ? 2 : random() % 100 < 45 ? 1 : 0;
    const auto expected = image::hysteresis(size, size, classes);
    for (std::size_t i = 0; i < classes.size(); ++i) {
      if (classes[i] != image::weak) {
        EXPECT_EQ(expected.pixels[i], classes[i] == image::strong ? 255 : 0);
      }
    }
    const extents tile{{side(), side()}};
    EXPECT_EQ(image::hysteresis(size, tile, classes), expected)
        << size[0] << " x " << size[1] << " in tiles of " << tile[0] << " x " << tile[1] << ", round " << round;
  }
}

TEST(Hysteresis, NamesAComponentByItsFirstPixel)
{
  grey classes{{{2, 4}}};
  classes.pixels = {0, 1, 0, 1,  //
                    1, 0, 0, 2};
  picture<std::int32_t> labels{classes.size};
  sequential{}.tiles(image::label_tile{4}, classes, labels);
  EXPECT_EQ(labels.pixels, (std::vector<std::int32_t>{0, 2, 0, -4,  //
                                                      2, 0, 0, -4}));
  sequential{{{1, 4}}}.tiles(image::label_tile{4}, classes, labels);
  EXPECT_EQ(labels.pixels, (std::vector<std::int32_t>{0, 2, 0, 4,  //
                                                      5, 0, 0, -8}));
}

TEST(Operations, AreAppliedInTurn)
{
  const std::vector<operation> chain = {parse_operation("flip:axis=h"), parse_operation("rotate:angle=90"),
                                        parse_operation("canny:low=10,high=20")};
  const colored in = random_colored({{6, 9}}, 3);
  std::vector<std::string> seen;
  std::optional<any_picture> last;
  const auto result = apply(chain, any_picture{in}, sequential{}, [&](const operation& which, const outcome& done) {
    seen.push_back(which.name + " of " + which.text);
    last = done.result;
  });
  EXPECT_EQ(seen, (std::vector<std::string>{"flip of flip:axis=h", "rotate of rotate:angle=90",
                                            "canny of canny:low=10,high=20"}));
  EXPECT_EQ(last, result);
  const auto by_hand =
      applied("canny:low=10,high=20", applied("rotate:angle=90", applied("flip:axis=h", in).result).result);
  EXPECT_EQ(result, by_hand.result);
}

TEST(Operations, RefuseAResultThatIsTooLarge)
{
  EXPECT_THROW((void)applied("resize:factor=1000", random_grey({{40, 40}}, 1)), std::runtime_error);
  EXPECT_THROW((void)applied("resize:factor=1000", random_grey({{1, 2000}}, 1)), std::runtime_error);
}

TEST(Operations, SumWithoutLoss)
{
  picture<double> values{{{1, 4}}};
  values.pixels = {1.0, 1e17, 1.0, -1e17};
  EXPECT_EQ(sum_of(image::planes<double>{values}), 2.0);
}

TEST(Gaussian, HasWeightsOfSumOne)
{
  for (const double sigma : {0.01, 0.3, 1.0, 50.0, 1000.0}) {
    for (const int size : {1, 3, 31, 127}) {
      const auto weights = image::gaussian_weights(size, sigma);
      double sum = weights[0];
      for (std::size_t d = 1; d < weights.size(); ++d) sum += 2 * weights[d];
      EXPECT_NEAR(sum, 1.0, 1e-14);
      EXPECT_EQ(size == 127 || weights[static_cast<std::size_t>(size / 2 + 1)] == 0.0, true);
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// The text of operations

/// The message that refuses `text`, or "accepted".
std::string refusal(const std::string& text)
{
  try {
    (void)parse_operation(text);
  } catch (const std::invalid_argument& why) {
    return why.what();
  }
  return "accepted";
}

TEST(OperationText, IsRead)
{
  const auto gaussian = parse_operation("gaussian:sigma=2.5,size=7");
  EXPECT_EQ(gaussian.name, "gaussian");
  EXPECT_EQ(gaussian.text, "gaussian:sigma=2.5,size=7");
  EXPECT_EQ(std::get<image::gaussian_options>(gaussian.what).size, 7);
  EXPECT_EQ(std::get<image::gaussian_options>(gaussian.what).sigma, 2.5);

  const auto canny = std::get<image::canny_options>(parse_operation("canny:low=10.9,high=20.9").what);
  EXPECT_EQ(canny.low, 10);
  EXPECT_EQ(canny.high, 20);
  EXPECT_EQ(canny.measure, image::norm::l1);
  const auto squared = std::get<image::canny_options>(parse_operation("canny:low=1.5,high=10000,norm=l2").what);
  EXPECT_EQ(squared.low, 2);
  EXPECT_EQ(squared.high, 100000000);
  EXPECT_EQ(squared.measure, image::norm::l2);

  EXPECT_EQ(std::get<image::rotate_options>(parse_operation("rotate:angle=-90").what).angle, 270.0);
  EXPECT_EQ(std::get<image::rotate_options>(parse_operation("rotate:angle=765.5").what).angle, 45.5);
  EXPECT_EQ(std::get<image::rotate_options>(parse_operation("rotate:angle=-1e-300").what).angle, 0.0);
  EXPECT_EQ(std::get<image::resize_options>(parse_operation("resize:factor=2").what).method,
            image::interpolation::bilinear);
  EXPECT_EQ(std::get<image::morphology_options>(parse_operation("close:size=3").what).kind, image::morphology::close);
  EXPECT_EQ(std::get<image::morphology_options>(parse_operation("erode:size=3,shape=cross").what).shape,
            image::element::cross);
  EXPECT_EQ(std::get<image::flip_options>(parse_operation("flip:axis=v").what).along, image::axis::v);
  EXPECT_TRUE(std::holds_alternative<image::sobel_options>(parse_operation("sobel").what));
}

TEST(OperationText, IsRefusedInOneLineThatNamesTheKey)
{
  const std::pair<const char*, const char*> cases[] = {
      {"",
       "unknown operation \"\"; expected one of mean, gaussian, sobel, canny, dilate, erode, open, close, resize, "
       "rotate, flip"},
      {"blur:size=3",
       "unknown operation \"blur\"; expected one of mean, gaussian, sobel, canny, dilate, erode, open, "
       "close, resize, rotate, flip"},
      {"mean", "mean: size is missing: expected an odd number from 1 to 127"},
      {"mean:", "mean: expected key=value, not \"\""},
      {"mean:3", "mean: expected key=value, not \"3\""},
      {"mean:size=", "mean: size: expected an odd number from 1 to 127, not \"\""},
      {"mean:size=4", "mean: size: expected an odd number from 1 to 127, not \"4\""},
      {"mean:size=-3", "mean: size: expected an odd number from 1 to 127, not \"-3\""},
      {"mean:size=129", "mean: size: expected an odd number from 1 to 127, not \"129\""},
      {"mean:size=3x", "mean: size: expected an odd number from 1 to 127, not \"3x\""},
      {"mean:size=99999999999", "mean: size: expected an odd number from 1 to 127, not \"99999999999\""},
      {"mean:size=3,", "mean: expected key=value, not \"\""},
      {"mean:size=3,size=3", "mean: size: given twice"},
      {"mean:sise=3", "mean: unknown key \"sise\"; expected size"},
      {"gaussian:size=5", "gaussian: sigma is missing: expected a number from 0.01 to 1000"},
      {"gaussian:size=5,sigma=0", "gaussian: sigma: expected a number from 0.01 to 1000, not \"0\""},
      {"gaussian:size=5,sigma=nan", "gaussian: sigma: expected a number from 0.01 to 1000, not \"nan\""},
      {"gaussian:size=5,sigma=inf", "gaussian: sigma: expected a number from 0.01 to 1000, not \"inf\""},
      {"gaussian:size=5,sigma=1e999", "gaussian: sigma: expected a number from 0.01 to 1000, not \"1e999\""},
      {"gaussian:width=5", "gaussian: unknown key \"width\"; expected size or sigma"},
      {"sobel:size=3", "sobel: unknown key \"size\"; it takes none"},
      {"canny:low=200,high=100", "canny: high: expected a number not below low, 200, not \"100\""},
      {"canny:low=-1,high=100", "canny: low: expected a number from 0 to 10000, not \"-1\""},
      {"canny:low=1,high=2,norm=l3", "canny: norm: expected l1 or l2, not \"l3\""},
      {"dilate:size=3,shape=disk", "dilate: shape: expected rect or cross, not \"disk\""},
      {"resize:factor=0", "resize: factor: expected a number from 0.001 to 1000, not \"0\""},
      {"resize:factor=2,method=cubic", "resize: method: expected bilinear or nearest, not \"cubic\""},
      {"rotate:angle=left", "rotate: angle: expected a number from -36000 to 36000, not \"left\""},
      {"flip", "flip: axis is missing: expected h or v"},
      {"flip:axis=x\ny", "flip: axis: expected h or v, not \"x?y\""},
      {"Mean:size=3",
       "unknown operation \"Mean\"; expected one of mean, gaussian, sobel, canny, dilate, erode, open, "
       "close, resize, rotate, flip"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(refusal(text), expected) << text;
  EXPECT_LT(refusal("mean:size=" + std::string(100000, '7')).size(), 200U);
}

// ---------------------------------------------------------------------------------------------------------------------
// PNG files

/// An empty folder, removed at the end.
class Png : public testing::Test {
 protected:
  Png()
  {
    std::string pattern = testing::TempDir() + "image-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error{"mkdtemp"};
    folder = pattern;
  }
  ~Png() override { std::filesystem::remove_all(folder); }

  [[nodiscard]] std::string path(const std::string& name) const { return (folder / name).string(); }

  [[nodiscard]] std::size_t files() const
  {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator{folder}, {}));
  }

  /// Creates a file of these bytes and returns its path.
  [[nodiscard]] std::string file(const std::string& bytes) const
  {
    std::ofstream{path("in.png"), std::ios::binary}.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path("in.png");
  }

  std::filesystem::path folder;
};

std::string content(const std::string& path)
{
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

std::string big_endian(std::uint32_t value)
{
  std::string out;
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(value >> shift & 255U);
  return out;
}

std::string chunk(const std::string& type, const std::string& data)
{
  const std::string body = type + data;
  const auto crc = ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(static_cast<std::uint32_t>(data.size())) + body + big_endian(static_cast<std::uint32_t>(crc));
}

const std::string signature = "\x89PNG\r\n\x1a\n";

std::string head_chunk(std::uint32_t columns, std::uint32_t rows, int bits, int color_type, int interlaced = 0)
{
  return chunk("IHDR", big_endian(columns) + big_endian(rows) + static_cast<char>(bits) +
                           static_cast<char>(color_type) + std::string(2, '\0') + static_cast<char>(interlaced));
}

std::string deflated(const std::string& bytes)
{
  auto size = ::compressBound(static_cast<uLong>(bytes.size()));
  std::string out(size, '\0');
  ::compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()),
             static_cast<uLong>(bytes.size()));
  out.resize(size);
  return out;
}

/// A PNG file of rows that hold their filter byte already.
std::string png_of(const std::string& head, const std::string& before, const std::string& rows)
{
  return signature + head + before + chunk("IDAT", deflated(rows)) + chunk("IEND", "");
}

/// The message that refuses to read, or "accepted".
std::string refusal_to_read(const std::string& path, std::uint64_t bytes_max = image::picture_bytes_max)
{
  try {
    (void)read_png(path, bytes_max);
  } catch (const std::runtime_error& why) {
    const std::string line = why.what();
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_EQ(line.substr(0, path.size() + 2), path + ": ");
    return line.substr(std::min(line.size(), path.size() + 2));
  }
  return "accepted";
}

std::string refusal_to_write(const std::string& path, const any_picture& what)
{
  try {
    write_png(path, what);
  } catch (const std::runtime_error& why) {
    const std::string line = why.what();
    EXPECT_EQ(line.substr(0, path.size() + 2), path + ": ");
    return line.substr(std::min(line.size(), path.size() + 2));
  }
  return "accepted";
}

TEST_F(Png, ComesBackAsItWasWritten)
{
  for (const extents size :
       {extents{{1, 1}}, extents{{1, 13}}, extents{{9, 1}}, extents{{3, 5}}, extents{{300, 211}}}) {
    const any_picture black_and_white = random_grey(size, 1);
    write_png(path("grey.png"), black_and_white);
    EXPECT_EQ(read_png(path("grey.png")), black_and_white);
    const any_picture color = random_colored(size, 2);
    write_png(path("color.png"), color);
    EXPECT_EQ(read_png(path("color.png")), color);
  }
  EXPECT_EQ(files(), 2U);
}

TEST_F(Png, OfAPaletteBecomesRgbWithoutItsTransparency)
{
  const auto file_path =
      file(png_of(head_chunk(3, 1, 2, 3), chunk("PLTE", "abcdefghi") + chunk("tRNS", std::string{"\0\x80", 2}),
                  std::string{"\0\x18", 2}));  // 0 1 2
  const auto in = std::get<colored>(read_png(file_path));
  EXPECT_EQ(in.size, (extents{{1, 3}}));
  EXPECT_EQ(in.pixels, (std::vector<rgb>{{'a', 'b', 'c'}, {'d', 'e', 'f'}, {'g', 'h', 'i'}}));
}

TEST_F(Png, OfFewBitsIsSpread)
{
  using pixels = std::vector<std::uint8_t>;
  const auto read = [&](int bits, const std::string& row) {
    return std::get<grey>(read_png(file(png_of(head_chunk(4, 1, bits, 0), "", std::string(1, '\0') + row)))).pixels;
  };
  EXPECT_EQ(read(1, "\xa0"), (pixels{255, 0, 255, 0}));
  EXPECT_EQ(read(2, "\x1b"), (pixels{0, 85, 170, 255}));
  EXPECT_EQ(read(4, "\x12\xef"), (pixels{17, 34, 238, 255}));
  // A transparent level changes nothing.
  const std::string transparent = chunk("tRNS", std::string{"\0\1", 2});
  EXPECT_EQ(
      std::get<grey>(read_png(file(png_of(head_chunk(4, 1, 2, 0), transparent, std::string{"\0\x1b", 2})))).pixels,
      (pixels{0, 85, 170, 255}));
}

TEST_F(Png, OfSixteenBitsIsRounded)
{
  const auto in = std::get<grey>(
      read_png(file(png_of(head_chunk(5, 1, 16, 0), "", std::string{"\0\0\0\0\x80\0\x81\xff\x7e\xff\xff", 11}))));
  EXPECT_EQ(in.pixels, (std::vector<std::uint8_t>{0, 0, 1, 254, 255}));  // 128 and 129 are around 0.5 * 257
}

TEST_F(Png, LosesItsAlphaAndKeepsItsColor)
{
  const auto color =
      std::get<colored>(read_png(file(png_of(head_chunk(2, 1, 8, 6), "", std::string{"\0abc\0def\xff", 9}))));
  EXPECT_EQ(color.pixels, (std::vector<rgb>{{'a', 'b', 'c'}, {'d', 'e', 'f'}}));
  const auto in = std::get<grey>(read_png(file(png_of(head_chunk(2, 1, 8, 4), "", std::string{"\0a\0b\x80", 5}))));
  EXPECT_EQ(in.pixels, (std::vector<std::uint8_t>{'a', 'b'}));
  const auto keyed = std::get<colored>(read_png(
      file(png_of(head_chunk(1, 1, 8, 2), chunk("tRNS", std::string{"\0a\0b\0c", 6}), std::string{"\0abc", 4}))));
  EXPECT_EQ(keyed.pixels, (std::vector<rgb>{{'a', 'b', 'c'}}));
}

TEST_F(Png, MayBeInterlaced)
{
  // Two by two: the passes hold the first pixel, then the right one, then the lower row.
  const auto in = std::get<grey>(read_png(file(png_of(head_chunk(2, 2, 8, 0, 1), "", std::string{"\0a\0b\0cd", 7}))));
  EXPECT_EQ(in.pixels, (std::vector<std::uint8_t>{'a', 'b', 'c', 'd'}));
}

TEST_F(Png, IsRefusedWhereThereIsNone)
{
  EXPECT_EQ(refusal_to_read(path("missing.png")), "cannot read: No such file or directory");
  EXPECT_EQ(refusal_to_read(folder.string()), "cannot read: Is a directory");
  EXPECT_EQ(refusal_to_read(file("")), "not a whole PNG file: it ends too early");
  EXPECT_EQ(refusal_to_read(file("It was a dark and stormy night.")), "not a PNG file, or damaged: Not a PNG file");
  EXPECT_EQ(refusal_to_read("/dev/zero"), "not a PNG file, or damaged: Not a PNG file");
}

TEST_F(Png, IsRefusedWhereverItEndsTooEarly)
{
  write_png(path("whole.png"), random_colored({{7, 6}}, 4));
  const std::string whole = content(path("whole.png"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(refusal_to_read(file(whole.substr(0, size))), "accepted") << size;
  }
  EXPECT_EQ(refusal_to_read(file(whole)), "accepted");
}

TEST_F(Png, IsNeverTakenForAnotherPictureWhenABitIsWrong)
{
  const any_picture right = random_colored({{7, 6}}, 4);
  write_png(path("whole.png"), right);
  const std::string whole = content(path("whole.png"));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string wrong = whole;
      wrong[at] = static_cast<char>(wrong[at] ^ (1 << bit));
      EXPECT_NE(refusal_to_read(file(wrong)), "accepted") << "byte " << at << ", bit " << bit;
    }
  }
}

TEST_F(Png, WithNotEnoughPixelsIsRefused)
{
  EXPECT_NE(refusal_to_read(file(png_of(head_chunk(4, 4, 8, 0), "", std::string(10, '\0')))), "accepted");
  EXPECT_NE(refusal_to_read(file(signature + head_chunk(4, 4, 8, 0) + chunk("IEND", ""))), "accepted");
  EXPECT_NE(refusal_to_read(file(png_of(head_chunk(0, 4, 8, 0), "", "\0"))), "accepted");
}

TEST_F(Png, ThatIsTooLargeIsRefusedByItsHeader)
{
  const auto claimed = [&](std::uint32_t columns, std::uint32_t rows, int color_type) {
    return file(signature + head_chunk(columns, rows, 8, color_type) + chunk("IDAT", "x") + chunk("IEND", ""));
  };
  EXPECT_EQ(refusal_to_read(claimed(0x7fffffff, 0x7fffffff, 2)),
            "too large: 2147483647 x 2147483647 pixels, of at most 1048576 a side");
  EXPECT_EQ(refusal_to_read(claimed(1048576, 1048576, 2)),
            "too large: 1048576 x 1048576 pixels are 3298534883328 bytes, of at most 1073741824");
  EXPECT_EQ(refusal_to_read(claimed(32768, 32768, 0)), "damaged: 32768 x 32768 pixels cannot be in a file of 58 bytes");
  EXPECT_EQ(refusal_to_read(claimed(10, 10, 2), 299), "too large: 10 x 10 pixels are 300 bytes, of at most 299");
}

TEST_F(Png, OfTheBestCompressionIsAccepted)
{
  const any_picture blank = grey{{{4000, 3000}}};
  write_png(path("blank.png"), blank);
  EXPECT_EQ(read_png(path("blank.png")), blank);
}

TEST_F(Png, IsReadFromAPipe)
{
  const any_picture what = random_grey({{300, 400}}, 8);
  write_png(path("whole.png"), what);
  const std::string command = "cat " + path("whole.png");
  std::FILE* const pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  EXPECT_EQ(read_png("/dev/fd/" + std::to_string(::fileno(pipe))), what);
  ::pclose(pipe);
}

TEST_F(Png, ReplacesAFileAndKeepsItsRights)
{
  const auto target = file("something else");
  ASSERT_EQ(::chmod(target.c_str(), 0640), 0);
  std::filesystem::create_symlink("in.png", path("link.png"));
  const any_picture what = random_grey({{3, 4}}, 8);
  write_png(path("link.png"), what);
  EXPECT_TRUE(std::filesystem::is_symlink(path("link.png")));
  EXPECT_EQ(read_png(target), what);
  struct stat now {};
  ASSERT_EQ(::stat(target.c_str(), &now), 0);
  EXPECT_EQ(now.st_mode & 0777U, 0640U);
  EXPECT_EQ(files(), 2U);
}

TEST_F(Png, LeavesNothingWhereItCannotBeWritten)
{
  const any_picture what = random_grey({{300, 400}}, 8);
  EXPECT_EQ(refusal_to_write(path("missing/out.png"), what), "cannot write: No such file or directory");
  EXPECT_EQ(refusal_to_write(folder.string(), what), "cannot write: Is a directory");
  EXPECT_EQ(refusal_to_write("/proc/out.png", what), "cannot write: No such file or directory");
  EXPECT_EQ(refusal_to_write(path("new/"), what), "cannot write: not the name of a file");
  EXPECT_EQ(refusal_to_write("", what), "cannot write: not the name of a file");
  EXPECT_EQ(refusal_to_write(path("empty.png"), grey{}), "cannot write: a PNG file needs at least one pixel");
  EXPECT_EQ(files(), 0U);
  if (::access("/dev/full", W_OK) == 0) {
    EXPECT_EQ(refusal_to_write("/dev/full", what), "cannot write: No space left on device");
    EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
  }
}

TEST_F(Png, KeepsTheOldFileWhenThereIsNoRoomForTheNewOne)
{
  // A limit on the size of files stands for the full disk.
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const auto target = file("the old one");
  struct rlimit small = before;
  small.rlim_cur = 70000;  // more than one write of 64 KiB, less than the file
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto why = refusal_to_write(target, random_grey({{300, 400}}, 8));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(why, "cannot write: File too large");
  EXPECT_EQ(content(target), "the old one");
  EXPECT_EQ(files(), 1U);
}

}  // namespace
