#include "image/operation.hpp"  // first: shows that the header stands alone

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "support/pictures.hpp"

namespace {

using image::any_picture;
using image::apply;
using image::operation;
using image::outcome;
using image::parse_operation;
using image::picture;
using image::sequential;
using image::sum_of;
using support::applied;
using support::colored;
using support::grey;
using support::random_colored;
using support::random_grey;

using extents = fastgpu::extents<2>;

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

}  // namespace
