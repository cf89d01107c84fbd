#include "instructions.hpp"

#include <sys/wait.h>

#include <cstdio>
#include <string_view>

namespace bench {
namespace {

struct command_result {
  int status = -1;
  std::string output;
};

command_result run(const std::string& command)
{
  command_result result;
  auto* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return result;
  char buffer[512];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) result.output += buffer;
  const auto status = pclose(pipe);
  if (WIFEXITED(status)) result.status = WEXITSTATUS(status);
  return result;
}

std::optional<double> count_instructions(const std::string& command)
{
  const auto result = run("valgrind --tool=callgrind --trace-children=yes --callgrind-out-file=/dev/null " + command);
  constexpr std::string_view label = "Collected : ";
  if (result.status != 0) return std::nullopt;
  double sum = 0;
  for (auto at = result.output.find(label); at != std::string::npos; at = result.output.find(label, at + 1)) {
    sum += std::stod(result.output.substr(at + label.size()));
  }
  if (sum == 0) return std::nullopt;
  return sum;
}

}  // namespace

std::optional<double> instructions_slope(const std::string& command, const std::string& rest, std::uint64_t few,
                                         std::uint64_t many)
{
  const auto at_few = count_instructions(command + std::to_string(few) + rest);
  const auto at_many = at_few ? count_instructions(command + std::to_string(many) + rest) : std::nullopt;
  if (!at_many) return std::nullopt;
  return (*at_many - *at_few) / static_cast<double>(many - few);
}

}  // namespace bench
