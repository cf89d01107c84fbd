#include "program/cluster_file.hpp"

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <sstream>
#include <string_view>
#include <utility>

#include <toml++/toml.h>

#include "program/usage_error.hpp"

namespace program {
namespace {

using fastgpu::seconds;

constexpr std::int64_t count_max = 1'000'000;

/// Reads tables of one file, and refuses what it does not know.
class reader {
 public:
  explicit reader(std::string path) : path_{std::move(path)} {}

  [[noreturn]] void refuse(const toml::source_region& where, const std::string& what) const
  {
    throw usage_error{path_ + ":" + std::to_string(where.begin.line) + ": " + what};
  }

  using key = std::pair<std::string_view, std::function<void(const toml::node&)>>;
  void read(const toml::table& from, const std::string& name, std::initializer_list<key> keys) const
  {
    for (const auto& [k, value] : from) {
      const key* known = nullptr;
      std::string all;
      for (const auto& candidate : keys) {
        if (candidate.first == k.str()) known = &candidate;
        all.append(all.empty() ? "" : ", ").append(candidate.first);
      }
      if (known == nullptr) {
        refuse(k.source(), "key '" + std::string{k.str()} + "' of " + name + " is not known; there are " + all);
      }
      at_ = std::string{k.str()};
      known->second(value);
    }
  }

  [[nodiscard]] auto text(std::string& to) const
  {
    return [this, &to](const toml::node& n) {
      if (!n.is_string()) refuse(n.source(), at_ + ": expected a text");
      to = n.as_string()->get();
    };
  }
  /// @param zero  Whether it may be 0.
  [[nodiscard]] auto number(double& to, bool zero = true) const
  {
    return [this, &to, zero](const toml::node& n) {
      const auto value = n.value<double>();
      if (!value || !std::isfinite(*value) || *value < 0 || (*value == 0 && !zero)) {
        refuse(n.source(), at_ + (zero ? ": expected a number, at least 0" : ": expected a number above 0"));
      }
      to = *value;
    };
  }
  [[nodiscard]] auto count(std::uint32_t& to) const
  {
    return [this, &to](const toml::node& n) {
      const auto value = n.value_exact<std::int64_t>();
      if (!value || *value < 1 || *value > count_max) {
        refuse(n.source(), at_ + ": expected a whole number, 1 to " + std::to_string(count_max));
      }
      to = static_cast<std::uint32_t>(*value);
    };
  }
  /// Each table of an array of tables.
  [[nodiscard]] auto each(std::function<void(const toml::table&)> take) const
  {
    return [this, take = std::move(take)](const toml::node& n) {
      const auto name = at_;
      const auto* all = n.as_array();
      if (all == nullptr) refuse(n.source(), name + ": expected tables, [[" + name + "]]");
      for (const auto& one : *all) {
        if (!one.is_table()) refuse(one.source(), name + ": expected tables, [[" + name + "]]");
        take(*one.as_table());
      }
    };
  }

 private:
  std::string path_;
  mutable std::string at_;  // the key that is read
};

fastgpu::device_model device_of(const reader& in, const toml::table& from)
{
  fastgpu::device_model d;
  d.name = "device";
  in.read(from, "a device",
          {{"name", in.text(d.name)},
           {"count", in.count(d.count)},
           {"workers", in.count(d.workers)},
           {"speed", in.number(d.speed, false)},
           {"batch", in.number(d.batch.count)},
           {"bandwidth", in.number(d.bytes_per_second)},
           {"memory", in.number(d.memory_bytes_per_second)}});
  return d;
}

fastgpu::node_model node_of(const reader& in, const toml::table& from)
{
  fastgpu::node_model n;
  n.name = "node";
  in.read(from, "a node",
          {{"name", in.text(n.name)},
           {"count", in.count(n.count)},
           {"latency", in.number(n.latency.count)},
           {"bandwidth", in.number(n.bytes_per_second)},
           {"broadcast", in.number(n.broadcast_bytes_per_second)},
           {"price", in.number(n.price_per_hour)},
           {"device", in.each([&](const toml::table& t) { n.devices.push_back(device_of(in, t)); })}});
  if (n.devices.empty()) in.refuse(from.source(), "node '" + n.name + "' has no [[node.device]]");
  return n;
}

/// @return  Whether it is a calibration.
bool read(const std::string& path, described_cluster& to)
{
  std::ifstream file{path};
  if (!file) throw usage_error{path + ": " + std::strerror(errno)};
  std::ostringstream all;
  all << file.rdbuf();
  if (file.bad() || (all.fail() && file.peek() != std::ifstream::traits_type::eof())) {
    throw usage_error{path + ": it cannot be read"};
  }
  const auto text = all.str();
  toml::table root;
  const reader in{path};
  try {
    root = toml::parse(text);
  } catch (const toml::parse_error& e) {
    in.refuse(e.source(), std::string{e.description()});
  }
  auto& m = to.model;
  fastgpu::calibration by;
  const toml::node* calibrated = nullptr;
  const auto table = [&](const toml::node& n, const char* name) -> const toml::table& {
    if (!n.is_table()) in.refuse(n.source(), std::string{name} + ": expected a table, [" + name + "]");
    return *n.as_table();
  };
  in.read(root, "a cluster",
          {{"currency", in.text(to.currency)},
           {"uplink", in.number(m.uplink_bytes_per_second)},
           {"node", in.each([&](const toml::table& t) { m.nodes.push_back(node_of(in, t)); })},
           {"calibration",
            [&](const toml::node& n) {
              calibrated = &n;
              in.read(table(n, "calibration"), "[calibration]",
                      {{"date", in.text(by.date)}, {"machine", in.text(by.machine)}, {"version", in.text(by.version)}});
            }},
           {"costs", [&](const toml::node& n) {
              in.read(table(n, "costs"), "[costs]",
                      {{"start", in.number(m.costs.start.count)},
                       {"seal", in.number(m.costs.seal.count)},
                       {"merge", in.number(m.costs.merge_bytes_per_second)},
                       {"steal", in.number(m.costs.steal.count)}});
            }}});
  if (m.nodes.empty()) throw usage_error{path + ": it has no [[node]]"};
  if (calibrated == nullptr) return false;
  if (const auto why = fastgpu::why_unusable(by)) {
    in.refuse(calibrated->source(), "the calibration cannot be used: " + *why + "; fastgpu calibrate makes a new one");
  }
  return true;
}

std::string quoted(const std::string& text)
{
  std::ostringstream out;
  out << toml::value<std::string>{text};
  return out.str();
}

void put(std::string& to, const char* key, double value, const char* about)
{
  char line[160];
  std::snprintf(line, sizeof line, "%s = %-12.6g # %s\n", key, value, about);
  to += line;
}

void put(std::string& to, const fastgpu::device_model& d)
{
  to += "\n[[node.device]]\nname = " + quoted(d.name) + "\ncount = " + std::to_string(d.count) +
        "\nworkers = " + std::to_string(d.workers) + "\n";
  put(to, "speed", d.speed, "of a worker, relative to one of the first device");
  put(to, "batch", d.batch.count, "seconds that a batch takes beyond its subtasks");
  if (d.bytes_per_second > 0) put(to, "bandwidth", d.bytes_per_second, "bytes a second of copies to it");
  if (d.memory_bytes_per_second > 0) put(to, "memory", d.memory_bytes_per_second, "bytes a second of its memory");
}

}  // namespace

described_cluster read_cluster(const std::string& path)
{
  described_cluster c;
  (void)read(path, c);
  return c;
}

fastgpu::run_costs read_calibrated_costs(const std::string& path)
{
  described_cluster c;
  if (!read(path, c)) throw usage_error{path + ": it is no calibration: it has no [calibration]"};
  if (c.model.costs.start.count == 0 && c.model.costs.seal.count == 0) {
    throw usage_error{path + ": its [costs] were not measured: calibrate with a device of this process"};
  }
  return c.model.costs;
}

std::string to_toml(const fastgpu::calibration& what)
{
  const auto& m = what.model;
  std::string text = "# What fastgpu calibrate measured. Links have their latency there and back, in seconds.\n";
  if (m.uplink_bytes_per_second > 0) {
    put(text, "uplink", m.uplink_bytes_per_second, "bytes a second to all nodes at once");
  }
  text += "\n[calibration]\ndate = " + quoted(what.date) + "\nmachine = " + quoted(what.machine) +
          "\nversion = " + quoted(what.version) + "\n\n[costs]\n";
  put(text, "start", m.costs.start.count, "seconds until workers are at work");
  put(text, "seal", m.costs.seal.count, "seconds to close a worker's partial");
  put(text, "merge", m.costs.merge_bytes_per_second, "bytes a second");
  put(text, "steal", m.costs.steal.count, "seconds for a worker to get work from another");
  for (const auto& n : m.nodes) {
    text += "\n[[node]]\nname = " + quoted(n.name) + "\ncount = " + std::to_string(n.count) + "\n";
    if (n.bytes_per_second > 0) {
      put(text, "latency", n.latency.count, "seconds");
      put(text, "bandwidth", n.bytes_per_second, "bytes a second");
      put(text, "broadcast", n.broadcast_bytes_per_second, "bytes a second of what all nodes are sent");
    }
    for (const auto& d : n.devices) put(text, d);
  }
  return text;
}

}  // namespace program
