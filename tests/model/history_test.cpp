#include "model/history.hpp"  // first: shows that the header stands alone

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <fastgpu/fastgpu.hpp>

namespace {

using fastgpu::detail::history;
using fastgpu::detail::history_entry;
using fastgpu::detail::history_key;
using fastgpu::detail::history_name;
using fastgpu::detail::size_class_of;

constexpr history_key some{"kernel", 0, "host:2", 20};

history_key of_class(int size_class) { return {"kernel", 0, "host:2", size_class}; }

TEST(History, KnowsNothingAtFirst)
{
  const history h;
  EXPECT_EQ(h.speed(some), 0);
  EXPECT_FALSE(h.changed());
  EXPECT_TRUE(h.entries().empty());
}

TEST(History, GivesTheMedian)
{
  history h;
  h.note(some, 100, 1);
  EXPECT_EQ(h.speed(some), 100);
  h.note(some, 300, 2);
  EXPECT_EQ(h.speed(some), 200);
  h.note(some, 110, 3);
  EXPECT_EQ(h.speed(some), 110);
}

TEST(History, IsNotMovedByFewerOutliersThanHalf)
{
  for (const double wrong : {500.0, 1 / 500.0}) {
    history h;
    for (int i = 0; i < 8; ++i) {
      h.note(some, 100 + i, i);
      if (i < 7) h.note(some, wrong * 100, i);
    }
    EXPECT_GE(h.speed(some), 100) << wrong;
    EXPECT_LE(h.speed(some), 107) << wrong;
  }
}

TEST(History, ForgetsWhatIsLongAgo)
{
  history h;
  for (int i = 0; i < 1000; ++i) h.note(some, 100, i);
  for (int i = 0; i < 8; ++i) h.note(some, 200, 1000 + i);
  EXPECT_EQ(h.speed(some), 200);
  EXPECT_EQ(h.entries().at(0).speeds.size(), history::speeds_max);
}

TEST(History, TakesNoAbsurdSpeed)
{
  history h;
  const auto infinite = std::numeric_limits<double>::infinity();
  for (const double speed : {0.0, -1.0, 1e300, 1e-300, infinite, -infinite, std::nan("")}) h.note(some, speed, 1);
  EXPECT_EQ(h.size(), 0);
  EXPECT_FALSE(h.changed());
}

TEST(History, TakesNoEndlessName)
{
  history h;
  const std::string name(history::name_bytes_max + 1, 'x');
  h.note({name, 0, "host:2", 20}, 100, 1);
  h.note({"kernel", 0, name, 20}, 100, 1);
  EXPECT_EQ(h.size(), 0);
}

TEST(History, KeepsKernelsDevicesAndSizesApart)
{
  history h;
  h.note({"a", 0, "host:2", 20}, 1, 1);
  h.note({"b", 0, "host:2", 20}, 2, 1);
  h.note({"a", 0, "host:4", 20}, 3, 1);
  h.note({"a", 0, "host:2", 10}, 4, 1);
  h.note({"", 7, "host:2", 20}, 5, 1);
  h.note({"", 8, "host:2", 20}, 6, 1);
  EXPECT_EQ(h.speed({"a", 0, "host:2", 20}), 1);
  EXPECT_EQ(h.speed({"b", 0, "host:2", 20}), 2);
  EXPECT_EQ(h.speed({"a", 0, "host:4", 20}), 3);
  EXPECT_EQ(h.speed({"a", 0, "host:2", 10}), 4);
  EXPECT_EQ(h.speed({"", 7, "host:2", 20}), 5);
  EXPECT_EQ(h.speed({"", 8, "host:2", 20}), 6);
  EXPECT_EQ(h.speed({"", 9, "host:2", 20}), 0);
}

TEST(History, AnswersByTheNearestSize)
{
  history h;
  h.note(of_class(10), 10, 1);
  h.note(of_class(14), 14, 1);
  EXPECT_EQ(h.speed(of_class(6)), 0);
  EXPECT_EQ(h.speed(of_class(7)), 10);
  EXPECT_EQ(h.speed(of_class(11)), 10);
  EXPECT_EQ(h.speed(of_class(12)), 14);  // as near, and larger
  EXPECT_EQ(h.speed(of_class(13)), 14);
  EXPECT_EQ(h.speed(of_class(17)), 14);
  EXPECT_EQ(h.speed(of_class(18)), 0);
  h.note(of_class(12), 12, 1);
  EXPECT_EQ(h.speed(of_class(12)), 12);
}

TEST(History, ForgetsWhoWasMeasuredLeastRecently)
{
  std::vector<std::string> names;
  for (std::size_t i = 0; i <= history::keys_max; ++i) names.push_back(std::to_string(i));
  const auto key = [&](std::size_t i) { return history_key{names.at(i), 0, "host:2", 20}; };
  history h;
  for (std::size_t i = 0; i < history::keys_max; ++i) h.note(key(i), 100, 1);
  h.note(key(0), 100, 2);
  h.note(key(history::keys_max), 100, 2);
  EXPECT_EQ(h.size(), history::keys_max);
  EXPECT_EQ(h.speed(key(0)), 100);
  EXPECT_EQ(h.speed(key(1)), 0);
  EXPECT_EQ(h.speed(key(2)), 100);
  EXPECT_EQ(h.speed(key(history::keys_max)), 100);
}

TEST(History, GivesForADiskWhatOtherProcessesUnderstand)
{
  history h;
  h.note({"", 7, "host:2", 20}, 5, 1);
  EXPECT_FALSE(h.changed());
  h.note({"a", 0, "host:2", 20}, 1, 3);
  h.note({"b", 0, "host:2", 21}, 2, 4);
  EXPECT_TRUE(h.changed());
  const auto all = h.entries();
  ASSERT_EQ(all.size(), 2);
  EXPECT_EQ(all[0].kernel, "b");  // the last measured first
  EXPECT_EQ(all[0].device, "host:2");
  EXPECT_EQ(all[0].size_class, 21);
  EXPECT_EQ(all[0].date_s, 4);
  EXPECT_EQ(all[0].speeds, std::vector<double>{2});
  EXPECT_EQ(all[0].fresh, 1);
  h.mark_written();
  EXPECT_FALSE(h.changed());
  EXPECT_EQ(h.entries()[0].fresh, 0);
}

TEST(History, TakesFromAnotherWhatIsNewInIt)
{
  history h;
  h.note({"a", 0, "host:2", 20}, 1, 10);
  h.take({"b", "host:2", 20, 5, {3, 4, 5}, 0});
  EXPECT_EQ(h.speed({"b", 0, "host:2", 20}), 4);
  h.take({"a", "host:2", 20, 5, {7, 8, 9}, 0});  // known
  EXPECT_EQ(h.speed({"a", 0, "host:2", 20}), 1);
  h.take({"a", "host:2", 20, 12, {7, 8, 9}, 2});
  EXPECT_EQ(h.speed({"a", 0, "host:2", 20}), 8);
  for (const auto& e : h.entries()) {
    if (e.kernel == "a") {
      EXPECT_EQ(e.speeds, (std::vector<double>{1, 8, 9}));
      EXPECT_EQ(e.date_s, 12);
    }
  }
}

TEST(History, CountsIndicesInPowersOfTwo)
{
  const auto of = [](const auto& space) { return size_class_of(fastgpu::decompose(space).shape()); };
  EXPECT_EQ(of(fastgpu::space<1>{0}), 0);
  EXPECT_EQ(of(fastgpu::space<1>{1}), 0);
  EXPECT_EQ(of(fastgpu::space<1>{1023}), 9);
  EXPECT_EQ(of(fastgpu::space<1>{1024}), 10);
  EXPECT_EQ(of(fastgpu::space<2>{{1024, 1024}}), 20);
}

TEST(History, CallsDevicesByAllThatTheirSpeedDependsOn)
{
  fastgpu::device_info one;
  one.name = "cuda:0";
  one.numeric_class = "cuda sm_90";
  EXPECT_EQ(history_name(one), "cuda:0; cuda sm_90");
  one.model = "NVIDIA H200";
  EXPECT_EQ(history_name(one), "cuda:0; cuda sm_90; NVIDIA H200");
  EXPECT_EQ(history_name(std::vector{one, one}), "cuda:0; cuda sm_90; NVIDIA H200, cuda:0; cuda sm_90; NVIDIA H200");

  std::vector<fastgpu::device_info> many(100, one);  // more than a name may be long
  const auto all = history_name(many);
  EXPECT_EQ(all.size(), history::name_bytes_max);
  EXPECT_EQ(all.substr(0, 20), "cuda:0; cuda sm_90; ");
  many.back().model = "another";
  EXPECT_NE(history_name(many), all);
  EXPECT_EQ(history_name(many).size(), history::name_bytes_max);
}

}  // namespace
