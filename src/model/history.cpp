#include "model/history.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "decompose/indices.hpp"
#include "detail/format.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr double slowest = 1e-9;  // indices a second: one in thirty years
constexpr double fastest = 1e18;

/// FNV-1a of 64 bits (G. Fowler, L. C. Noll, K.-P. Vo): the same in every build, as std::hash need not be.
std::uint64_t fnv1a(std::string_view text) noexcept
{
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

double median_of(const std::vector<double>& speeds)
{
  std::array<double, history::speeds_max> sorted{};
  const auto end = std::copy(speeds.begin(), speeds.end(), sorted.begin());
  std::sort(sorted.begin(), end);
  const auto n = speeds.size();
  return 0.5 * (sorted.at((n - 1) / 2) + sorted.at(n / 2));
}

}  // namespace

int size_class_of(const space_shape& shape) noexcept
{
  const auto indices = indices_of(shape);
  return indices < 1 ? 0 : std::ilogb(indices);
}

std::string history_name(const device_info& device)
{
  auto name = device.name + "; " + device.numeric_class;
  if (!device.model.empty()) name += "; " + device.model;
  return name;
}

std::string history_name(std::span<const device_info> devices)
{
  std::string all;
  for (const auto& d : devices) all += (all.empty() ? "" : ", ") + history_name(d);
  if (all.size() <= history::name_bytes_max) return all;
  const auto rest = format(" ... %zu devices, %016llx", devices.size(), static_cast<unsigned long long>(fnv1a(all)));
  return all.substr(0, history::name_bytes_max - rest.size()) + rest;
}

history_key history_key_of(const job_data& job, std::string_view device) noexcept
{
  const std::string_view kernel{job.code->kernel};
  return {kernel, kernel.empty() ? reinterpret_cast<std::uintptr_t>(job.code) : 0, device, size_class_of(job.shape)};
}

bool history::is_speed(double indices_per_second) noexcept
{
  return indices_per_second >= slowest && indices_per_second <= fastest;  // neither of which a NaN is
}

void history::note(const history_key& key, double indices_per_second, std::int64_t date_s)
{
  if (!is_speed(indices_per_second) || std::max(key.kernel.size(), key.device.size()) > name_bytes_max) return;
  add(slot_of(key), indices_per_second, date_s);
  if (key.program == 0) changed_ = true;
}

history::slot& history::slot_of(const history_key& key)
{
  if (const auto at = slots_.find(key); at != slots_.end()) return *at->second;
  auto made = std::make_unique<slot>();
  made->entry.kernel = key.kernel;
  made->entry.device = key.device;
  made->entry.size_class = key.size_class;
  made->entry.speeds.reserve(speeds_max);
  if (slots_.size() == keys_max) forget_one();
  const history_key own{made->entry.kernel, key.program, made->entry.device, key.size_class};
  return *slots_.emplace(own, std::move(made)).first->second;
}

void history::add(slot& to, double speed, std::int64_t date_s)
{
  auto& e = to.entry;
  if (e.speeds.size() == speeds_max) e.speeds.erase(e.speeds.begin());
  e.speeds.push_back(speed);
  e.fresh = std::min(e.fresh + 1, speeds_max);
  e.date_s = std::max(e.date_s, date_s);
  to.used = ++notes_;
}

void history::forget_one()
{
  slots_.erase(std::min_element(slots_.begin(), slots_.end(),
                                [](const auto& a, const auto& b) { return a.second->used < b.second->used; }));
}

double history::speed(const history_key& key) const
{
  auto from = key;
  from.size_class = key.size_class - classes_apart_max;
  const slot* nearest = nullptr;
  int least = classes_apart_max + 1;
  for (auto at = slots_.lower_bound(from); at != slots_.end(); ++at) {
    auto same = at->first;
    same.size_class = key.size_class;
    const auto apart = std::abs(at->first.size_class - key.size_class);
    if (same != key || apart > classes_apart_max) break;
    if (apart > least) continue;
    least = apart;
    nearest = at->second.get();
  }
  return nearest == nullptr ? 0 : median_of(nearest->entry.speeds);
}

void history::take(const history_entry& other)
{
  auto speeds = other.speeds;
  speeds.reserve(speeds_max);
  const history_key key{other.kernel, 0, other.device, other.size_class};
  const bool known = slots_.contains(key);
  if (known && other.fresh == 0) return;
  auto& to = slot_of(key);
  if (known) {
    for (auto i = speeds.size() - other.fresh; i < speeds.size(); ++i) add(to, speeds[i], other.date_s);
    return;
  }
  to.entry.speeds = std::move(speeds);
  to.entry.date_s = other.date_s;
  to.used = ++notes_;
}

std::vector<history_entry> history::entries() const
{
  std::vector<const slot*> order;
  for (const auto& [key, s] : slots_) {
    if (key.program == 0) order.push_back(s.get());
  }
  std::sort(order.begin(), order.end(), [](const slot* a, const slot* b) { return a->used > b->used; });
  std::vector<history_entry> all;
  for (const auto* s : order) all.push_back(s->entry);
  return all;
}

void history::mark_written() noexcept
{
  for (auto& [key, s] : slots_) s->entry.fresh = 0;
  changed_ = false;
}

}  // namespace fastgpu::inline v0::detail
