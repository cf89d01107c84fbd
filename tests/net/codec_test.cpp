#include "net/codec.hpp"  // first: shows that the header stands alone

#include <cstdlib>
#include <future>
#include <limits>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "net/dispatch.hpp"
#include "net/message_fields.hpp"
#include "net/random_message.hpp"

namespace {

using namespace fastgpu::detail;  // NOLINT: the messages, all of them
using fastgpu::errc;
using fastgpu::failure;
using fastgpu::interval;
using support::random_message;
using support::same;

/// What decoding the encoding gives: the message's own bounds, in words, or "".
std::string refusal_of_encoded(const message& what)
{
  const auto decoded = decode(what.index(), encode(what));
  if (decoded) return "";
  EXPECT_EQ(decoded.error().code, errc::protocol_error);
  EXPECT_EQ(decoded.error().detail, out_of_bounds(what));
  return decoded.error().detail;
}

std::uint64_t round_trips()
{
  const auto* count = std::getenv("FASTGPU_ROUND_TRIPS");
  return count != nullptr ? std::strtoull(count, nullptr, 10) : 200'000;
}

TEST(RoundTrip, GivesBackEveryMessage)
{
  random_message messages{1};
  encoder writer;
  std::vector<std::byte> body;
  for (std::uint64_t i = 0; i < round_trips(); ++i) {
    const auto sent = messages.any();
    body.clear();
    writer.append(sent, body);
    ASSERT_EQ(body.size() % 8, 0u);
    const auto received = decode(sent.index(), body);
    ASSERT_TRUE(received.has_value()) << i << ": " << received.error().detail;
    ASSERT_TRUE(same(sent, received.value())) << i << ": " << dispatch_table[sent.index()].name;
  }
}

TEST(Codec, WritesDefaultsOfEveryMessage)
{
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (
        [&] {
          message sent{std::in_place_index<I>};
          if (auto* seal = std::get_if<job_sealed>(&sent)) seal->seal = 1;
          if (auto* seal = std::get_if<acknowledge_seal>(&sent)) seal->seal = 1;
          if (auto* seal = std::get_if<seal_job>(&sent)) seal->request = 1;
          const auto received = decode(I, encode(sent));
          ASSERT_TRUE(received.has_value()) << received.error().detail;
          EXPECT_TRUE(same(sent, received.value())) << I;
        }(),
        ...);
  }(std::make_index_sequence<std::variant_size_v<message>>{});
}

TEST(Codec, ReadsABodyWhereverItLies)
{
  const message sent = job_progress{1, 2, 3, 4};
  const auto body = encode(sent);
  std::vector<std::byte> room(body.size() + 16);
  for (std::size_t shift = 0; shift < 16; ++shift) {
    std::copy(body.begin(), body.end(), room.begin() + static_cast<std::ptrdiff_t>(shift));
    const auto received = decode(sent.index(), std::span{room}.subspan(shift, body.size()));
    ASSERT_TRUE(received.has_value());
    EXPECT_TRUE(same(sent, received.value()));
  }
}

TEST(Codec, TakesForeignCodesForInternalErrorsAndShortensDetails)
{
  const failure foreign{std::make_error_code(std::future_errc::no_state), std::string(10'000, 'x')};
  const auto received = decode(type_of<job_refused>, encode(job_refused{1, foreign}));
  ASSERT_TRUE(received.has_value()) << received.error().detail;
  const auto& why = std::get<job_refused>(received.value()).why;
  EXPECT_EQ(why.code, errc::internal);
  EXPECT_EQ(why.detail, std::string(4096, 'x'));
}

TEST(Codec, KeepsGreetingsAndRefusals)
{
  std::vector<std::byte> body;
  encoder writer;
  writer.append(hello{"desk", "0.1.0", "g++", role::submit | role::observe}, body);
  const auto greeting = decode_hello(body);
  ASSERT_TRUE(greeting.has_value());
  EXPECT_EQ(greeting.value().name, "desk");
  EXPECT_EQ(greeting.value().library, "0.1.0");
  EXPECT_EQ(greeting.value().build, "g++");
  EXPECT_EQ(greeting.value().wanted, role::submit | role::observe);

  body.clear();
  writer.append(hello{"desk", "0.1.0", "g++", static_cast<role>(16)}, body);
  EXPECT_EQ(decode_hello(body).error().detail, "hello: an unknown role");

  body.clear();
  writer.append(refusal{errc::build_mismatch, std::string(5000, 'x')}, body);
  const auto no = decode_refusal(body);
  ASSERT_TRUE(no.has_value());
  EXPECT_EQ(no.value().code, errc::build_mismatch);
  EXPECT_EQ(no.value().sentence, std::string(1024, 'x'));

  body.clear();
  writer.append(refusal{static_cast<errc>(99), ""}, body);
  EXPECT_EQ(decode_refusal(body).error().detail, "refusal: an unknown error");
}

// Bounds ------------------------------------------------------------------------------------------------------------

constexpr auto not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr auto infinity = std::numeric_limits<double>::infinity();

/// An open_job that passes, changed.
template <class Change>
std::string changed_job(Change change)
{
  open_job job;
  job.what.arguments.resize(1);
  change(job);
  return refusal_of_encoded(job);
}

TEST(CodecBounds, HoldForJobs)
{
  EXPECT_EQ(changed_job([](auto&) {}), "");
  EXPECT_EQ(changed_job([](auto& j) { j.what.rank = 0; }), "open_job: a rank that is not 1 to 3");
  EXPECT_EQ(changed_job([](auto& j) { j.what.rank = 4; }), "open_job: a rank that is not 1 to 3");
  EXPECT_EQ(changed_job([](auto& j) { j.what.fold = 4; }), "open_job: an unknown way to fold");
  EXPECT_EQ(changed_job([](auto& j) { j.what.width = -1; }), "open_job: a width below 0");
  EXPECT_EQ(changed_job([](auto& j) { j.what.span_log2 = 32; }), "open_job: a span too long");
  EXPECT_EQ(changed_job([](auto& j) { j.what.dimensions[2].longer = -1; }), "open_job: a dimension below 0");
  EXPECT_EQ(changed_job([](auto& j) { j.what.dimensions[0].extent = j.what.dimensions[1].extent = INT64_C(1) << 32; }),
            "open_job: a space too large");
  EXPECT_EQ(changed_job([](auto& j) { j.seal_every_s = not_a_number; }), "open_job: a number is not finite or below 0");
  EXPECT_EQ(changed_job([](auto& j) { j.seal_every_s = infinity; }), "open_job: a number is not finite or below 0");
  EXPECT_EQ(changed_job([](auto& j) { j.seal_every_s = -1; }), "open_job: a number is not finite or below 0");
  EXPECT_EQ(changed_job([](auto& j) { j.what.kernel.resize(4096); }), "");
  EXPECT_EQ(changed_job([](auto& j) { j.what.kernel.resize(4097); }), "open_job: a string is too long");
  EXPECT_EQ(changed_job([](auto& j) { j.what.signature.resize(65536); }), "");
  EXPECT_EQ(changed_job([](auto& j) { j.what.signature.resize(65537); }), "open_job: a string is too long");
  EXPECT_EQ(changed_job([](auto& j) { j.what.kernel_bytes.resize(65537); }), "open_job: a list is too long");
  EXPECT_EQ(changed_job([](auto& j) { j.what.bounds = {0, 5, 9}; }),
            "open_job: as many bounds as subtasks, and one, are needed");
  EXPECT_EQ(changed_job([](auto& j) { j.what.bounds = {0, 5, 9}, j.what.subtasks = 2; }), "");
  EXPECT_EQ(changed_job([](auto& j) { j.what.bounds = {0, 5, 4}, j.what.subtasks = 2; }),
            "open_job: bounds that go down");
  EXPECT_EQ(changed_job([](auto& j) { j.what.bounds = {-1, 5}, j.what.subtasks = 1; }),
            "open_job: bounds that go down");
  EXPECT_EQ(changed_job([](auto& j) { j.what.arguments.resize(257); }), "open_job: a list is too long");
}

TEST(CodecBounds, HoldForArguments)
{
  const auto argument = [](auto change) { return changed_job([&](open_job& j) { change(j.what.arguments[0]); }); };
  EXPECT_EQ(argument([](auto& a) { a.kind = 5; }), "open_job: an unknown kind of argument");
  EXPECT_EQ(argument([](auto& a) { a.edge = 3; }), "open_job: an unknown border");
  EXPECT_EQ(argument([](auto& a) { a.rank = -1; }), "open_job: an argument's rank is not 0 to 3");
  EXPECT_EQ(argument([](auto& a) { a.rank = 4; }), "open_job: an argument's rank is not 0 to 3");
  EXPECT_EQ(argument([](auto& a) { a.extent[1] = -1; }), "open_job: an extent below 0");
  EXPECT_EQ(argument([](auto& a) { a.extent[0] = 0; }), "");
  EXPECT_EQ(argument([](auto& a) { a.extent[0] = a.extent[2] = INT64_C(1) << 32; }), "open_job: an argument too large");
  EXPECT_EQ(argument([](auto& a) { a.element_bytes = 8, a.extent[0] = INT64_C(1) << 60; }),
            "open_job: an argument too large");
  EXPECT_EQ(argument([](auto& a) { a.halo = -1; }), "open_job: a halo too wide");
  EXPECT_EQ(argument([](auto& a) { a.fill.resize(65); }), "open_job: a fill value too large");
  EXPECT_EQ(argument([](auto& a) { a.value.resize(65537); }), "open_job: a list is too long");
}

TEST(CodecBounds, HoldForOtherMessages)
{
  using intervals = std::vector<interval>;
  EXPECT_EQ(refusal_of_encoded(grant_ranges{1, false, 0, {{3, 3}}}), "");
  EXPECT_EQ(refusal_of_encoded(grant_ranges{1, false, 0, {{4, 3}}}), "grant_ranges: an interval ends before it begins");
  EXPECT_EQ(refusal_of_encoded(grant_ranges{1, false, 0, intervals(65536)}), "");
  EXPECT_EQ(refusal_of_encoded(grant_ranges{1, false, 0, intervals(65537)}), "grant_ranges: a list is too long");
  EXPECT_EQ(refusal_of_encoded(seal_job{1, 0, {}}), "seal_job: a request without a number");
  EXPECT_EQ(refusal_of_encoded(acknowledge_seal{1, 0}), "acknowledge_seal: a seal without a number");
  EXPECT_EQ(refusal_of_encoded(job_sealed{1, 0, 0, 0, false, {}, {}, {}}), "job_sealed: a seal without a number");
  EXPECT_EQ(refusal_of_encoded(job_sealed{1, 1, 0, 0, false, {}, {{2, 1}}, {}}),
            "job_sealed: an interval ends before it begins");
  EXPECT_EQ(refusal_of_encoded(backup_done{1, {2, 1}}), "backup_done: an interval ends before it begins");
  EXPECT_EQ(refusal_of_encoded(job_data_piece{1, 256, {0, 0, 0}, {1, 1, 1}}),
            "job_data_piece: an argument that cannot be");
  EXPECT_EQ(refusal_of_encoded(job_data_piece{1, 0, {0, -1, 0}, {1, 1, 1}}),
            "job_data_piece: a box ends before it begins");
  EXPECT_EQ(refusal_of_encoded(job_data_piece{1, 0, {0, 0, 2}, {1, 1, 1}}),
            "job_data_piece: a box ends before it begins");
  EXPECT_EQ(refusal_of_encoded(job_opened{1, 0, 0, {}, {}}), "job_opened: a node without workers");
  EXPECT_EQ(refusal_of_encoded(job_opened{1, 1, -1, {}, {}}), "job_opened: a number is not finite or below 0");
  EXPECT_EQ(refusal_of_encoded(job_refused{1, {{26, fastgpu::category()}, ""}}), "job_refused: an unknown error");
  EXPECT_EQ(refusal_of_encoded(job_refused{1, {{-1, std::generic_category()}, ""}}), "job_refused: an error below 0");
  EXPECT_EQ(refusal_of_encoded(job_refused{1, {errc::internal, "", -2}}), "job_refused: a subtask that cannot be");
  EXPECT_EQ(refusal_of_encoded(job_refused{1, {errc::internal, "", 1, INT64_C(1) << 32}}),
            "job_refused: a device that cannot be");
  EXPECT_EQ(refusal_of_encoded(attempt_failed{1, {1, 0}, false, false, {}}),
            "attempt_failed: an interval ends before it begins");
  EXPECT_EQ(refusal_of_encoded(partial_lost{1, {{1, 0}}, {}}), "partial_lost: an interval ends before it begins");
}

TEST(CodecBounds, HoldForDevices)
{
  const auto device = [](auto change) {
    describe_node node;
    change(node.devices.emplace_back());
    return refusal_of_encoded(node);
  };
  EXPECT_EQ(device([](auto&) {}), "");
  EXPECT_EQ(device([](auto& d) { d.workers = 0; }), "describe_node: a device without workers");
  EXPECT_EQ(device([](auto& d) { d.compute_capability = -1; }), "describe_node: a version below 0");
  EXPECT_EQ(device([](auto& d) { d.labels.resize(257); }), "describe_node: a list is too long");
  EXPECT_EQ(device([](auto& d) { d.labels.emplace_back(4097, 'x'); }), "describe_node: a string is too long");
  EXPECT_EQ(device([](auto& d) { d.model.resize(4097); }), "describe_node: a string is too long");
  EXPECT_EQ(device([](auto& d) { d.speed = -0.5; }), "describe_node: a number is not finite or below 0");
  describe_node many;
  many.devices.resize(4096);
  EXPECT_EQ(refusal_of_encoded(many), "");
}

}  // namespace
