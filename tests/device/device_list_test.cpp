#include "cluster/device_list.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <fastgpu/device/device_info.hpp>
#include <fastgpu/error.hpp>

namespace {

using fastgpu::allowed_cores;
using fastgpu::errc;
using fastgpu::detail::make_devices;

/// "name/kind/workers" of each device of a list.
std::vector<std::string> devices_of(const std::string& list)
{
  std::vector<std::string> all;
  std::uint32_t number = 0;
  for (const auto& device : make_devices(list)) {
    const auto& info = device->info();
    EXPECT_EQ(info.id.value, number++);
    all.push_back(info.name + "/" + info.kind + "/" + std::to_string(info.workers));
  }
  return all;
}

using names = std::vector<std::string>;

TEST(DeviceList, IsOneHostDeviceOfAllAllowedCoresWhereItIsEmpty)
{
  const auto cores = std::to_string(allowed_cores());
  EXPECT_EQ(devices_of(""), names{"host:" + cores + "/host/" + cores});
  EXPECT_EQ(devices_of("host"), names{"host:" + cores + "/host/" + cores});
}

TEST(DeviceList, NamesHostDevicesWithTheirThreads)
{
  EXPECT_EQ(devices_of("host:1"), names{"host:1/host/1"});
  EXPECT_EQ(devices_of("host:3"), names{"host:3/host/3"});
  EXPECT_EQ(devices_of("host:4096"), names{"host:4096/host/4096"});
}

TEST(DeviceList, RepeatsWhatHasAStar)
{
  EXPECT_EQ(devices_of("host:2*3"), (names{"host:2/host/2", "host:2/host/2", "host:2/host/2"}));
  EXPECT_EQ(devices_of("host:1*1"), names{"host:1/host/1"});
  EXPECT_EQ(make_devices("host*2").size(), 2u);
  EXPECT_EQ(make_devices("host:1*4096").size(), 4096u);
}

TEST(DeviceList, JoinsKindsByCommas)
{
  EXPECT_EQ(devices_of("host:2,paced:100*2,faulty:7"),
            (names{"host:2/host/2", "paced:100/paced/1", "paced:100/paced/1", "faulty:7/faulty/1"}));
}

TEST(DeviceList, TakesRatesThatAreNotWhole)
{
  EXPECT_EQ(devices_of("paced:0.5,paced:1e6"), (names{"paced:0.5/paced/1", "paced:1e6/paced/1"}));
}

TEST(DeviceList, TakesSeedsOf64Bits)
{
  EXPECT_EQ(devices_of("faulty:18446744073709551615"), names{"faulty:18446744073709551615/faulty/1"});
  EXPECT_EQ(devices_of("faulty:0"), names{"faulty:0/faulty/1"});
}

struct refusal {
  std::string list;
  std::string message;
};

TEST(DeviceList, SaysWhatItExpectedInstead)
{
  const std::string kinds =
      "expected host, host:N, paced:RATE, faulty:SEED, cuda:N or cuda:all, each with *K for K of them";
  const std::string threads = "expected host:N with a number of threads";
  const std::string rate = "expected paced:RATE with subtasks a second";
  const std::string positive = "expected paced:RATE with a positive rate, 1e-6 to 1e9";
  const std::string seed = "expected faulty:SEED with a number";
  const std::string copies = "expected a number of devices behind '*'";
  const std::vector<refusal> refused{
      {",", "devices: '': " + kinds},
      {"host:1,", "devices: '': " + kinds},
      {",host:1", "devices: '': " + kinds},
      {" host", "devices: ' host': " + kinds},
      {"Host:1", "devices: 'Host:1': " + kinds},
      {"gpu:0", "devices: 'gpu:0': " + kinds},
      {"*3", "devices: '*3': " + kinds},
      {":1", "devices: ':1': " + kinds},
      {"host:1;host:2", "devices: 'host:1;host:2': " + threads},
      {"host:", "devices: 'host:': " + threads},
      {"host:x", "devices: 'host:x': " + threads},
      {"host:1x", "devices: 'host:1x': " + threads},
      {"host:-1", "devices: 'host:-1': " + threads},
      {"host:+1", "devices: 'host:+1': " + threads},
      {"host:1.5", "devices: 'host:1.5': " + threads},
      {"host: 1", "devices: 'host: 1': " + threads},
      {"host:99999999999999999999", "devices: 'host:99999999999999999999': " + threads},
      {"host:0", "devices: 'host:0': expected host:N with 1 to 4096 threads"},
      {"host:4097", "devices: 'host:4097': expected host:N with 1 to 4096 threads"},
      {"host:1*", "devices: 'host:1*': " + copies},
      {"host:1*x", "devices: 'host:1*x': " + copies},
      {"host:1*2*3", "devices: 'host:1*2*3': " + copies},
      {"host*2:3", "devices: 'host*2:3': " + copies},
      {"host:1*-1", "devices: 'host:1*-1': " + copies},
      {"host:1*0", "devices: 'host:1*0': expected 1 to 4096 devices behind '*'"},
      {"host:1*4097", "devices: 'host:1*4097': expected 1 to 4096 devices behind '*'"},
      {"host:1*4096,host:2", "devices: 'host:2': expected 4096 devices at most"},
      {"paced", "devices: 'paced': " + rate},
      {"paced:", "devices: 'paced:': " + rate},
      {"paced:fast", "devices: 'paced:fast': " + rate},
      {"paced:1e999", "devices: 'paced:1e999': " + rate},
      {"paced:0", "devices: 'paced:0': " + positive},
      {"paced:-5", "devices: 'paced:-5': " + positive},
      {"paced:inf", "devices: 'paced:inf': " + positive},
      {"paced:nan", "devices: 'paced:nan': " + positive},
      {"faulty", "devices: 'faulty': " + seed},
      {"faulty:", "devices: 'faulty:': " + seed},
      {"faulty:-1", "devices: 'faulty:-1': " + seed},
      {"faulty:18446744073709551616", "devices: 'faulty:18446744073709551616': " + seed},
      {"host:1,paced:x*2,host:1", "devices: 'paced:x*2': " + rate},
  };
  for (const auto& [list, message] : refused) {
    try {
      (void)make_devices(list);
      ADD_FAILURE() << "'" << list << "' was taken";
    } catch (const fastgpu::error& e) {
      EXPECT_EQ(e.code(), errc::invalid_argument) << list;
      EXPECT_EQ(e.what(), message) << list;
    }
  }
}

TEST(DeviceList, SaysThatThereIsNoCudaInThisBuild)
{
  for (const std::string list : {"cuda:0", "cuda:all", "cuda"}) {
    try {
      (void)make_devices("host:1," + list);
      ADD_FAILURE() << "'" << list << "' was taken";
    } catch (const fastgpu::error& e) {
      EXPECT_EQ(e.code(), errc::no_usable_device);
      EXPECT_EQ(e.what(), "devices: '" + list + "': this build of fastgpu has no CUDA back end");
    }
  }
}

}  // namespace
