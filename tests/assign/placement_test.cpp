#include <fastgpu/assign/placement.hpp>  // first: shows that the header stands alone

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/error.hpp>

#include "observe/json.hpp"

namespace {

using fastgpu::errc;
using fastgpu::interval;
using fastgpu::placement;
using fastgpu::placement_entry;
using fastgpu::placement_from_json;

placement some_placement()
{
  placement table;
  table.shape = 0xfedcba9876543210;
  table.subtasks = 100;
  table.policy = "by_speed";
  table.entries.push_back({{0}, "host:2", {{0, 25}}, 1.5});
  table.entries.push_back({{3}, "paced:100", {{25, 50}, {75, 100}}, 0.25});
  table.entries.push_back({{4}, "faulty:7", {}, 0});
  table.entries.push_back({{5}, "host:1", {{50, 75}}, 0});
  return table;
}

constexpr std::string_view some_json =
    R"({"schema":1,"shape":"fedcba9876543210","subtasks":100,"policy":"by_speed","entries":[)"
    R"({"device":0,"name":"host:2","predicted_s":1.5E0,"ranges":[[0,25]]},)"
    R"({"device":3,"name":"paced:100","predicted_s":2.5E-1,"ranges":[[25,50],[75,100]]},)"
    R"({"device":4,"name":"faulty:7","predicted_s":0E0,"ranges":[]},)"
    R"({"device":5,"name":"host:1","predicted_s":0E0,"ranges":[[50,75]]}]})";

TEST(Placement, PrintsAsATable)
{
  EXPECT_EQ(to_text(some_placement()),
            "100 subtasks placed by by_speed\n"
            "device  name                subtasks   share  predicted s  ranges\n"
            "0       host:2                    25   25.0%        1.500  [0, 25)\n"
            "3       paced:100                 50   50.0%        0.250  [25, 50) [75, 100)\n"
            "4       faulty:7                   0    0.0%        0.000  \n"
            "5       host:1                    25   25.0%        0.000  [50, 75)\n");
}

TEST(Placement, PrintsLongNamesWhole)
{
  placement table;
  table.subtasks = 10;
  table.policy = std::string(300, 'p');
  table.entries.push_back({{0}, std::string(300, 'n'), {{0, 10}}, 0});
  const auto text = to_text(table);
  EXPECT_NE(text.find(table.policy), std::string::npos);
  EXPECT_NE(text.find(table.entries[0].name), std::string::npos);
  EXPECT_NE(text.find("[0, 10)\n"), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
}

TEST(Placement, IsJson)
{
  namespace json = fastgpu::detail::json;
  EXPECT_EQ(json::parse(to_json(some_placement())), json::parse({some_json.data(), some_json.size()}));
}

TEST(Placement, IsReadBackFromItsJson)
{
  EXPECT_EQ(placement_from_json(some_json), some_placement());
  EXPECT_EQ(placement_from_json(to_json(some_placement())), some_placement());
  EXPECT_EQ(placement_from_json(to_json(placement{})), placement{});
}

TEST(Placement, IsReadFromEditedJson)
{
  const auto table = placement_from_json(R"(
    { "entries": [ {"ranges": [[0, 60]], "predicted_s": 3, "name": "by hand", "device": 1},
                   {"ranges": [[60, 100]], "predicted_s": -1, "name": "", "device": 0, "why": "it is mine"} ],
      "comment": "edited", "policy": "me", "subtasks": 1e2, "shape": "FF", "schema": 1 }
  )");
  placement expected;
  expected.shape = 255;
  expected.subtasks = 100;
  expected.policy = "me";
  expected.entries.push_back({{1}, "by hand", {{0, 60}}, 3});
  expected.entries.push_back({{0}, "", {{60, 100}}, -1});
  EXPECT_EQ(table, expected);
}

TEST(Placement, ComesBackEqualWhateverIsInIt)
{
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    std::mt19937_64 random{seed};
    placement table;
    table.shape = random();
    table.subtasks = static_cast<std::uint32_t>(random());
    const auto any_text = [&] {
      std::string text(random() % 20, ' ');
      for (auto& c : text) c = static_cast<char>(random() % 128);  // quotes, backslashes and control characters too
      return text;
    };
    table.policy = any_text();
    for (auto n = random() % 5; n > 0; --n) {
      placement_entry entry{{static_cast<std::uint32_t>(random())}, any_text(), {}, 0};
      for (auto r = random() % 4; r > 0; --r) {
        entry.ranges.push_back({static_cast<std::uint32_t>(random()), static_cast<std::uint32_t>(random())});
      }
      // Nine digits are kept.
      entry.predicted_s = static_cast<double>(random() % 1'000'000'000) / 1e6;
      table.entries.push_back(entry);
    }
    ASSERT_EQ(placement_from_json(to_json(table)), table) << "seed " << seed << ": " << to_json(table);
  }
}

TEST(Placement, KeepsNamesThatAreNotAscii)
{
  placement table;
  table.policy = "größte zuerst";
  table.entries.push_back({{0}, "\u2192 \U0001f680", {}, 0});
  EXPECT_EQ(placement_from_json(to_json(table)), table);
}

/// Reads `text`; nothing but a placement or errc::invalid_argument may come of it.
std::optional<std::string> refusal(std::string_view text)
{
  try {
    (void)placement_from_json(text);
    return std::nullopt;
  } catch (const fastgpu::error& e) {
    EXPECT_EQ(e.code(), errc::invalid_argument) << text;
    EXPECT_EQ(std::string_view{e.what()}.substr(0, 11), "placement: ") << text;
    return e.what();
  } catch (const std::exception& e) {
    ADD_FAILURE() << e.what() << " came of " << text;
    return e.what();
  }
}

TEST(Placement, RefusesWhatIsNoJson)
{
  for (const std::string_view text :
       {"", " ", "nonsense", "{", "}", "{]", "{}}", "{} {}", "nul", "\"", "'{}'", "{schema:1}", "{\"schema\":1,}",
        "0x1", "NaN", "[1,2", "\xff\xfe", "{\"schema\":01}"}) {
    EXPECT_TRUE(refusal(text)) << text;
  }
  EXPECT_TRUE(refusal(std::string(3, '\0')));
  EXPECT_TRUE(refusal(std::string{some_json} + "x"));
  EXPECT_TRUE(refusal(std::string{some_json} + std::string(1, '\0')));
  EXPECT_TRUE(refusal(std::string(100'000, '[')));
  EXPECT_TRUE(refusal("{\"schema\":" + std::string(100'000, '[')));
}

TEST(Placement, RefusesJsonThatIsCutShort)
{
  for (std::size_t n = 0; n < some_json.size(); ++n) EXPECT_TRUE(refusal(some_json.substr(0, n))) << n;
}

TEST(Placement, RefusesJsonThatIsNoPlacement)
{
  for (const std::string_view text : {"null", "true", "1", "\"placement\"", "[]", "{}", "[{}]", "{\"schema\":1}"}) {
    EXPECT_TRUE(refusal(text)) << text;
  }
}

std::string edited(std::string_view what, std::string_view with)
{
  std::string text{some_json};
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), with);
}

TEST(Placement, RefusesFieldsThatAreAbsent)
{
  for (const std::string_view field :
       {R"("schema":1,)", R"("shape":"fedcba9876543210",)", R"("subtasks":100,)", R"("policy":"by_speed",)",
        R"("device":3,)", R"("name":"paced:100",)", R"("predicted_s":2.5E-1,)", R"(,"ranges":[])"}) {
    EXPECT_TRUE(refusal(edited(field, ""))) << field;
  }
  EXPECT_TRUE(refusal(R"({"schema":1,"shape":"0","subtasks":0,"policy":""})"));
}

TEST(Placement, RefusesFieldsOfAnotherType)
{
  for (const std::string_view value :
       {"null", "true", "[]", "{}", "\"x\"", "-1", "1.5", "4294967296", "1e10", "1e400"}) {
    EXPECT_TRUE(refusal(edited(R"("subtasks":100)", R"("subtasks":)" + std::string{value}))) << value;
    EXPECT_TRUE(refusal(edited(R"("device":3)", R"("device":)" + std::string{value}))) << value;
    EXPECT_TRUE(refusal(edited("[75,100]", "[75," + std::string{value} + "]"))) << value;
    EXPECT_TRUE(refusal(edited("[75,100]", "[" + std::string{value} + ",100]"))) << value;
  }
  for (const std::string_view value : {"null", "true", "[]", "{}", "1"}) {
    EXPECT_TRUE(refusal(edited(R"("policy":"by_speed")", R"("policy":)" + std::string{value}))) << value;
    EXPECT_TRUE(refusal(edited(R"("name":"paced:100")", R"("name":)" + std::string{value}))) << value;
    EXPECT_TRUE(refusal(edited(R"("shape":"fedcba9876543210")", R"("shape":)" + std::string{value}))) << value;
  }
  for (const std::string_view value : {"null", "true", "[]", "{}", "\"1\""}) {
    EXPECT_TRUE(refusal(edited(R"("predicted_s":2.5E-1)", R"("predicted_s":)" + std::string{value}))) << value;
  }
  for (const std::string_view value :
       {"null", "true", "{}", "1", "\"[]\"", "[1]", "[null]", "[{}]", "[[]]", "[[1]]", "[[1,2,3]]"}) {
    EXPECT_TRUE(refusal(edited(R"("ranges":[[0,25]])", R"("ranges":)" + std::string{value}))) << value;
  }
  EXPECT_TRUE(refusal(edited(R"("entries":[)", R"("entries":[null,)")));
  EXPECT_TRUE(refusal(edited(R"("entries":[)", R"("entries":[[],)")));
}

TEST(Placement, RefusesAnotherSchema)
{
  EXPECT_EQ(refusal(edited(R"("schema":1)", R"("schema":2)")), "placement: schema 1 was expected");
  EXPECT_TRUE(refusal(edited(R"("schema":1)", R"("schema":"1")")));
  EXPECT_TRUE(refusal(edited(R"("schema":1)", R"("schema":1.5)")));
}

TEST(Placement, RefusesAShapeThatIsNoHexadecimalNumber)
{
  for (const std::string_view shape :
       {"", " ", "g", "12g", "-1", "+1", "0x12", " 12", "12 ", "1.5", "1ffffffffffffffff", "fedcba98 76543210"}) {
    EXPECT_TRUE(refusal(edited("fedcba9876543210", shape))) << "'" << shape << "'";
  }
}

TEST(Placement, IsReadOrRefusedWhateverBytesAreChanged)
{
  int read = 0;
  int refused = 0;
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    std::mt19937_64 random{seed};
    std::string text{some_json};
    for (auto n = 1 + random() % 3; n > 0; --n) {
      const auto at = random() % text.size();
      switch (random() % 3) {
        case 0: text[at] = static_cast<char>(random()); break;
        case 1: text.erase(at, 1 + random() % 4); break;
        default: text.insert(at, 1, R"([]{},:"0-9.eE)"[random() % 13]); break;
      }
    }
    ++(refusal(text) ? refused : read);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
  EXPECT_GT(read, 300);
  EXPECT_GT(refused, 1000);
}

}  // namespace
