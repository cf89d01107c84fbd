#include "program/cluster_file.hpp"

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <toml++/toml.h>

#include "program/usage_error.hpp"

namespace program {
namespace {

using fastgpu::seconds;

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
      if (!value || *value < 1 || *value > std::numeric_limits<std::uint32_t>::max()) {
        refuse(n.source(), at_ + ": expected a whole number, at least 1");
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
           {"bandwidth", in.number(d.bytes_per_second)}});
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
           {"price", in.number(n.price_per_hour)},
           {"device", in.each([&](const toml::table& t) { n.devices.push_back(device_of(in, t)); })}});
  if (n.devices.empty()) in.refuse(from.source(), "node '" + n.name + "' has no [[node.device]]");
  return n;
}

}  // namespace

described_cluster read_cluster(const std::string& path)
{
  std::ifstream file{path};
  if (!file) throw std::runtime_error{path + ": " + std::strerror(errno)};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  if (file.bad()) throw std::runtime_error{path + ": it cannot be read"};
  toml::table root;
  const reader in{path};
  try {
    root = toml::parse(text);
  } catch (const toml::parse_error& e) {
    in.refuse(e.source(), std::string{e.description()});
  }
  described_cluster c;
  auto& m = c.model;
  in.read(root, "a cluster",
          {{"currency", in.text(c.currency)},
           {"uplink", in.number(m.uplink_bytes_per_second)},
           {"node", in.each([&](const toml::table& t) { m.nodes.push_back(node_of(in, t)); })},
           {"costs", [&](const toml::node& n) {
              if (!n.is_table()) in.refuse(n.source(), "costs: expected a table, [costs]");
              in.read(*n.as_table(), "[costs]",
                      {{"start", in.number(m.costs.start.count)},
                       {"seal", in.number(m.costs.seal.count)},
                       {"merge", in.number(m.costs.merge_bytes_per_second)}});
            }}});
  if (m.nodes.empty()) throw usage_error{path + ": it has no [[node]]"};
  return c;
}

}  // namespace program
