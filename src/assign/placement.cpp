#include <fastgpu/assign/placement.hpp>

#include <charconv>
#include <cstdlib>
#include <string>
#include <system_error>

#include <fastgpu/error.hpp>

#include "detail/format.hpp"
#include "observe/json.hpp"

namespace fastgpu::inline v0 {
namespace {

// A shape's digest has 64 bits, more than a JSON number keeps: it travels as text.
std::string hex(std::uint64_t digest)
{
  return detail::format("%016llx", static_cast<unsigned long long>(digest));
}

std::uint64_t digest_of(std::string_view hex)
{
  std::uint64_t digest = 0;
  const auto* const end = hex.data() + hex.size();
  const auto [read, problem] = std::from_chars(hex.data(), end, digest, 16);
  if (hex.empty() || read != end || problem != std::errc{}) {
    throw error{errc::invalid_argument, "placement: 'shape' is no hexadecimal number of 64 bits"};
  }
  return digest;
}

/// To nine digits: more than any prediction has, and so few that writing and reading them is exact.
double nine_digits(double seconds) { return std::strtod(detail::format("%.9g", seconds).c_str(), nullptr); }

}  // namespace

std::string to_text(const placement& table)
{
  auto text = detail::format("%u subtasks placed by %s\n", table.subtasks, table.policy.c_str());
  text += detail::format("%-6s  %-16s  %10s  %6s  %11s  %s\n", "device", "name", "subtasks", "share", "predicted s",
                         "ranges");
  for (const auto& entry : table.entries) {
    std::uint64_t count = 0;
    std::string ranges;
    for (const auto& range : entry.ranges) {
      count += range.size();
      ranges += (ranges.empty() ? "[" : " [") + std::to_string(range.begin) + ", " + std::to_string(range.end) + ")";
    }
    const auto share = table.subtasks == 0 ? 0.0 : 100.0 * static_cast<double>(count) / table.subtasks;
    text += detail::format("%-6u  %-16s  %10llu  %5.1f%%  %11.3f  %s\n", entry.device.value, entry.name.c_str(),
                           static_cast<unsigned long long>(count), share, entry.predicted_s, ranges.c_str());
  }
  return text;
}

std::string to_json(const placement& table)
{
  namespace json = detail::json;
  json::array entries;
  for (const auto& entry : table.entries) {
    json::array ranges;
    for (const auto& range : entry.ranges) ranges.push_back(json::array{range.begin, range.end});
    entries.push_back(json::object{{"device", entry.device.value},
                                   {"name", entry.name},
                                   {"predicted_s", nine_digits(entry.predicted_s)},
                                   {"ranges", std::move(ranges)}});
  }
  return json::serialize(json::object{{"schema", 1},
                                      {"shape", hex(table.shape)},
                                      {"subtasks", table.subtasks},
                                      {"policy", table.policy},
                                      {"entries", std::move(entries)}});
}

placement placement_from_json(std::string_view text)
{
  namespace json = detail::json;
  try {
    const auto document = json::parse({text.data(), text.size()});
    const auto& root = document.as_object();
    if (root.at("schema").to_number<int>() != 1) {
      throw error{errc::invalid_argument, "placement: schema 1 was expected"};
    }
    placement table;
    table.shape = digest_of(json::value_to<std::string>(root.at("shape")));
    table.subtasks = root.at("subtasks").to_number<std::uint32_t>();
    table.policy = json::value_to<std::string>(root.at("policy"));
    for (const auto& item : root.at("entries").as_array()) {
      const auto& fields = item.as_object();
      placement_entry entry;
      entry.device.value = fields.at("device").to_number<std::uint32_t>();
      entry.name = json::value_to<std::string>(fields.at("name"));
      entry.predicted_s = fields.at("predicted_s").to_number<double>();
      for (const auto& range : fields.at("ranges").as_array()) {
        const auto& ends = range.as_array();
        if (ends.size() != 2) throw error{errc::invalid_argument, "placement: a range has two ends"};
        entry.ranges.push_back({ends[0].to_number<std::uint32_t>(), ends[1].to_number<std::uint32_t>()});
      }
      table.entries.push_back(std::move(entry));
    }
    return table;
  } catch (const error&) {
    throw;
  } catch (const std::exception& e) {
    throw error{errc::invalid_argument, std::string{"placement: "} + e.what()};
  }
}

}  // namespace fastgpu::inline v0
