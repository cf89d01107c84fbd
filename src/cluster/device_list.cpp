#include "cluster/device_list.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <mutex>
#include <utility>

#include <fastgpu/error.hpp>

#include "device/faulty_device.hpp"
#include "device/host_device.hpp"
#include "device/paced_device.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr std::uint64_t devices_max = 4096;
constexpr std::uint64_t threads_max = 4096;

[[noreturn]] void refuse(std::string_view item, std::string_view expected)
{
  throw error{errc::invalid_argument, "devices: '" + std::string{item} + "': expected " + std::string{expected}};
}

template <class Number>
Number number(std::string_view text, std::string_view item, std::string_view expected)
{
  Number value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size()) refuse(item, expected);
  return value;
}

struct kinds {
  std::mutex mutex;
  std::vector<device_kind> added;
};

/// Made at its first use: kinds are added before main() in any order.
kinds& other_kinds()
{
  static kinds instance;
  return instance;
}

device_kind find_kind(std::string_view name)
{
  auto& others = other_kinds();
  const std::scoped_lock lock{others.mutex};
  const auto at =
      std::find_if(others.added.begin(), others.added.end(), [&](const device_kind& k) { return k.name == name; });
  return at == others.added.end() ? device_kind{} : *at;
}

std::vector<device_kind> all_kinds()
{
  auto& others = other_kinds();
  const std::scoped_lock lock{others.mutex};
  return others.added;
}

void append(std::vector<std::unique_ptr<device>>&& devices, std::vector<std::unique_ptr<device>>& to)
{
  std::move(devices.begin(), devices.end(), std::back_inserter(to));
}

/// Appends what one item of the list names.
void add_item(std::string_view item, const gpu_options& gpus, std::vector<std::unique_ptr<device>>& to)
{
  const auto colon = item.find(':');
  const auto star = item.find('*');
  const auto kind = item.substr(0, std::min(colon, star));
  const auto argument = colon == item.npos ? std::string_view{} : item.substr(colon + 1, star - colon - 1);
  std::uint64_t copies = 1;
  if (star != item.npos) {
    copies = number<std::uint64_t>(item.substr(star + 1), item, "a number of devices behind '*'");
    if (copies < 1 || copies > devices_max) refuse(item, "1 to 4096 devices behind '*'");
  }
  const std::string name{item.substr(0, star)};
  for (std::uint64_t i = 0; i < copies; ++i) {
    const device_id id{static_cast<std::uint32_t>(to.size())};
    if (to.size() >= devices_max) refuse(item, "4096 devices at most");
    if (kind == "host") {
      auto threads = std::uint64_t{allowed_cores()};
      if (colon != item.npos) {
        threads = number<std::uint64_t>(argument, item, "host:N with a number of threads");
        if (threads < 1 || threads > threads_max) refuse(item, "host:N with 1 to 4096 threads");
      }
      to.push_back(std::make_unique<host_device>(id, static_cast<std::uint32_t>(threads),
                                                 colon != item.npos ? name : "host:" + std::to_string(threads)));
    } else if (kind == "paced") {
      const auto rate = number<double>(argument, item, "paced:RATE with subtasks a second");
      if (!(rate >= 1e-6) || !(rate <= 1e9)) refuse(item, "paced:RATE with a positive rate, 1e-6 to 1e9");
      to.push_back(std::make_unique<paced_device>(id, rate, name));
    } else if (kind == "faulty") {
      const auto seed = number<std::uint64_t>(argument, item, "faulty:SEED with a number");
      to.push_back(std::make_unique<faulty_device>(id, fault_plan{.seed = seed + i}, name));
    } else if (const auto other = find_kind(kind); other.make != nullptr) {
      append(other.make(argument, id, gpus), to);
    } else if (kind == "cuda") {
      throw error{errc::no_usable_device,
                  "devices: '" + std::string{item} + "': this build of fastgpu has no CUDA back end"};
    } else {
      refuse(item, "host, host:N, paced:RATE, faulty:SEED, cuda:N or cuda:all, each with *K for K of them");
    }
  }
}

}  // namespace

std::vector<std::unique_ptr<device>> make_devices(const std::string& list, const gpu_options& gpus)
{
  constexpr std::uint32_t lanes_max = 16;
  if (gpus.lanes < 1 || gpus.lanes > lanes_max) throw error{errc::invalid_argument, "gpu_options: lanes is 1 to 16"};

  std::vector<std::unique_ptr<device>> devices;
  if (list == "none") return devices;  // those of nodes alone
  std::string_view rest = list;
  if (list.empty()) {
    for (const auto& kind : all_kinds()) {
      if (kind.make_all != nullptr) append(kind.make_all({static_cast<std::uint32_t>(devices.size())}, gpus), devices);
    }
    rest = "host";  // for programs that only have an entry for it
  }
  for (;;) {
    const auto comma = rest.find(',');
    add_item(rest.substr(0, comma), gpus, devices);
    if (comma == rest.npos) break;
    rest.remove_prefix(comma + 1);
  }
  return devices;
}

void add_device_kind(const device_kind& kind)
{
  auto& others = other_kinds();
  const std::scoped_lock lock{others.mutex};
  others.added.push_back(kind);
}

}  // namespace fastgpu::inline v0::detail
