#include <fastgpu/device/device_info.hpp>  // first: shows that the header stands alone

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <sched.h>

#include <gtest/gtest.h>
#include <fastgpu/error.hpp>

#include "support/one_core.hpp"

namespace {

using fastgpu::allowed_cores;
using fastgpu::device_info;
using fastgpu::errc;
using fastgpu::match;
using fastgpu::requirements;

constexpr std::uint64_t gib = std::uint64_t{1} << 30;

device_info device_of(std::uint32_t id, const char* name, std::uint64_t memory_bytes, std::int32_t capability,
                      std::vector<std::string> labels)
{
  device_info info;
  info.id = {id};
  info.name = name;
  info.memory_bytes = memory_bytes;
  info.compute_capability = capability;
  info.labels = std::move(labels);
  return info;
}

/// A host and three GPUs.
std::vector<device_info> some_devices()
{
  return {device_of(0, "host:4", 64 * gib, 0, {"ecc"}), device_of(1, "cuda:0", 8 * gib, 75, {}),
          device_of(2, "cuda:1", 80 * gib, 90, {"ecc", "nvlink"}), device_of(3, "cuda:2", 0, 80, {"ecc"})};
}

std::vector<std::uint32_t> matching(const requirements& need)
{
  std::vector<std::uint32_t> ids;
  for (const auto& device : match(some_devices(), need)) ids.push_back(device.id.value);
  return ids;
}

std::string refusal_of(const std::vector<device_info>& devices, const requirements& need)
{
  try {
    (void)match(devices, need);
  } catch (const fastgpu::error& e) {
    EXPECT_EQ(e.code(), errc::no_matching_device);
    return e.what();
  }
  return "matched";
}

using numbers = std::vector<std::uint32_t>;

TEST(Match, KeepsAllDevicesWhereNothingIsNeeded) { EXPECT_EQ(matching({}), (numbers{0, 1, 2, 3})); }

TEST(Match, FiltersByMemoryAndPassesWhereItIsUnknown)
{
  EXPECT_EQ(matching({.memory_bytes = 8 * gib}), (numbers{0, 1, 2, 3}));
  EXPECT_EQ(matching({.memory_bytes = 8 * gib + 1}), (numbers{0, 2, 3}));
  EXPECT_EQ(matching({.memory_bytes = 100 * gib}), (numbers{3}));
}

TEST(Match, FiltersByComputeCapability)
{
  EXPECT_EQ(matching({.compute_capability = 75}), (numbers{1, 2, 3}));
  EXPECT_EQ(matching({.compute_capability = 76}), (numbers{2, 3}));
  EXPECT_EQ(matching({.compute_capability = 90}), (numbers{2}));
}

TEST(Match, FiltersByAllLabels)
{
  EXPECT_EQ(matching({.labels = {"ecc"}}), (numbers{0, 2, 3}));
  EXPECT_EQ(matching({.labels = {"nvlink", "ecc"}}), (numbers{2}));
}

TEST(Match, NamesTheRequirementAndTheNearestDevice)
{
  EXPECT_EQ(refusal_of(some_devices(), {.compute_capability = 100}),
            "no device meets the job's requirements; the nearest, device 0 (host:4), needs compute capability 100 and "
            "has 0");
  EXPECT_EQ(refusal_of(some_devices(), {.memory_bytes = 70 * gib, .compute_capability = 90, .labels = {"fp8"}}),
            "no device meets the job's requirements; the nearest, device 2 (cuda:1), needs label 'fp8' and has it not");
  const std::vector<device_info> small{some_devices()[1]};
  EXPECT_EQ(refusal_of(small, {.memory_bytes = 9 * gib}),
            "no device meets the job's requirements; the nearest, device 1 (cuda:0), needs 9663676416 bytes of memory "
            "and has 8589934592");
}

TEST(Match, SaysWhereThereIsNoDevice) { EXPECT_EQ(refusal_of({}, {}), "there is no device"); }

TEST(AllowedCores, AreAtLeastOne) { EXPECT_GE(allowed_cores(), 1u); }

TEST(AllowedCores, AreNotMoreThanTheAffinityMaskHas)
{
  cpu_set_t mask;
  CPU_ZERO(&mask);
  ASSERT_EQ(sched_getaffinity(0, sizeof mask, &mask), 0);
  EXPECT_LE(allowed_cores(), static_cast<std::uint32_t>(CPU_COUNT(&mask)));

  std::uint32_t on_one = 0;
  const bool narrowed = support::with_one_core([&] { on_one = allowed_cores(); });
  if (!narrowed) GTEST_SKIP() << "this process may not narrow its affinity mask";
  EXPECT_EQ(on_one, 1u);
}

}  // namespace
