#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include <fastgpu/fastgpu.hpp>

#include "program/files.hpp"
#include "program/nodes.hpp"
#include "program/probe.hpp"

/// @file
/// What all programs of fastgpu have in common: options, progress bar, cancelling by Ctrl-C, JSON, exit status.

namespace program {

/// One repetition of a program's work: runs jobs and collects what is to be reported.
class session {
 public:
  session(fastgpu::cluster& cluster, fastgpu::run_options options, std::vector<std::int64_t> granule,
          bool show_progress, bool quiet, bool traced)
      : cluster_{cluster},
        options_{std::move(options)},
        granule_{std::move(granule)},
        show_progress_{show_progress},
        quiet_{quiet}
  {
    options_.trace = traced;
  }

  [[nodiscard]] fastgpu::cluster& cluster() { return cluster_; }
  [[nodiscard]] const fastgpu::run_options& options() const { return options_; }

  /// The iteration space with the granule of --granule, else with `granule`, else with the automatic one.
  /// @throws usage_error  where --granule has more dimensions than the space.
  [[nodiscard]] fastgpu::space<1> space(std::int64_t n, std::int64_t granule = 0) const;
  [[nodiscard]] fastgpu::space<2> space(fastgpu::extents<2> size) const;

  /// Runs a job to its end, with progress bar and Ctrl-C.
  /// @throws fastgpu::error  where it is not done.
  template <class Value, int N>
  fastgpu::value<Value> run(const fastgpu::job<Value, N>& job)
  {
    if (!options_.checkpoint.empty() && summary_) {
      throw usage_error{"--checkpoint: this is more than one job, and a checkpoint is of one"};
    }
    if (auto* probe = probe_of_this_process()) {
      probe->how.reduction = options_.reduction;
      int run = 0;
      do {
        probe->profiles.push_back(fastgpu::measure(cluster_, job, probe->how));
        if (run < probe->runs) {
          probe->summaries.push_back(fastgpu::execute(cluster_, job, options_).wait().summary());
        }
      } while (++run < probe->runs);
      throw probed{};
    }
    auto run = fastgpu::execute(cluster_, job, options_);
    watch(*run.core());
    auto outcome = run.wait();
    add_summary(outcome.summary());
    if (options_.trace) trace_ = run.trace_json();
    return std::move(outcome).get();
  }

  /// The summary of all runs so far: counts and times added up, the outcome of the last.
  [[nodiscard]] const std::optional<fastgpu::run_summary>& summary() const { return summary_; }
  /// The trace of the last run.
  [[nodiscard]] const std::string& trace() const { return trace_; }

  /// What the program adds to its JSON.
  boost::json::object fields;

  /// Hash of the result: 64 hex digits over its little-endian bytes without padding.
  void set_result_hash(std::string hash) { result_hash_ = std::move(hash); }
  [[nodiscard]] const std::string& result_hash() const { return result_hash_; }

  /// Prints a line for people, unless JSON goes to standard output: then to standard error.
  void print(const std::string& line) const;

 private:
  /// Until the run is finished: draws the bar, passes Ctrl-C on.
  void watch(fastgpu::detail::run_core& run);
  void add_summary(const fastgpu::run_summary& next);

  fastgpu::cluster& cluster_;
  fastgpu::run_options options_;
  std::vector<std::int64_t> granule_;
  bool show_progress_;
  bool quiet_;
  std::optional<fastgpu::run_summary> summary_;
  std::string trace_;
  std::string result_hash_;
};

/// The command line of one program.
class command_line {
 public:
  /// @param name      As in messages and JSON.
  /// @param about     For --help.
  command_line(std::string name, const std::string& about);

  /// The program's own options go here.
  CLI::App& app() { return app_; }

  /// Parses, makes the cluster, and calls `body` --repeat times.
  ///
  /// @param body  Returns whether its answer is right (true where none is known). May throw fastgpu::error,
  ///              usage_error, or another std::exception with a message of one line.
  /// @return      The exit status: 0 done and right; 1 wrong answer, failed, cancelled or past its deadline; 2 wrong
  ///              usage.
  int run(int argc, char** argv, const std::function<bool(session&)>& body);

 private:
  int parse(int argc, char** argv);
  int run_all(const std::function<bool(session&)>& body);
  bool run_once(fastgpu::cluster& cluster, const std::function<bool(session&)>& body, boost::json::array& runs);
  void write_json(const boost::json::object& report) const;

  std::string name_;
  CLI::App app_;
  std::string devices_;
  std::string history_;
  std::uint64_t nccl_from_ = 0;
  node_choice nodes_;
  std::string granule_text_;
  std::vector<std::int64_t> granule_;
  std::string policy_ = "by_speed";
  std::string reduction_ = "ordered";
  std::string checkpoint_;
  int repeat_ = 1;
  bool progress_ = false;
  bool predict_ = false;
  std::string calibration_;
  std::string trace_;
  std::string log_level_ = "warning";
  std::string json_;
  fastgpu::run_options options_;
};

}  // namespace program
