#include <fastgpu/model/measure.hpp>

#include <algorithm>
#include <chrono>
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

/// Some spans, one in each of as many equal parts of the job, in random order.
std::vector<interval> choose(const space_shape& shape, std::uint32_t samples)
{
  const auto span = std::uint64_t{1} << shape.span_log2;
  const auto spans = (shape.count + span - 1) / span;
  const auto n = std::min<std::uint64_t>(samples, spans);
  std::mt19937_64 random{shape.count};  // the same ones each time
  std::vector<interval> chosen;
  for (std::uint64_t i = 0; i < n; ++i) {
    const auto first = spans * i / n;
    const auto after = std::max(first + 1, spans * (i + 1) / n);
    const auto begin = (first + random() % (after - first)) * span;
    chosen.push_back({static_cast<std::uint32_t>(begin),
                      static_cast<std::uint32_t>(std::min<std::uint64_t>(begin + span, shape.count))});
  }
  std::shuffle(chosen.begin(), chosen.end(), random);
  return chosen;
}

/// Runs them until the budget is spent. @return a finished run
ref<run_state> run_some(const ref<cluster_core>& core, const ref<const job_storage>& job, fold_kind fold,
                        const std::vector<interval>& chosen, const measure_options& options)
{
  const auto& device = *core->devices()[options.device.value];
  placement where;
  where.entries.push_back({options.device, device.info().name, {}, 0});
  const run_options how{.batches = batching::fixed(1), .seal_every = seconds{}, .trace = true};
  silent_grantor grantor;
  const ref<run_state> run{new run_state{core, job, where, how, fold, &grantor}};
  run->start(where, 0);
  core->submit(run);
  const auto begin = steady_clock::now();
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

/// The first of each worker is left out where there are many others: it opens sessions and touches memory first. Where
/// there are few, those that came second are few as well, and who had long ones first has none.
std::vector<seconds> times_of(const run_state& run)
{
  std::vector<seconds> all;
  std::vector<seconds> later;
  for (const auto& worker : run.trace_events()) {
    bool first = true;
    for (const auto& event : worker) {
      if (event.kind != trace_kind::batch) continue;
      const seconds took{static_cast<double>(std::max<std::int64_t>(event.end_ns - event.begin_ns, 1)) * 1e-9};
      all.push_back(took);
      if (!std::exchange(first, false)) later.push_back(took);
    }
  }
  constexpr std::size_t many = 8;  // times as many
  return later.size() >= many * (all.size() - later.size()) ? later : all;
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
  const auto run = run_some(core, job, fold, choose(data.shape, options.samples), options);
  if (run->summary().outcome == outcome_kind::failed) throw error{run->summary().why};
  profile.costs = times_of(*run);
  if (profile.costs.empty()) throw error{errc::no_usable_device, "measure: no subtask was run"};
  add_bytes(profile, data);
  return profile;
}

}  // namespace fastgpu::inline v0::detail
