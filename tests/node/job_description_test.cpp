#include "node/job_description.hpp"  // first: shows that the header stands alone

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "node/job_shipping.hpp"
#include "node/shipped_jobs.hpp"

namespace {

using fastgpu::errc;
using fastgpu::make_job;
using fastgpu::reduced;
using fastgpu::detail::content_cache;
using fastgpu::detail::describe_job;
using fastgpu::detail::fold_kind;
using fastgpu::detail::job_description;
using fastgpu::detail::received_job;
using fastgpu::detail::why_not_remote;

/// What a node says of a description; nothing where it takes the job.
std::optional<fastgpu::failure> refusal_of(const job_description& what)
{
  content_cache contents{1 << 20};
  const auto made = received_job::make(what, contents);
  if (made) return std::nullopt;
  return made.error();
}

/// That changed by `change`, a description is refused with `code` and a line that has `part` in it.
void expect_refused(job_description what, const std::function<void(job_description&)>& change, errc code,
                    const std::string& part)
{
  change(what);
  const auto why = refusal_of(what);
  ASSERT_TRUE(why) << part;
  EXPECT_EQ(why->code, code) << why->detail;
  EXPECT_NE(why->detail.find(part), std::string::npos) << why->detail;
  EXPECT_EQ(why->detail.find('\n'), std::string::npos);
}

job_description described_everything()
{
  const auto e = shipped::everything_job({{6, 7, 9}}, fold_kind::ordered);
  return describe_job(e.job->data, e.fold);
}

job_description described_sum()
{
  return describe_job(make_job(100, shipped::rough_of{7}, reduced(fastgpu::sum<double>{})).data(), fold_kind::ordered);
}

// What may leave the process --------------------------------------------------------------------------------------

void expect_stays(const fastgpu::detail::job_data& job, errc code, const std::string& part)
{
  const auto why = why_not_remote(job);
  ASSERT_TRUE(why) << part;
  EXPECT_EQ(why->code, code) << why->detail;
  EXPECT_NE(why->detail.find(part), std::string::npos) << why->detail;
  EXPECT_THROW((void)describe_job(job, fold_kind::none), fastgpu::error);
}

struct owns_memory {
  std::vector<double> weights;
  double operator()(std::uint64_t i) const { return weights[i % weights.size()]; }
};
FASTGPU_REGISTER("test.description.owns_memory", owns_memory)

struct writes_anywhere {
  void operator()(std::uint64_t i, fastgpu::out1<int> out) const { out[static_cast<std::int64_t>(i) / 2] = 1; }
};
FASTGPU_REGISTER("test.description.writes_anywhere", writes_anywhere)

TEST(WhyNotRemote, NamesKernelsThatNobodyElseKnowsOrCanHold)
{
  const auto lambda = make_job(
      10, [](std::uint64_t i) { return i; }, reduced(fastgpu::sum<std::uint64_t>{}));
  expect_stays(lambda.data(), errc::kernel_not_registered, "no registered name");
  expect_stays(make_job(10, owns_memory{{1}}, reduced(fastgpu::sum<double>{})).data(), errc::invalid_argument,
               "'test.description.owns_memory'");
}

TEST(WhyNotRemote, NamesArgumentsThatCannotTravel)
{
  std::vector<int> out(10);
  expect_stays(make_job(10, writes_anywhere{}, fastgpu::scatter(out)).data(), errc::invalid_argument,
               "argument 0 of kernel 'test.description.writes_anywhere' is scatter()");
  fastgpu::data_view<int, 1> on_gpu{out.data(), {{10}}, {fastgpu::memory_kind::device, 0}};
  expect_stays(make_job(10, writes_anywhere{}, fastgpu::gather(on_gpu)).data(), errc::invalid_argument, "GPU memory");
}

template <std::size_t Bytes>
struct large_value {
  unsigned char bytes[Bytes];
};
struct takes_large_value {
  std::uint64_t operator()(std::uint64_t i, const large_value<65'537>& v) const { return v.bytes[i % 100]; }
};
FASTGPU_REGISTER("test.description.takes_large_value", takes_large_value)

struct takes_many_values {
  using v = large_value<65'536>;
  std::uint64_t operator()(std::uint64_t i, const v& a, const v& b, const v& c, const v& d, const v& e, const v& f,
                           const v& g, const v& h, const v& k) const
  {
    return a.bytes[i % 100] + b.bytes[0] + c.bytes[0] + d.bytes[0] + e.bytes[0] + f.bytes[0] + g.bytes[0] +
           h.bytes[0] + k.bytes[0];
  }
};
FASTGPU_REGISTER("test.description.takes_many_values", takes_many_values)

struct looks_up {
  double operator()(std::uint64_t i, fastgpu::in1<double> table) const { return table[static_cast<std::int64_t>(i)]; }
};
FASTGPU_REGISTER("test.description.looks_up", looks_up)

TEST(WhyNotRemote, NamesWhatIsTooLargeForAMessage)
{
  const auto sum = reduced(fastgpu::sum<std::uint64_t>{});
  const auto large = std::make_unique<large_value<65'537>>();
  expect_stays(make_job(10, takes_large_value{}, *large, sum).data(), errc::invalid_argument,
               "argument 0 of kernel 'test.description.takes_large_value' cannot be sent to nodes: by value");

  // Each part may be so large, and the whole is more than a frame.
  const auto v = std::make_unique<large_value<65'536>>();
  const auto of_space = [&](const fastgpu::space<1>& over) {
    return make_job(over, takes_many_values{}, *v, *v, *v, *v, *v, *v, *v, *v, *v, sum);
  };
  EXPECT_FALSE(why_not_remote(of_space(fastgpu::space<1>{fastgpu::extents<1>{{65'000}}, fastgpu::by_size{1}}).data()));
  const std::vector<double> costs(65'000, 1.0);
  const auto whole = of_space(fastgpu::space<1>{fastgpu::by_cost{costs, 65'000}});
  ASSERT_GT(whole.data().shape.count, 60'000u);
  expect_stays(whole.data(), errc::invalid_argument, "its description has ");

  double first = 0;  // nobody looks at the others
  const fastgpu::data_view<const double, 1> table{&first, {{(std::int64_t{16} << 30) / 8 + 1}}};
  expect_stays(make_job(10, looks_up{}, fastgpu::broadcast(table), reduced(fastgpu::sum<double>{})).data(),
               errc::invalid_argument, "argument 0 of kernel 'test.description.looks_up' cannot be sent to nodes: "
                                       "broadcast(), it has more than 16 GiB");
}

TEST(WhyNotSent, NamesTermsThatNoNodeWouldTake)
{
  fastgpu::detail::open_job what;
  what.what = describe_job(make_job(100, shipped::rough_of{7}, reduced(fastgpu::sum<double>{})).data(),
                           fold_kind::ordered);
  EXPECT_FALSE(why_not_sent(what));
  what.terms.need.labels.assign(257, "fast");
  const auto why = why_not_sent(what);
  ASSERT_TRUE(why);
  EXPECT_EQ(why->code, errc::invalid_argument);
  EXPECT_EQ(why->detail, "kernel 'test.shipped.rough' cannot be sent to nodes: open_job: a list is too long");
}

TEST(WhyNotRemote, NamesProgramsThatCannotBeToldApart)
{
  const auto first = make_job(10, shipped::rough_of{},
                              reduced(fastgpu::merge<double>([](const double& a, const double& b) { return a + b; })));
  const auto second = make_job(10, shipped::rough_of{},
                               reduced(fastgpu::merge<double>([](const double& a, const double& b) { return a * b; })));
  if (first.data().code->types == std::string{second.data().code->types}) {
    expect_stays(first.data(), errc::kernel_not_registered, "several programs");
  }
}

TEST(WhyNotRemote, SaysNothingOfJobsThatCanGo)
{
  for (const auto& e : shipped::examples_of(40)) EXPECT_FALSE(why_not_remote(e.job->data)) << e.name;
}

// Descriptions ----------------------------------------------------------------------------------------------------

TEST(JobDescription, HasAllOfTheJobButItsData)
{
  const auto what = described_everything();
  EXPECT_EQ(what.kernel, "test.shipped.everything");
  EXPECT_EQ(what.rank, 3);
  EXPECT_EQ(what.subtasks, 3u * 3u * 3u);
  EXPECT_EQ(what.dimensions[1].extent, 7);
  ASSERT_EQ(what.arguments.size(), 6u);
  EXPECT_EQ(what.arguments[0].content,
            fastgpu::detail::hash_of(std::as_bytes(std::span{*shipped::numbers<double>(3, 1)})));
  EXPECT_EQ(what.arguments[2].halo, 1);
  EXPECT_EQ(what.arguments[2].fill.size(), sizeof(float));
  EXPECT_EQ(what.arguments[4].value.size(), sizeof(std::uint32_t));
}

TEST(JobDescription, HashesTheElementsOfABroadcastAndNotWhatLiesBetween)
{
  const auto table = shipped::numbers<std::uint8_t>(10, 2);  // 2 x 3 at a pitch of 5
  const std::vector<std::uint8_t> dense{(*table)[0], (*table)[1], (*table)[2], (*table)[5], (*table)[6], (*table)[7]};
  EXPECT_EQ(described_everything().arguments[1].content, fastgpu::detail::hash_of(std::as_bytes(std::span{dense})));
}

TEST(JobDescription, GivesTheSameShapeElsewhere)
{
  for (const std::int64_t n : {0, 1, 20, 131}) {
    for (const auto& e : shipped::examples_of(n)) {
      content_cache contents{0};
      const auto made = received_job::make(describe_job(e.job->data, e.fold), contents);
      ASSERT_TRUE(made) << e.name << ": " << made.error().detail;
      EXPECT_EQ(digest(made.value()->data.shape), digest(e.job->data.shape)) << e.name;
      EXPECT_EQ(made.value()->data.shape.span_log2, e.job->data.shape.span_log2) << e.name;
    }
  }
}

TEST(JobDescription, OfAKernelThatIsNotKnownIsRefusedByItsName)
{
  expect_refused(
      described_sum(), [](auto& d) { d.kernel = "other"; }, errc::kernel_not_registered,
      "kernel 'other' is not known to this node");
  expect_refused(
      described_sum(), [](auto& d) { d.kernel = ""; }, errc::kernel_not_registered, "not known");
  expect_refused(
      described_sum(), [](auto& d) { d.signature = "of old"; }, errc::build_mismatch, "of old");
}

TEST(JobDescription, OfOtherSizesIsAnotherBuild)
{
  expect_refused(
      described_sum(), [](auto& d) { d.kernel_bytes.resize(9); }, errc::build_mismatch, "8 here and 9");
  expect_refused(
      described_sum(), [](auto& d) { d.operation_bytes.clear(); }, errc::build_mismatch, "operation");
  expect_refused(
      described_sum(), [](auto& d) { d.rank = 2; }, errc::build_mismatch, "dimensions");
  expect_refused(
      described_sum(), [](auto& d) { d.rank = -1; }, errc::build_mismatch, "dimensions");
  expect_refused(
      described_everything(), [](auto& d) { d.arguments.pop_back(); }, errc::build_mismatch, "arguments");
  expect_refused(
      described_everything(), [](auto& d) { d.arguments[2].element_bytes = 8; }, errc::build_mismatch, "argument 2");
  expect_refused(
      described_everything(), [](auto& d) { d.arguments[0].rank = 2; }, errc::build_mismatch, "argument 0");
  expect_refused(
      described_everything(), [](auto& d) { d.arguments[0].kind = 2; }, errc::build_mismatch, "argument 0");
  expect_refused(
      described_everything(), [](auto& d) { d.arguments[4].kind = 200; }, errc::build_mismatch, "argument 4");
}

TEST(JobDescription, OfAShapeThatIsNoneIsRefused)
{
  const auto refused = [](const std::function<void(job_description&)>& change) {
    expect_refused(described_everything(), change, errc::invalid_argument, "");
  };
  refused([](auto& d) { d.subtasks += 1; });
  refused([](auto& d) { d.span_log2 = 32; });
  refused([](auto& d) { d.dimensions[0].tiles = 2; });  // does not cover
  refused([](auto& d) { d.dimensions[0].tiles = -3; });
  refused([](auto& d) { d.dimensions[1].size = 0; });
  refused([](auto& d) { d.dimensions[1].size = 7; });  // tiles without indices
  refused([](auto& d) { d.dimensions[2].longer = 4; });
  refused([](auto& d) { d.dimensions[2].size = INT64_MAX; });
  refused([](auto& d) { d.dimensions[0].extent = -1; });
  refused([](auto& d) { d.bounds = {0, 6}; });
  refused([](auto& d) { d.arguments[3].extent[1] = 8; });  // not the space's
  const auto sum_refused = [](const std::function<void(job_description&)>& change) {
    expect_refused(described_sum(), change, errc::invalid_argument, "");
  };
  sum_refused([](auto& d) { d.dimensions[1].extent = 2; });
  sum_refused([](auto& d) {
    d.dimensions[0] = {INT64_MAX, 3, INT64_MAX / 2, 0};
    d.subtasks = 3;
  });
}

TEST(JobDescription, OfBoundsThatAreNoneIsRefused)
{
  const std::vector<double> costs(12, 1.0);
  const auto job =
      make_job(fastgpu::space<1>{fastgpu::by_cost{costs, 4}}, shipped::rough_of{7}, reduced(fastgpu::sum<double>{}));
  const auto what = describe_job(job.data(), fold_kind::ordered);
  EXPECT_FALSE(refusal_of(what));
  const auto refused = [&](const std::function<void(job_description&)>& change) {
    expect_refused(what, change, errc::invalid_argument, "");
  };
  refused([](auto& d) { d.bounds.pop_back(); });
  refused([](auto& d) { d.bounds.clear(); });  // then its tiles would have to cover
  refused([](auto& d) { d.bounds[0] = 1; });
  refused([](auto& d) { d.bounds[1] = 0; });
  refused([](auto& d) { d.bounds[2] = 100; });
  refused([](auto& d) { d.bounds[4] = 11; });
  refused([](auto& d) { d.subtasks = 3; });
}

TEST(JobDescription, OfAReductionThatTheProgramHasNotIsRefused)
{
  const auto refused = [](const job_description& what, const std::function<void(job_description&)>& change) {
    expect_refused(what, change, errc::invalid_argument, "");
  };
  refused(described_sum(), [](auto& d) { d.fold = 0; });
  refused(described_sum(), [](auto& d) { d.fold = 4; });
  refused(described_sum(), [](auto& d) { d.width = 0; });
  refused(described_sum(), [](auto& d) { d.width = 2; });
  const auto odd = describe_job(make_job(100, shipped::counts_odd{}, reduced(fastgpu::sum<std::uint64_t>{})).data(),
                                fold_kind::single);
  refused(odd, [](auto& d) { d.fold = static_cast<std::uint8_t>(fold_kind::ordered); });
  refused(odd, [](auto& d) { d.fold = static_cast<std::uint8_t>(fold_kind::exact); });
  const auto bins =
      describe_job(make_job(100, shipped::bins_rough{}, reduced(fastgpu::sum<double>{}, 7)).data(), fold_kind::ordered);
  refused(bins, [](auto& d) { d.fold = static_cast<std::uint8_t>(fold_kind::exact); });
  refused(bins, [](auto& d) { d.width = INT64_MAX; });
  const auto maps =
      describe_job(make_job(fastgpu::extents<2>{{4, 4}}, shipped::linear_at{}, reduced(shipped::compose{})).data(),
                   fold_kind::ordered);
  refused(maps, [](auto& d) { d.fold = static_cast<std::uint8_t>(fold_kind::single); });
}

TEST(JobDescription, OfArgumentsThatCannotBeIsRefused)
{
  const auto refused = [](const std::function<void(job_description&)>& change) {
    expect_refused(described_everything(), change, errc::invalid_argument, "argument");
  };
  refused([](auto& d) { d.arguments[2].halo = -1; });
  refused([](auto& d) { d.arguments[2].halo = (1 << 20) + 1; });
  refused([](auto& d) { d.arguments[2].halo = 1 << 20; });  // a block of it would have more bytes than can be counted
  refused([](auto& d) { d.arguments[2].edge = 3; });
  refused([](auto& d) { d.arguments[2].fill.clear(); });
  refused([](auto& d) { d.arguments[2].fill.resize(100); });
  refused([](auto& d) { d.arguments[5].halo = 1; });
  refused([](auto& d) { d.arguments[4].value.resize(3); });
  refused([](auto& d) { d.arguments[0].value.resize(8); });
  refused([](auto& d) { d.arguments[0].extent[0] = -1; });
  refused([](auto& d) { d.arguments[0].extent[0] = INT64_MAX; });
  refused([](auto& d) { d.arguments[0].extent[1] = 2; });
  refused([](auto& d) { d.arguments[1].extent[0] = std::int64_t{1} << 40; });
  expect_refused(
      described_everything(), [](auto& d) { d.arguments[3].halo = 1; }, errc::build_mismatch, "argument 3");
}

TEST(JobDescription, IsBoundInTheDataItAsksFor)
{
  content_cache contents{0};
  const auto what = described_everything();
  const std::uint64_t bytes = 3 * 8 + 6 + (6 * 7 * 9) * (4 + 1 + 4);
  EXPECT_TRUE(received_job::make(what, contents, {.data_bytes_max = bytes}));
  EXPECT_FALSE(received_job::make(what, contents, {.data_bytes_max = bytes - 1}));
  EXPECT_FALSE(received_job::make(described_sum(), contents, {.value_bytes_max = 7}));
}

/// Changes something of a description at random.
void corrupt(job_description& what, std::mt19937_64& random)
{
  const auto number = [&]() -> std::int64_t {
    switch (random() % 5) {
      case 0: return static_cast<std::int64_t>(random());
      case 1: return static_cast<std::int64_t>(random() % 5) - 2;
      case 2: return INT64_MAX - static_cast<std::int64_t>(random() % 3);
      case 3: return std::int64_t{1} << random() % 63;
      default: return static_cast<std::int64_t>(random() % 100);
    }
  };
  const auto resize = [&](std::vector<std::byte>& bytes) { bytes.resize(random() % 70); };
  auto& dim = what.dimensions[random() % 3];
  const auto kind = random() % 22;
  if (kind >= 12 && what.arguments.empty()) return;
  auto* a = what.arguments.empty() ? nullptr : &what.arguments[random() % what.arguments.size()];
  switch (kind) {
    case 0: resize(what.kernel_bytes); break;
    case 1: resize(what.operation_bytes); break;
    case 2: what.fold = static_cast<std::uint8_t>(random() % 6); break;
    case 3: what.width = number(); break;
    case 4: what.rank = static_cast<std::int32_t>(number()); break;
    case 5: what.subtasks = static_cast<std::uint32_t>(number()); break;
    case 6: what.span_log2 = static_cast<std::uint32_t>(random() % 40); break;
    case 7: dim.extent = number(); break;
    case 8: dim.tiles = number(); break;
    case 9: dim.size = number(); break;
    case 10: dim.longer = number(); break;
    case 11:
      if (what.bounds.empty()) {
        what.bounds.resize(random() % 20, number());
      } else {
        what.bounds[random() % what.bounds.size()] = number();
      }
      break;
    case 12: a->kind = static_cast<std::uint8_t>(random() % 7); break;
    case 13: a->edge = static_cast<std::uint8_t>(random() % 5); break;
    case 14: a->rank = static_cast<std::int32_t>(number()); break;
    case 15: a->element_bytes = static_cast<std::uint32_t>(number()); break;
    case 16: a->extent[random() % 3] = number(); break;
    case 17: a->halo = number(); break;
    case 18: resize(a->fill); break;
    case 19: resize(a->value); break;
    case 20: a->content[random() % 32] ^= 1; break;
    default: what.arguments.resize(random() % 8); break;
  }
}

/// A kernel reads as far as it reads: nobody but its author knows that a halo, a table or a vector is too small for it.
bool has_less_data(const fastgpu::detail::job_data& job, const fastgpu::detail::job_data& as_described)
{
  using fastgpu::detail::argument_kind;
  for (std::uint32_t i = 0; i < job.argument_count; ++i) {
    const auto& a = job.arguments[i];
    const auto& told = as_described.arguments[i];
    if (a.halo < told.halo) return true;
    if (a.kind == argument_kind::broadcast && !std::equal(a.extent, a.extent + 3, told.extent)) return true;
  }
  return job.width < as_described.width;
}

TEST(JobDescription, CorruptedInAnyWayIsRefusedOrIsAJobThatRuns)
{
  std::uint64_t accepted = 0;
  for (std::uint64_t seed = 1; seed <= shipped::seeds(3000); ++seed) {
    std::mt19937_64 random{seed};
    const auto examples = shipped::examples_of(30);
    const auto& e = examples[random() % examples.size()];
    auto what = describe_job(e.job->data, e.fold);
    for (auto changes = 1 + random() % 2; changes > 0; --changes) corrupt(what, random);
    content_cache contents{1 << 20};
    const auto made = received_job::make(what, contents, {.data_bytes_max = 1 << 24, .value_bytes_max = 1 << 20});
    if (!made) continue;
    ++accepted;
    const auto& job = *made.value();
    if (!job.missing().empty() || job.data.shape.count == 0 || has_less_data(job.data, e.job->data)) continue;
    // One span at each end, over data of which nothing has come.
    const auto span = std::uint32_t{1} << job.data.shape.span_log2;
    const auto last = (job.data.shape.count - 1) / span * span;
    const auto session = fastgpu::detail::open_host_session({}, {&job.data, job.fold()});
    std::int64_t tile[3];
    largest_tile(job.data.shape, tile);
    if (static_cast<double>(tile[0]) * static_cast<double>(tile[1]) * static_cast<double>(tile[2]) * span < 1e5) {
      using fastgpu::detail::batch_status;
      EXPECT_EQ(session->launch({0, std::min(span, job.data.shape.count)}), batch_status::done);
      if (last > 0) {
        EXPECT_EQ(session->launch({last, job.data.shape.count}), batch_status::done);
      }
      const auto sealed = session->seal();
      EXPECT_FALSE(fastgpu::detail::pack_partial(job.data, *sealed.values).empty());
    }
  }
  EXPECT_GT(accepted, 50u);
}

}  // namespace
