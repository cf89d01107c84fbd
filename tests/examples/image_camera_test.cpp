#include "image/operation.hpp"  // first: shows that the header stands alone

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <variant>

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "support/camera.hpp"
#include "support/pictures.hpp"

namespace {

using image::any_picture;
using image::outcome;
using image::read_png;
using image::sum_abs_of;
using image::sum_of;
using support::applied;
using support::grey;

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

/// The picture with known answers, and the tiles it is cut into.
class Camera : public testing::TestWithParam<extents> {
 protected:
  void SetUp() override
  {
    const auto path = support::camera_path();
    if (path.empty()) GTEST_SKIP() << support::no_camera;
    static const any_picture read = read_png(path);
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

}  // namespace
