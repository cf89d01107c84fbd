#include "detail/programs.hpp"  // first: shows that the header stands alone

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <fastgpu/fastgpu.hpp>

namespace {

using fastgpu::make_job;
using fastgpu::reduced;
using fastgpu::detail::argument_kind;
using fastgpu::detail::find_program;
using fastgpu::detail::program;
using fastgpu::detail::programs_named;
using fastgpu::detail::signature_of;

struct scaled {
  double factor = 1;
  double operator()(std::uint64_t i) const { return factor * static_cast<double>(i); }
};
FASTGPU_REGISTER("test.programs.scaled", scaled, fastgpu::sum<double>, fastgpu::maximum<double>)

struct everything {
  void operator()(fastgpu::index<2>, fastgpu::in1<float>, fastgpu::in2<std::uint16_t>, fastgpu::in2<std::uint16_t>,
                  fastgpu::out2<double>, const std::array<char, 5>&, fastgpu::tally<fastgpu::sum<std::uint32_t>>) const
  {
  }
};
FASTGPU_REGISTER("test.programs.everything", everything)

TEST(Programs, AreFoundByTheNameOfTheirKernelAndTheirTypes)
{
  const auto job = make_job(10, scaled{}, reduced(fastgpu::maximum<double>{}));
  const auto* code = job.data().code;
  EXPECT_GE(programs_named("test.programs.scaled").size(), 2u);
  EXPECT_EQ(find_program("test.programs.scaled", signature_of(*code)), code);
  EXPECT_EQ(find_program("test.programs.other", signature_of(*code)), nullptr);
  EXPECT_EQ(find_program("test.programs.scaled", "other types"), nullptr);
}

TEST(Programs, SayAllOfTheirTypes)
{
  const auto types = signature_of(*make_job(10, scaled{}, reduced(fastgpu::sum<double>{})).data().code);
  EXPECT_NE(types.find("scaled"), std::string::npos) << types;
  EXPECT_NE(types.find("sum<double>"), std::string::npos) << types;
}

TEST(Programs, HaveTheSameTypesWhateverCompilerNamesTheUnnamedNamespace)
{
  program by_nvcc;
  by_nvcc.types =
      "f() [with K = _GLOBAL__N__53177fd8_6_sig_cu_main::k; V = lib::in<_GLOBAL__N__53177fd8_6_sig_cu_main::k::q>]";
  EXPECT_EQ(signature_of(by_nvcc),
            "f() [with K = {anonymous}::k; V = lib::in<{anonymous}::k::q>], built by " FASTGPU_DETAIL_BUILD);
}

TEST(Programs, SayWhatTheirArgumentsAre)
{
  std::vector<float> table(3);
  std::vector<std::uint16_t> pixels(20);
  std::vector<double> out(20);
  const auto job = make_job(fastgpu::extents<2>{{4, 5}}, everything{}, fastgpu::broadcast(table),
                            fastgpu::slices(fastgpu::matrix(pixels.data(), 4, 5)),
                            fastgpu::slices(fastgpu::matrix(pixels.data(), 4, 5), 1, fastgpu::border::replicate),
                            fastgpu::gather(fastgpu::matrix(out.data(), 4, 5)), std::array<char, 5>{},
                            reduced(fastgpu::sum<std::uint32_t>{}, 7));
  const auto& code = *job.data().code;
  ASSERT_EQ(code.argument_count, 6u);
  const auto expect = [&](int number, argument_kind kind, int rank, std::uint32_t bytes) {
    EXPECT_EQ(code.arguments[number].kind, kind) << number;
    EXPECT_EQ(code.arguments[number].rank, rank) << number;
    EXPECT_EQ(code.arguments[number].element_bytes, bytes) << number;
  };
  expect(0, argument_kind::broadcast, 1, 4);
  expect(1, argument_kind::broadcast, 2, 2);  // reads the same whether all of it came or its slices
  expect(2, argument_kind::slices, 2, 2);
  expect(3, argument_kind::gather, 2, 8);
  expect(4, argument_kind::value, 0, 5);
  expect(5, argument_kind::tally, 0, 0);
  EXPECT_TRUE(code.travels);
  EXPECT_EQ(code.operation_bytes, sizeof(fastgpu::sum<std::uint32_t>));
}

struct owns_memory {
  std::vector<double> weights;
  double operator()(std::uint64_t i) const { return weights[i % weights.size()]; }
};
struct alignas(128) wide {
  double factor = 1;
  double operator()(std::uint64_t i) const { return factor * static_cast<double>(i); }
};

TEST(Programs, TravelOnlyWhereTheirBytesAreAllThereIs)
{
  EXPECT_FALSE(make_job(10, owns_memory{{1, 2}}, reduced(fastgpu::sum<double>{})).data().code->travels);
  EXPECT_FALSE(make_job(10, wide{}, reduced(fastgpu::sum<double>{})).data().code->travels);
  EXPECT_TRUE(make_job(10, scaled{}, reduced(fastgpu::sum<double>{})).data().code->travels);
}

TEST(Programs, AreNotFoundWhereTwoCannotBeToldApart)
{
  const auto add = fastgpu::merge<double>([](const double& a, const double& b) { return a + b; });
  const auto multiply = fastgpu::merge<double>([](const double& a, const double& b) { return a * b; });
  const auto* one = make_job(10, scaled{2}, reduced(add)).data().code;
  const auto* other = make_job(10, scaled{2}, reduced(multiply)).data().code;
  ASSERT_NE(one, other);
  if (signature_of(*one) == signature_of(*other)) {  // as g++ writes them
    EXPECT_EQ(find_program("test.programs.scaled", signature_of(*one)), nullptr);
  } else {
    EXPECT_EQ(find_program("test.programs.scaled", signature_of(*one)), one);
  }
}

}  // namespace
