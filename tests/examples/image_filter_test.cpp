#include <cstddef>
#include <string>
#include <vector>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "support/camera.hpp"
#include "support/configurations.hpp"
#include "support/process.hpp"

/// @file
/// image_filter on camera.png: every published row, over devices, tiles, policies and faults.

namespace {

using namespace support;

/// One row: what JSON says of the operation, by key; a hash is given by its first 16 digits.
struct row {
  std::string operation;
  json::object expected;
};

const std::vector<row>& table()
{
  static const std::vector<row> rows{
      {"mean:size=3", {{"sum", 33832915}, {"sha256", "c23d781f75f31be0"}}},
      {"gaussian:size=5,sigma=1.0", {{"sum_unrounded", 33832650.17395833}}},
      {"sobel",
       {{"gx", {{"sum_abs", 8544999}, {"sha256", "57daf478cde7bb06"}}},
        {"gy", {{"sum_abs", 7536987}, {"sha256", "36c953899586da69"}}}}},
      {"canny:low=100,high=200,norm=l1", {{"edges", 19686}, {"sha256", "ea135066f7d43c4d"}}},
      {"dilate:size=3", {{"sum", 36666225}}},
      {"erode:size=3", {{"sum", 31127826}}},
      {"open:size=3", {{"sum", 32762022}}},
      {"close:size=3", {{"sum", 34899933}}},
      {"rotate:angle=270", {{"sha256", "fae3d73f004987bb"}}},
      {"flip:axis=h", {{"sha256", "5b74bef39076c73d"}}},
      {"flip:axis=v", {{"sha256", "92c09d47f46d2385"}}},
      {"resize:factor=2,method=nearest", {{"sum", 135329980}, {"sha256", "371ab53a04cc9310"}}}};
  return rows;
}

void expect_same(const json::value& found, const json::value& expected, const std::string& key)
{
  if (expected.is_object()) {
    for (const auto& item : expected.as_object()) expect_same(found.at(item.key()), item.value(), item.key());
  } else if (key == "sha256") {
    const std::string hash = found.as_string().c_str();
    EXPECT_EQ(hash.size(), 64u);
    EXPECT_EQ(hash.substr(0, 16), expected.as_string().c_str());
  } else if (expected.is_double()) {
    EXPECT_NEAR(found.to_number<double>(), expected.as_double(), 1e-6) << key;
  } else {
    EXPECT_EQ(found, expected) << key;
  }
}

class ImageFilter : public testing::TestWithParam<std::size_t> {
 protected:
  void SetUp() override
  {
    picture_ = camera_path();
    if (picture_.empty()) GTEST_SKIP() << no_camera;
  }
  std::string picture_;
};

TEST_P(ImageFilter, GivesThePublishedAnswerEverywhere)
{
  const auto& wanted = table()[GetParam()];
  const auto configurations = pairwise();
  // Six of the configurations for each row, others for the next: all of them meet every kind of kernel.
  for (std::size_t i = 0; i < 6; ++i) {
    const auto& configuration = configurations[(GetParam() + 3 * i) % configurations.size()];
    const auto options = arguments{"--in", picture_, "--op", wanted.operation, "--json", "-"} +
                         configuration.options({"64", "7x13", "100000"});
    SCOPED_TRACE(json::serialize(json::value_from(options)));
    const auto end = run("image_filter", options);
    ASSERT_EQ(end.status, 0) << end.err;
    const auto report = report_of(end);
    expect_same(report.at("operations").as_array().at(0), wanted.expected, "");
  }
}

INSTANTIATE_TEST_SUITE_P(Table, ImageFilter, testing::Range<std::size_t>(0, 12));

TEST(ImageFilterUse, ReportsBadPicturesAndOperationsInOneLine)
{
  for (const auto& [operation, status] : std::vector<std::pair<std::string, int>>{
           {"sobel", 1}, {"blur", 2}, {"mean", 2}, {"mean:size=4", 2}, {"mean:size=3,size=3", 2}, {"canny:low=1", 2}}) {
    const auto end = run("image_filter", {"--in", "/nonexistent.png", "--op", operation});
    EXPECT_EQ(end.status, status) << operation;
    EXPECT_TRUE(is_one_line(end.err)) << end.err;
  }
  EXPECT_EQ(run("image_filter", {"--in", "x.png"}).status, 2);
  EXPECT_EQ(run("image_filter", {"--op", "sobel"}).status, 2);
}

}  // namespace
