#include <fastgpu/model/measure.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include <fastgpu/error.hpp>

#include "cluster/cluster_core.hpp"
#include "execute/choose_fold.hpp"
#include "execute/device_choice.hpp"
#include "execute/run_state.hpp"
#include "model/job_bytes.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr std::uint64_t first_grant = 2;  // spans a worker; then twice as many each time
constexpr std::chrono::microseconds look_every{200};

/// Nobody is told anything: who measures looks.
class silent_grantor final : public run_grantor {
 public:
  void look() noexcept override {}
};

std::uint64_t spans_of(const space_shape& shape)
{
  return (shape.count + (std::uint64_t{1} << shape.span_log2) - 1) >> shape.span_log2;
}

/// `together` neighbouring spans in each of some equal parts of the job, `wanted` in all, in random order; all of it where
/// that is no more.
std::vector<interval> choose(const space_shape& shape, std::uint64_t wanted, std::uint64_t together)
{
  const auto spans = spans_of(shape);
  wanted = std::min(wanted, spans);
  together = wanted == spans ? 1 : std::min(together, wanted);
  const auto n = wanted / together;
  std::mt19937_64 random{shape.count};  // the same ones each time
  std::vector<interval> chosen;
  for (std::uint64_t i = 0; i < n; ++i) {
    const auto first = spans * i / n;
    const auto after = std::max(first + 1, spans * (i + 1) / n - (together - 1));
    const auto begin = first + random() % (after - first);
    chosen.push_back({static_cast<std::uint32_t>(begin << shape.span_log2),
                      static_cast<std::uint32_t>(std::min<std::uint64_t>((begin + together) << shape.span_log2, shape.count))});
  }
  std::shuffle(chosen.begin(), chosen.end(), random);
  return chosen;
}

/// Runs them, `batch` subtasks at a time, until the budget, of which `begin` is the start, is spent. @return a finished run
ref<run_state> run_some(const ref<cluster_core>& core, const ref<const job_storage>& job, fold_kind fold,
                        const std::vector<interval>& chosen, std::uint32_t batch, const measure_options& options,
                        steady_clock::time_point begin)
{
  const auto& device = *core->devices()[options.device.value];
  placement where;
  where.entries.push_back({options.device, device.info().name, {}, 0});
  const run_options how{.batches = batching::fixed(batch), .seal_every = seconds{}, .trace = true};
  silent_grantor grantor;
  const ref<run_state> run{new run_state{core, job, where, how, fold, &grantor}};
  run->start(where, 0);
  core->submit(run);
  const auto budget = std::chrono::duration<double>{options.budget.count};
  std::uint64_t step = first_grant * device.info().workers;
  std::uint64_t granted = 0;
  for (std::size_t next = 0; next < chosen.size() && steady_clock::now() - begin < budget; step *= 2) {
    const auto n = std::min<std::uint64_t>(step, chosen.size() - next);
    run->accept_grant({chosen.data() + next, static_cast<std::size_t>(n)});
    for (std::uint64_t i = 0; i < n; ++i) granted += chosen[next + i].size();
    next += static_cast<std::size_t>(n);
    while (steady_clock::now() - begin < budget) {
      const auto state = run->state();
      if (state.finished) {
        run->wait();
        return run;
      }
      if (state.done >= granted) break;
      std::this_thread::sleep_for(look_every);
    }
  }
  run->finish();  // what is under way is waited for
  run->wait();
  return run;
}

/// Where there are enough that came right behind their neighbour on the same worker, these alone: in a run nearly all do,
/// and find its memory touched and its data at hand. Of a batch of several subtasks, their mean.
std::vector<seconds> times_of(const run_state& run, std::uint32_t span)
{
  std::vector<seconds> all;
  std::vector<seconds> behind;
  for (const auto& worker : run.trace_events()) {
    std::uint32_t next = 0;  // nothing is behind what is not there
    for (const auto& event : worker) {
      if (event.kind != trace_kind::batch) continue;
      const auto spans = std::max(event.part.size() / span, 1u);
      const seconds took{static_cast<double>(std::max<std::int64_t>(event.end_ns - event.begin_ns, 1)) * 1e-9 / spans};
      all.push_back(took);
      if (event.part.begin == next && next != 0) behind.push_back(took);
      next = event.part.end;
    }
  }
  constexpr std::size_t enough = 48;
  return behind.size() >= enough && 2 * behind.size() >= all.size() ? behind : all;
}

double mean_of(const std::vector<seconds>& costs)
{
  double sum = 0;
  for (const auto c : costs) sum += c.count;
  return sum / static_cast<double>(costs.size());
}

/// Of the mean, as far as a sample tells: its standard error over itself.
double uncertainty_of(const std::vector<seconds>& costs)
{
  const auto mean = mean_of(costs);
  double squares = 0;
  for (const auto c : costs) squares += (c.count - mean) * (c.count - mean);
  return std::sqrt(squares) / static_cast<double>(costs.size()) / mean;
}

/// Some of the job, and more of it where that says too little: costs that differ much, or subtasks so short that it
/// matters how many of their kind come before them.
std::vector<seconds> costs_of(const ref<cluster_core>& core, const ref<const job_storage>& job, fold_kind fold,
                              const measure_options& options)
{
  constexpr std::uint64_t little = 64;
  constexpr std::uint64_t first_sample = 1600;
  constexpr std::uint64_t neighbours = 4;
  constexpr std::uint64_t many_neighbours = 256;
  constexpr double short_s = 20e-6;
  constexpr std::uint32_t short_batch = 32;
  constexpr std::size_t few = 8;
  constexpr double uncertain = 0.03;
  const auto& shape = job->data.shape;
  const auto begin = steady_clock::now();
  const auto span = std::uint32_t{1} << shape.span_log2;
  const auto times = [&](std::uint64_t wanted, std::uint64_t together, std::uint32_t batch) {
    const auto run = run_some(core, job, fold, choose(shape, wanted, together), batch * span, options, begin);
    if (run->summary().outcome == outcome_kind::failed) throw error{run->summary().why};
    return times_of(*run, span);
  };
  const auto spans = spans_of(shape);
  const auto part = std::max(little, spans / 4);
  const auto first = std::min<std::uint64_t>({options.samples, first_sample, part});
  auto costs = times(first, neighbours, 1);
  if (costs.empty()) throw error{errc::no_usable_device, "measure: no subtask was run"};
  const bool is_short = mean_of(costs) < short_s;
  const bool differ = uncertainty_of(costs) > uncertain;
  const auto more = std::min<std::uint64_t>(options.samples, differ ? spans : part);
  if (first >= spans || (!is_short && (!differ || more <= first))) return costs;
  const bool batched = is_short && !differ;  // as a run has them, and a clock does not see them one by one
  auto again = times(more, is_short ? many_neighbours : neighbours, batched ? short_batch : 1);
  return again.size() >= (batched ? few : costs.size()) ? again : costs;
}

}  // namespace

job_profile measure(const ref<cluster_core>& core, const ref<const job_storage>& job, const measure_options& options)
{
  if (options.samples == 0 || !(options.budget.count > 0)) {
    throw error{errc::invalid_argument, "measure: a sample of one subtask and a budget above 0 s at least"};
  }
  if (options.device.value >= core->devices().size()) {
    throw error{errc::no_usable_device, "measure: device " + std::to_string(options.device.value) + " is not there"};
  }
  const auto& data = job->data;
  const auto fold = choose_fold(data, options.reduction);
  (void)able_devices({core->describe(&data)[options.device.value]}, data, true);

  job_profile profile;
  profile.subtasks = modelled_subtasks(data.shape);
  if (profile.subtasks == 0) {
    profile.costs.push_back(seconds{1e-9});  // of none
    return profile;
  }
  profile.costs = costs_of(core, job, fold, options);
  add_bytes(profile, data);
  return profile;
}

}  // namespace fastgpu::inline v0::detail
