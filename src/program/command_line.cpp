#include "program/command_line.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <exception>
#include <stdexcept>

#include <fastgpu/observe/log.hpp>
#include <fastgpu/version.hpp>

#include "program/checks.hpp"
#include "program/cluster_file.hpp"

namespace program {
namespace {

constexpr int bar_width = 40;

volatile std::sig_atomic_t interrupted = 0;

void on_interrupt(int) { interrupted = 1; }

/// Edges of --granule: N, NxM or NxMxK.
std::vector<std::int64_t> parse_granule(const std::string& text)
{
  std::vector<std::int64_t> edges;
  const char* at = text.data();
  const char* end = at + text.size();
  for (;;) {
    std::int64_t edge = 0;
    const auto [next, problem] = std::from_chars(at, end, edge);
    if (problem != std::errc{} || edge < 1 || edges.size() == 3) {
      throw usage_error{"--granule '" + text + "': expected N, NxM or NxMxK, each at least 1"};
    }
    edges.push_back(edge);
    if (next == end) return edges;
    if (*next != 'x') throw usage_error{"--granule '" + text + "': expected N, NxM or NxMxK, each at least 1"};
    at = next + 1;
  }
}

fastgpu::reduction reduction_named(const std::string& name)
{
  for (auto mode : {fastgpu::reduction::ordered, fastgpu::reduction::exact, fastgpu::reduction::fast}) {
    if (name == fastgpu::to_string(mode)) return mode;
  }
  throw usage_error{"--reduction '" + name + "': expected ordered, exact or fast"};
}

/// An error's first line, since users get one.
std::string one_line(const char* what)
{
  std::string text{what};
  text.resize(std::min(text.size(), text.find('\n')));
  return text;
}

void draw_bar(const fastgpu::progress& p)
{
  const auto share = p.total == 0 ? 1.0 : static_cast<double>(p.done) / static_cast<double>(p.total);
  std::string bar(static_cast<std::size_t>(share * bar_width), '#');
  bar.resize(bar_width, '.');
  if (p.remaining.count >= 0) {
    std::fprintf(stderr, "\r[%s] %5.1f %%  %.1f s, %.1f s left   ", bar.c_str(), share * 100, p.elapsed.count,
                 p.remaining.count);
  } else {
    std::fprintf(stderr, "\r[%s] %5.1f %%  %.1f s   ", bar.c_str(), share * 100, p.elapsed.count);
  }
}

}  // namespace

fastgpu::space<1> session::space(std::int64_t n, std::int64_t granule) const
{
  if (granule_.size() > 1) throw usage_error{"--granule: this program's work has one dimension: expected N"};
  if (!granule_.empty()) return {n, fastgpu::by_size{granule_[0]}};
  if (granule > 0) return {n, fastgpu::by_size{granule}};
  return {n};
}

fastgpu::space<2> session::space(fastgpu::extents<2> size) const
{
  if (granule_.size() > 2) throw usage_error{"--granule: this program's work has two dimensions: expected N or NxM"};
  if (granule_.size() == 2) return {size, fastgpu::by_size{granule_[0], granule_[1]}};
  if (granule_.size() == 1) return {size, fastgpu::by_size{granule_[0]}};
  return {size};
}

void session::print(const std::string& line) const { std::fprintf(quiet_ ? stderr : stdout, "%s\n", line.c_str()); }

void session::watch(fastgpu::detail::run_core& run)
{
  const auto interval = fastgpu::seconds{show_progress_ ? 0.1 : 0.05};
  bool drawn = false;
  while (!run.wait_for(interval)) {
    if (interrupted != 0) run.cancel();
    if (!show_progress_) continue;
    draw_bar(run.current_progress());
    drawn = true;
  }
  if (drawn) std::fprintf(stderr, "\r%*s\r", bar_width + 40, "");
}

void session::add_summary(const fastgpu::run_summary& next)
{
  if (!summary_) {
    summary_ = next;
    return;
  }
  auto total = next;
  const auto& before = *summary_;
  total.wall_s += before.wall_s;
  total.assign_s += before.assign_s;
  total.aggregate_s += before.aggregate_s;
  total.terms += before.terms;
  if (before.predicted && total.predicted) {
    *total.predicted += *before.predicted;
  } else {
    total.predicted.reset();
    if (total.not_predicted.empty()) total.not_predicted = before.not_predicted;
  }
  const auto measured = total.measured_share * static_cast<double>(total.subtasks) +
                        before.measured_share * static_cast<double>(before.subtasks);
  total.subtasks += before.subtasks;
  total.measured_share = total.subtasks == 0 ? 0 : measured / static_cast<double>(total.subtasks);
  total.committed += before.committed;
  total.batches += before.batches;
  total.steals += before.steals;
  total.retries += before.retries;
  total.wasted += before.wasted;
  total.fenced += before.fenced;
  total.seals += before.seals;
  total.seals_in_groups += before.seals_in_groups;
  total.backups += before.backups;
  total.bytes_sent += before.bytes_sent;
  total.bytes_received += before.bytes_received;
  total.link_s += before.link_s;
  for (std::size_t d = 0; d < std::min(total.devices.size(), before.devices.size()); ++d) {
    auto& device = total.devices[d];
    const auto& earlier = before.devices[d];
    device.subtasks += earlier.subtasks;
    device.share = total.subtasks == 0 ? 0 : static_cast<double>(device.subtasks) / static_cast<double>(total.subtasks);
    device.batches += earlier.batches;
    device.steals += earlier.steals;
    device.retries += earlier.retries;
    device.busy_s += earlier.busy_s;
    device.finished_s += earlier.finished_s;
    device.lost = device.lost || earlier.lost;
    device.bytes_sent += earlier.bytes_sent;
    device.bytes_received += earlier.bytes_received;
    device.link_s += earlier.link_s;
  }
  summary_ = std::move(total);
}

job_probe*& probe_of_this_process() noexcept
{
  static job_probe* probe = nullptr;
  return probe;
}

command_line::command_line(std::string name, const std::string& about) : name_{std::move(name)}, app_{about, name_}
{
  app_.set_version_flag("--version", std::string{"fastgpu "} + fastgpu::version());
  app_.set_help_flag("--help", "Print this help and exit");
  const auto group = "Common options";
  app_.add_option(
          "--devices", devices_,
          "Devices, joined by commas: host:N (N threads), host:N*K (K of them), paced:RATE*K (subtasks a second), "
          "faulty:SEED*K, cuda:N (a GPU), cuda:all; none (nodes alone). Default: every GPU, else one host device of "
          "all "
          "allowed cores")
      ->group(group);
  app_.add_option("--history", history_,
                  "File of measured speeds, which placements go by: read, and written at the end")
      ->group(group);
  app_.add_option("--nccl-from", nccl_from_,
                  "GPUs reduce parts of the value of so many bytes and more among themselves, by NCCL; default: never")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 62))
      ->type_name("BYTES")
      ->group(group);
  add_node_options(app_, nodes_, group);
  app_.add_option("--granule", granule_text_, "Items a subtask; in two dimensions tiles of NxN or NxM")->group(group);
  app_.add_option("--policy", policy_, "Placement: equal, least_loaded, by_speed or minimum_completion_time")
      ->group(group)
      ->capture_default_str();
  app_.add_option("--reduction", reduction_, "ordered, exact or fast")->group(group)->capture_default_str();
  app_.add_option("--repeat", repeat_, "Do everything so often")
      ->check(CLI::Range(1, 1000000))
      ->group(group)
      ->capture_default_str();
  app_.add_option("--checkpoint", checkpoint_,
                  "File of what is done; where it is there already, the run goes on from it")
      ->group(group);
  app_.add_option("--deadline", options_.deadline.count, "Seconds after which a run is given up")
      ->check(above_zero("SECONDS"))
      ->group(group);
  app_.add_option("--subtask-timeout", options_.subtask_timeout.count,
                  "Seconds after which a node's worker that hangs in a batch is killed and its work done again")
      ->check(above_zero("SECONDS"))
      ->group(group);
  app_.add_flag("--predict", predict_,
                "Say by term what a run should have taken, from the speeds of earlier ones: with --repeat from the "
                "second on, "
                "with --history from the first where it has them")
      ->group(group);
  app_.add_option("--calibration", calibration_,
                  "What fastgpu calibrate wrote on this machine: --predict, which this implies, counts what runs cost "
                  "beside their subtasks")
      ->type_name("FILE")
      ->group(group);
  app_.add_flag("--progress", progress_, "Show a progress bar, on a terminal")->group(group);
  app_.add_option("--trace", trace_, "Write what happened when as Chrome trace JSON (open it in Perfetto)")
      ->group(group);
  app_.add_option("--log-level", log_level_, "trace, debug, info, warning, error or off")
      ->group(group)
      ->capture_default_str();
  app_.add_option("--json", json_, "Write results and run summary as JSON; - is standard output")->group(group);
}

int command_line::run(int argc, char** argv, const std::function<bool(session&)>& body)
{
  try {
    for (int i = 1; i < argc; ++i) {
      if (*argv[i] == '\0') throw usage_error{"an empty argument"};
    }
    app_.parse(argc, argv);
    options_.checkpoint = checkpoint_;
    if (predict_ || !calibration_.empty()) options_.predict.emplace();
    if (!calibration_.empty()) options_.predict->costs = read_calibrated_costs(calibration_);
    if (!options_.checkpoint.empty() && repeat_ > 1) {
      throw usage_error{"--checkpoint with --repeat: the second time nothing would be left to do"};
    }
    if (!granule_text_.empty()) granule_ = parse_granule(granule_text_);
    options_.reduction = reduction_named(reduction_);
    options_.policy = fastgpu::policy_named(policy_);
    fastgpu::set_log(fastgpu::log_level_named(log_level_));
  } catch (const CLI::Success& e) {
    return app_.exit(e);  // --help and --version
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "%s: %s (see --help)\n", name_.c_str(), one_line(e.what()).c_str());
    return 2;
  } catch (const std::exception& e) {  // a name that is none
    std::fprintf(stderr, "%s: %s (see --help)\n", name_.c_str(), one_line(e.what()).c_str());
    return 2;
  }
  try {
    if (!json_.empty() && json_ != "-") check_writable(json_);
    if (!trace_.empty()) check_writable(trace_);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", name_.c_str(), one_line(e.what()).c_str());
    return 1;
  }
  struct sigaction action {};
  action.sa_handler = &on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second time ends the process
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  return run_all(body);
}

int command_line::run_all(const std::function<bool(session&)>& body)
{
  boost::json::object report{{"schema", 1}, {"program", name_}};
  boost::json::array runs;
  boost::json::object failure{{"code", nullptr}, {"subtask", nullptr}, {"device", nullptr}, {"detail", nullptr}};
  std::string problem;
  int status = 0;
  const auto name_place = [&](const fastgpu::failure& why) {
    if (why.subtask >= 0) failure["subtask"] = why.subtask;
    if (why.device >= 0) failure["device"] = why.device;
  };
  const auto fail = [&](int exit_status, const char* outcome, const std::string& code, const char* what) {
    status = exit_status;
    problem = one_line(what);
    failure["code"] = code;
    failure["detail"] = problem;
    report["outcome"] = outcome;
  };
  try {
    fastgpu::cluster_options options{.devices = devices_, .history = history_};
    options.gpu.reduce_bytes_min = nccl_from_;
    fastgpu::cluster cluster{options};
    add_nodes(cluster, nodes_);
    report["outcome"] = "done";
    for (int i = 0; i < repeat_; ++i) {
      if (interrupted != 0) throw fastgpu::error{fastgpu::errc::cancelled, "interrupted"};
      if (!run_once(cluster, body, runs)) status = 1;
    }
  } catch (const probed&) {
    return 0;
  } catch (const usage_error& e) {
    fail(2, "failed", "usage", e.what());
  } catch (const fastgpu::error& e) {
    const auto code = e.code();
    const bool usage = code == fastgpu::errc::invalid_argument || code == fastgpu::errc::unsupported_reduction;
    const auto outcome = code == fastgpu::errc::cancelled           ? "cancelled"
                         : code == fastgpu::errc::deadline_exceeded ? "deadline"
                                                                    : "failed";
    fail(usage ? 2 : 1, outcome, code.message(), e.what());
    name_place(e.why());
  } catch (const std::exception& e) {
    fail(1, "failed", "error", e.what());
  }
  if (!problem.empty()) {
    std::fprintf(stderr, "%s: %s\n", name_.c_str(), problem.c_str());
    report["error"] = std::move(failure);
  }
  if (runs.size() == 1) {
    for (auto& item : runs[0].as_object()) report[item.key()] = std::move(item.value());
  } else if (!runs.empty()) {
    report["runs"] = std::move(runs);
  }
  try {
    if (!json_.empty()) write_json(report);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", name_.c_str(), one_line(e.what()).c_str());
    status = std::max(status, 1);
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::fprintf(stderr, "%s: standard output cannot be written\n", name_.c_str());
    status = std::max(status, 1);
  }
  return status;
}

bool command_line::run_once(fastgpu::cluster& cluster, const std::function<bool(session&)>& body,
                            boost::json::array& runs)
{
  const bool bar = progress_ && ::isatty(STDERR_FILENO) != 0;
  session s{cluster, options_, granule_, bar, json_ == "-", !trace_.empty()};
  bool right = false;
  std::exception_ptr problem;
  try {
    right = body(s);
  } catch (...) {
    problem = std::current_exception();
  }
  boost::json::object one;
  if (s.summary()) {
    auto run = boost::json::parse(fastgpu::to_json(*s.summary())).as_object();
    run["result_hash"] = s.result_hash().empty() ? boost::json::value(nullptr) : boost::json::value(s.result_hash());
    one["run"] = std::move(run);
  }
  for (auto& item : s.fields) one[item.key()] = std::move(item.value());
  if (!one.empty()) runs.push_back(std::move(one));
  if (problem) std::rethrow_exception(problem);
  if (!trace_.empty()) write_file(trace_, s.trace());
  if (s.summary()) {
    auto table = fastgpu::to_text(*s.summary());
    table.pop_back();
    s.print(table);
  }
  return right;
}

void command_line::write_json(const boost::json::object& report) const
{
  const auto text = boost::json::serialize(report) + "\n";
  if (json_ != "-") return write_file(json_, text);
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
    throw std::runtime_error{"standard output cannot be written"};
  }
}

}  // namespace program
