#include "program/fastgpu/formulas.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <system_error>

#include <fastgpu/error.hpp>
#include <fastgpu/model/formulas.hpp>
#include <fastgpu/model/priority_queue.hpp>

#include "program/usage_error.hpp"

namespace program {
namespace {

using fastgpu::seconds;

struct argument {
  const char* option;
  const char* type;
  const char* about;
  bool repeats = false;  ///< May be given again, for one more row.
};

constexpr argument arguments[] = {
    {"--node-count", "COUNT", "Nodes"},
    {"--gpus-per-node", "COUNT", "GPUs of each node"},
    {"--t-task", "SECONDS", "Busy time of one GPU"},
    {"--t-comm", "SECONDS", "Time that one node communicates"},
    {"--t-original", "SECONDS", "Time of one GPU for its subtasks one after another"},
    {"--parallelism", "NUMBER", "Subtasks at once on a GPU"},
    {"--bytes", "BYTES", "Moved by one node"},
    {"--bandwidth", "NUMBER", "Bytes a second of one node's link"},
    {"--capability", "TFLOPS", "Of one node"},
    {"--subtasks", "COUNT", "Subtasks, each of 1e12 operations"},
    {"--alpha", "NUMBER", "P_virtual / P_physical"},
    {"--u", "NUMBER", "Used / capacity, 0 to 1"},
    {"--s", "NUMBER", "Subtasks a second for each unit of GPU resources"},
    {"--v", "NUMBER", "Virtual / physical performance"},
    {"--priority", "NUMBER", "Of a class: larger is served sooner"},
    {"--resources", "COUNT", "Resources; servers of the queue"},
    {"--requests", "COUNT", "Requests"},
    {"--service-rate", "NUMBER", "Requests that one server serves in a second"},
    {"--arrival-rates", "NUMBER,...", "Requests a second of each class, beginning with the class served first"},
    {"--weights", "NUMBER,...", "Loads on one node; again for each further node", true},
};

/// Given as a decimal number, or refused.
template <class Number>
Number number_in(std::string_view text, const std::string& option, const char* expected)
{
  Number number{};
  const auto* const end = text.data() + text.size();
  const auto [next, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc{} || next != end) {
    throw usage_error{option + " '" + std::string{text} + "': expected " + expected};
  }
  return number;
}

/// The arguments of one formula, all given.
class given {
 public:
  explicit given(const formula_choice& chosen) : chosen_{chosen} {}

  [[nodiscard]] std::int64_t count(const char* option) const
  {
    return number_in<std::int64_t>(chosen_.given.at(option).front(), option, "a whole number");
  }
  [[nodiscard]] double number(const char* option) const { return real(chosen_.given.at(option).front(), option); }
  [[nodiscard]] seconds time(const char* option) const { return seconds{number(option)}; }
  [[nodiscard]] std::vector<double> list(const char* option) const { return rows(option).front(); }

  [[nodiscard]] std::vector<std::vector<double>> rows(const char* option) const
  {
    std::vector<std::vector<double>> all;
    for (const std::string_view row : chosen_.given.at(option)) {
      auto& numbers = all.emplace_back();
      for (std::size_t at = 0; at <= row.size();) {
        const auto comma = std::min(row.find(',', at), row.size());
        numbers.push_back(real(row.substr(at, comma - at), option));
        at = comma + 1;
      }
    }
    return all;
  }

 private:
  static double real(std::string_view text, const std::string& option)
  {
    const auto number = number_in<double>(text, option, "a finite number");
    if (!std::isfinite(number)) throw usage_error{option + " '" + std::string{text} + "': expected a finite number"};
    return number;
  }

  const formula_choice& chosen_;
};

/// Ten digits at most, whatever the locale; never "-0".
std::string text(double number)
{
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, number + 0.0, std::chars_format::general, 10).ptr};
}

void print(const std::string& value, const std::string& counts)
{
  std::printf("%s\n%s\n", value.c_str(), counts.c_str());
}

void print_occupied(const fastgpu::occupied_time& time)
{
  print("T_total = " + text(time.total().count) + " s",
        "counts occupied time, " + text(time.gpus.count) + " GPU-seconds and " + text(time.links.count) +
            " link-seconds added up: a bill, not wall-clock time");
}

void t_total(const given& a)
{
  print_occupied(fastgpu::t_total({.N = a.count("--node-count"),
                                   .M = a.count("--gpus-per-node"),
                                   .T_task = a.time("--t-task"),
                                   .T_comm = a.time("--t-comm")}));
}

void t_total_parallel(const given& a)
{
  print_occupied(fastgpu::t_total({.N = a.count("--node-count"),
                                   .M = a.count("--gpus-per-node"),
                                   .T_original = a.time("--t-original"),
                                   .P = a.number("--parallelism"),
                                   .D = a.number("--bytes"),
                                   .B = a.number("--bandwidth")}));
}

void capability(const given& a)
{
  const auto figures = fastgpu::capability(
      {.m = a.count("--subtasks"), .n = a.count("--node-count"), .C = a.number("--capability")});
  print("T = " + text(figures.T) + " TFLOPS, t1 = t2 = " + text(figures.t1.count) + " s",
        "counts all nodes' peaks added up, and wall-clock time at that peak for subtasks of 1e12 operations: a lower "
        "bound");
}

void performance(const given& a)
{
  const auto P = fastgpu::performance(
      {.alpha = a.number("--alpha"), .U = a.number("--u"), .S = a.number("--s"), .V = a.number("--v")});
  print("P = " + text(P) + " subtasks a second for each unit of GPU resources, the unit of S",
        "counts an index to rank configurations by that were measured in one way: not a throughput");
}

void printed_waiting_time(const given& a)
{
  const auto T_i = fastgpu::printed_waiting_time(
      {.P_i = a.number("--priority"), .R = a.count("--resources"), .N = a.count("--requests")});
  print("T_i = " + text(T_i) + ", without a unit",
        "counts no time: as printed it falls with the number of requests; --service-rate and --arrival-rates give a "
        "waiting time");
}

void waiting_time(const given& a)
{
  const auto times = fastgpu::waiting_time(
      {.R = a.count("--resources"), .mu = a.number("--service-rate"), .lambda = a.list("--arrival-rates")});
  std::string values;
  for (std::size_t i = 0; i < times.W.size(); ++i) {
    values += "W_" + std::to_string(i + 1) + " = " + text(times.W[i].count) + " s\n";
  }
  values += "W = " + text(times.mean.count) + " s";
  print(values,
        "counts mean wall-clock time from a request until its service begins, by class and over all, in the M/M/R "
        "queue; " + text(times.C * 100) + " % have to wait");
}

void load_balance(const given& a)
{
  const fastgpu::load_balance_arguments w{a.rows("--weights")};
  const auto p = fastgpu::load_balance(w);
  const auto share = fastgpu::load_balance_normalised(w);
  std::string values;
  for (std::size_t i = 0; i < p.size(); ++i) {
    values += (i == 0 ? "p_" : "\np_") + std::to_string(i + 1) + " = " + text(p[i]) +
              " in the unit of the weights, share " + text(share[i] * 100) + " %";
  }
  print(values,
        "counts the mean load of each node, and normalised its share of all load: not its time, unless the nodes are "
        "equally fast");
}

struct symbol {
  std::string option;
  std::string name;  ///< In the formula.
};

/// A formula under its name; where two have one, their arguments tell them apart.
struct formula {
  std::string name;
  std::string text;
  std::vector<symbol> takes;  ///< All are needed.
  void (*print)(const given&);
};

const std::vector<formula>& formulas()
{
  static const std::vector<formula> all{
      {"t_total",
       "N M T_task + N T_comm",
       {{"--node-count", "N"}, {"--gpus-per-node", "M"}, {"--t-task", "T_task"}, {"--t-comm", "T_comm"}},
       &t_total},
      {"t_total",
       "N M T_original / P + N D / B",
       {{"--node-count", "N"},
        {"--gpus-per-node", "M"},
        {"--t-original", "T_original"},
        {"--parallelism", "P"},
        {"--bytes", "D"},
        {"--bandwidth", "B"}},
       &t_total_parallel},
      {"capability",
       "T = n C, t1 = t2 = m / (n C)",
       {{"--node-count", "n"}, {"--capability", "C"}, {"--subtasks", "m"}},
       &capability},
      {"performance", "alpha U S V", {{"--alpha", "alpha"}, {"--u", "U"}, {"--s", "S"}, {"--v", "V"}}, &performance},
      {"waiting_time",
       "(1 / P_i) (1 / R) (1 / N), as printed",
       {{"--priority", "P_i"}, {"--resources", "R"}, {"--requests", "N"}},
       &printed_waiting_time},
      {"waiting_time",
       "M/M/R queue with non-preemptive priorities",
       {{"--resources", "R"}, {"--service-rate", "mu"}, {"--arrival-rates", "lambda"}},
       &waiting_time},
      {"load_balance", "p_i = (1 / n) sum_j w_ij, and p_i / sum_k p_k", {{"--weights", "w"}}, &load_balance},
  };
  return all;
}

/// The one that is meant: of those with the name the one that takes most of what was given.
const formula& meant_by(const formula_choice& chosen)
{
  const formula* best = nullptr;
  std::ptrdiff_t most = -1;
  for (const auto& f : formulas()) {
    if (f.name != chosen.name) continue;
    const auto taken =
        std::ranges::count_if(f.takes, [&](const auto& s) { return !chosen.given.at(s.option).empty(); });
    if (taken > most) best = &f;
    most = std::max(most, taken);
  }
  if (best == nullptr) throw usage_error{"--formula '" + chosen.name + "': expected " + formula_names()};
  return *best;
}

/// All that it takes, and nothing else.
void check_given(const formula& f, const formula_choice& chosen)
{
  std::string all;
  for (const auto& s : f.takes) all += (all.empty() ? "" : ", ") + s.option;
  for (const auto& a : arguments) {
    const auto& values = chosen.given.at(a.option);
    const auto takes = std::ranges::count(f.takes, a.option, &symbol::option) != 0;
    if (takes && values.empty()) throw usage_error{f.name + ": " + a.option + " is missing; it takes " + all};
    if (!takes && !values.empty()) throw usage_error{f.name + " does not take " + a.option + " beside " + all};
  }
}

/// "t_total: T_task = -1: expected ..." as "--t-task: T_task = -1: expected ...".
std::string with_option(const formula& f, const std::string& what)
{
  const auto begin = f.name.size() + 2;
  for (const auto& s : f.takes) {
    const auto end = begin + s.name.size();
    if (what.compare(begin, s.name.size(), s.name) != 0) continue;
    if (end < what.size() && (what[end] == ' ' || what[end] == '_')) return s.option + ": " + what.substr(begin);
  }
  return what;
}

}  // namespace

std::string formula_names()
{
  std::vector<std::string> names;
  for (const auto& f : formulas()) {
    if (names.empty() || names.back() != f.name) names.push_back(f.name);
  }
  std::string all;
  for (std::size_t i = 0; i < names.size(); ++i) {
    all += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  }
  return all;
}

void add_formula_options(CLI::App& command, formula_choice& to)
{
  command.add_option("--formula", to.name, "A published formula: " + formula_names())->type_name("NAME");
  for (const auto& a : arguments) {
    command.add_option(a.option, to.given[a.option], a.about)
        ->expected(1, a.repeats ? CLI::detail::expected_max_vector_size : 1)
        ->allow_extra_args(false)
        ->type_name(a.type)
        ->group("Arguments of formulas");
  }
  std::string footer = "Formulas, with all the arguments that each takes:";
  for (const auto& f : formulas()) {
    footer += "\n  " + f.name + ": " + f.text + "\n   ";
    for (const auto& s : f.takes) footer += " " + s.option + " " + s.name;
  }
  command.footer(footer);
}

void print_formula(const formula_choice& chosen)
{
  const auto& f = meant_by(chosen);
  check_given(f, chosen);
  try {
    f.print(given{chosen});
  } catch (const fastgpu::error& e) {
    throw usage_error{with_option(f, e.what())};
  }
}

}  // namespace program
