#include "execute/shared_machinery.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include <fastgpu/observe/log.hpp>

#include "assign/shares.hpp"
#include "net/messages.hpp"
#include "node/job_pieces.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr double wait_for_nodes_s = 0.05;       // to answer, before this process's devices begin alone
constexpr double wait_for_any_node_s = 5.0;     // where it has none

/// Of several classes all are named.
void add_class(std::string& all, const std::string& one)
{
  if ((", " + all + ", ").find(", " + one + ", ") != std::string::npos) return;  // one may be how another begins
  if (!all.empty()) all += ", ";
  all += one;
}

coordinator_options options_of(const job_data& job)
{
  coordinator_options o;
  o.span = 1u << job.shape.span_log2;
  o.bytes_per_subtask = input_bytes_of(job) / std::max(job.shape.count, 1u);
  return o;
}

}  // namespace

shared_machinery::shared_machinery(shared_run& of)
    : of_{&of},
      net_{of.core_->directory().net()},
      directory_{of.core_->directory()},
      kept_{of.what_},
      boss_{net_, *this, of.job_->data.shape.count, options_of(of.job_->data)},
      total_{of.job_->data, of.fold_, of.core_->memory()},
      alarm_{net_, [this] { ring(); }}
{
}

shared_machinery::~shared_machinery() = default;

void shared_machinery::start()
{
  auto& how = of_->how_;
  auto options = of_->options_;
  if (how.saved) options.seal_every = seconds{what_.description.seal_every_s};  // large partials cost as much on a disk
  if (how.resumed) {
    boss_.resume(how.resumed->fold_set());
    total_.absorb(std::move(*std::exchange(how.resumed, nullptr)));
  }
  if (!how.local.entries.empty()) {
    local_device_ = boss_.add("this process's devices");
    local_ = std::make_unique<local_participant>(
        net_, of_->core_, what_, how.local, options, boss_, local_device_, [this] { settle(); },
        [this] { end(run_phase::failed, out_of_memory()); });
    local_->join();
    for (const auto& range : how.local_ranges) boss_.reserve(local_device_, range);
  }
  for (const auto& link : directory_.links()) add_node(*link);
  for (const auto& [node, range] : how.node_ranges) {
    for (const auto& n : nodes_) {
      if (n->node().id() == node) boss_.reserve(n->device(), range);
    }
  }
  directory_.enroll(*this);
  started_ = net_.now();
  begin_at_ = seconds{net_.now().count + (local_ ? wait_for_nodes_s : wait_for_any_node_s)};
  settle();
}

void shared_machinery::add_node(node_link& node)
{
  const auto& out = of_->how_.kept_out;
  if (std::find(out.begin(), out.end(), node.id()) != out.end()) return;
  const auto device = boss_.add("node " + node.name());
  nodes_.push_back(std::make_unique<node_participant>(net_, node, what_, boss_, device, [this] { settle(); }));
}

void shared_machinery::node_added(node_link& node)
{
  if (!phase_) add_node(node);
}

void shared_machinery::begin()
{
  begun_ = true;
  boss_.start();
}

void shared_machinery::settle()
{
  if (of_ == nullptr) return;
  if (phase_) {
    if ((!local_ || local_->ended()) && !std::exchange(delivering_, true)) {
      net_.post([self = shared_from_this()] { self->deliver(); });  // nothing of this is under way then
    }
    return;
  }
  if (!begun_) {
    const bool all = std::all_of(nodes_.begin(), nodes_.end(), [](const auto& n) { return n->settled(); });
    if (all || net_.now().count >= begin_at_.count) begin();
  }
  std::uint64_t done = boss_.done();
  of_->done_.store(done, std::memory_order_relaxed);

  std::optional<seconds> next;
  const auto sooner = [&](std::optional<seconds> at) {
    if (at && (!next || at->count < next->count)) next = at;
  };
  if (!begun_) sooner(begin_at_);
  if (of_->deadline_) sooner(*of_->deadline_);
  sooner(boss_.next_tick());
  if (local_) sooner(local_->next_tick());
  for (const auto& n : nodes_) sooner(n->machine().next_tick());
  if (!phase_) alarm_.set(next);
}

void shared_machinery::ring()
{
  if (of_ == nullptr) return;
  const auto now = net_.now().count;
  if (!phase_ && of_->deadline_ && now >= of_->deadline_->count) {
    end(run_phase::deadline, failure{make_error_code(errc::deadline_exceeded), "the run's deadline has passed"});
  }
  if (!phase_) {
    if (local_) local_->tick();
    for (const auto& n : nodes_) n->machine().tick();
    boss_.tick();
  }
  settle();
}

// What the coordinator asks ---------------------------------------------------------------------------------------

bool shared_machinery::save(arrived_values& values, const interval_set& fold_set)
{
  if (of_ == nullptr || of_->how_.saved == nullptr) return true;
  auto& to = *of_->how_.saved;
  try {
    if (auto* here = dynamic_cast<local_values*>(&values)) {
      to.append(fold_set, pack_partial(what_.job->data, *here->values));
    } else if (auto* there = dynamic_cast<remote_values*>(&values)) {
      to.append(fold_set, there->values.bytes);
    }
    return true;
  } catch (const std::bad_alloc&) {
    end(run_phase::failed, out_of_memory());
  } catch (const error& e) {
    end(run_phase::failed, e.why());
  }
  return false;
}

void shared_machinery::commit(arrived_values& values, const interval_set& fold_set)
{
  const auto begin = steady_clock::now();
  if (!save(values, fold_set)) return;
  try {
    if (auto* here = dynamic_cast<local_values*>(&values)) {
      total_.absorb(std::move(*here->values));
    } else if (auto* there = dynamic_cast<remote_values*>(&values)) {
      commit_blocks(what_.job->data, there->values);
      total_.absorb(std::move(*there->values.values));
    }
  } catch (const std::bad_alloc&) {
    end(run_phase::failed, out_of_memory());
  } catch (const std::exception& e) {
    end(run_phase::failed, failure{make_error_code(errc::kernel_failed), std::string{"a merge failed: "} + e.what()});
  } catch (...) {
    end(run_phase::failed, failure_of(errc::kernel_failed, "a merge failed: an exception that is no std::exception"));
  }
  aggregate_ns_ += std::chrono::duration_cast<std::chrono::nanoseconds>(steady_clock::now() - begin).count();
}

void shared_machinery::distrust(device_id device, const failure& why)
{
  job_number job = 0;
  for (const auto& n : nodes_) {
    if (n->device() == device) job = n->machine().job();
  }
  net_.post([self = weak_from_this(), device, job, why] {
    const auto here = self.lock();
    if (!here || here->of_ == nullptr) return;
    for (const auto& n : here->nodes_) {
      if (n->device() == device && n->machine().job() == job) n->cut(why);  // not a session that came since
    }
    if (here->local_ && device == here->local_device_) here->end(run_phase::failed, why);
    here->settle();
  });
}

void shared_machinery::decided(const std::optional<failure>& why)
{
  end(why ? run_phase::failed : run_phase::done, why);
}

void shared_machinery::end(run_phase how, const std::optional<failure>& why)
{
  if (phase_) return;
  phase_ = how;
  if (why) why_ = *why;
  alarm_.set(std::nullopt);
  boss_.stop();
  if (local_) local_->stop();
  net_.post([self = weak_from_this()] {  // others are in the midst of something
    const auto here = self.lock();
    if (!here || here->of_ == nullptr) return;
    for (const auto& n : here->nodes_) n->machine().close();  // now, however long a batch here may take
    here->settle();
  });
}

// The end ---------------------------------------------------------------------------------------------------------

void shared_machinery::deliver()
{
  auto& run = *std::exchange(of_, nullptr);
  const auto& job = what_.job->data;
  directory_.leave(*this);
  const auto begin = steady_clock::now();
  try {
    // The last self-check: every subtask is in the value, once.
    if (phase_ == run_phase::done && total_.fold_set().count() != job.shape.count) {
      throw error{errc::internal, "subtasks are missing in the value: a defect of the library"};
    }
    if (phase_ == run_phase::done && job.code->values != nullptr) {
      run.result_ = allocate_aligned(job.code->values->bytes * static_cast<std::size_t>(job.width), run.core_->memory());
      total_.value(run.result_.get());
    }
  } catch (const error& e) {
    phase_ = run_phase::failed;
    why_ = e.why();
  } catch (const std::bad_alloc&) {
    phase_ = run_phase::failed;
    why_ = out_of_memory();
  } catch (const std::exception& e) {
    phase_ = run_phase::failed;
    why_ = failure_of(errc::kernel_failed, e.what());
  } catch (...) {
    phase_ = run_phase::failed;
    why_ = failure_of(errc::kernel_failed, "the last merge threw what is no std::exception");
  }
  aggregate_ns_ += std::chrono::duration_cast<std::chrono::nanoseconds>(steady_clock::now() - begin).count();
  of_ = &run;
  fill_summary();
  of_ = nullptr;
  if (local_ && run.options_.trace) run.trace_ = local_->run().trace_json(run.summary_);
  nodes_.clear();
  local_.reset();
  run.how_.saved.reset();  // whoever waits may run the job once more

  std::vector<std::pair<void (*)(void*), void*>> callbacks;
  std::shared_ptr<shared_machinery> self;  // goes with this call
  {
    const std::scoped_lock lock{run.mutex_};
    self = std::move(run.machinery_);
    callbacks.swap(run.callbacks_);
    run.delivered_.store(true, std::memory_order_release);
    run.told_.notify_all();  // under the lock: whoever waits may destroy the run as soon as it has the lock
  }
  for (const auto& [call, context] : callbacks) call(context);
}

void shared_machinery::fill_summary()
{
  static constexpr outcome_kind kinds[] = {outcome_kind::done, outcome_kind::done, outcome_kind::failed,
                                           outcome_kind::cancelled, outcome_kind::deadline};
  auto& s = of_->summary_;
  const auto count = what_.job->data.shape.count;
  if (local_) s = local_->summary();
  const auto mine = boss_.count();
  s.outcome = kinds[static_cast<int>(*phase_)];
  s.why = why_;
  s.wall_s = std::chrono::duration<double>(steady_clock::now() - of_->started_).count();
  s.assign_s = of_->how_.assign_s;
  s.aggregate_s = static_cast<double>(aggregate_ns_) * 1e-9;
  s.subtasks = count;
  s.committed = boss_.book().committed().count();
  s.steals += mine.steals;
  s.retries += boss_.retries();
  s.wasted += mine.wasted;
  s.fenced += mine.fenced;
  s.seals = mine.seals;
  s.backups = mine.backups;
  s.policy = of_->how_.policy;
  s.predicted = std::move(of_->how_.expected.predicted);
  s.not_predicted = std::move(of_->how_.expected.why_not);
  s.measured_share = of_->how_.measured_share;
  const auto* values = what_.job->data.code->values;
  s.reduction = values == nullptr ? "none" : to_string(of_->options_.reduction);
  s.shape = values == nullptr ? "" : of_->fold_ == fold_kind::ordered ? ordered_shape_name
                                     : values->order_free             ? "order-free"
                                     : of_->fold_ == fold_kind::exact ? "exact"
                                                                      : "any";
  if (!local_) s.devices.clear();
  auto next = static_cast<std::uint32_t>(of_->core_->devices().size());
  for (const auto& n : nodes_) {
    s.devices.push_back(summary_of(*n, {next++}));
    const auto& d = s.devices.back();
    note_speed(*n, d);
    s.batches += d.batches;
    s.steals += d.steals;
    s.bytes_sent += d.bytes_sent;
    s.bytes_received += d.bytes_received;
    s.link_s += d.link_s;
    if (d.subtasks == 0) continue;
    for (const auto& one : n->machine().numeric_classes()) add_class(s.numeric_class, one);
  }
  s.terms = terms(s.wall_s);
}

run_terms shared_machinery::terms(double wall_s) const
{
  worker_times all;
  if (local_) {
    const auto& here = local_->run();
    all.add(here.times(), std::chrono::duration<double>(here.started() - of_->started_).count());
  }
  const auto began_s = seconds{of_->started_.time_since_epoch()}.count;  // on the network's clock
  for (const auto& n : nodes_) {
    const auto& node = n->machine();
    if (!node.took_part()) continue;
    if (const auto at_work = node.at_work()) {
      all.add(node.workers(), at_work->first.count - began_s, at_work->last.count - began_s, node.work().busy_s);
    } else {
      all.add_idle(node.workers());
    }
  }
  return all.terms(wall_s);
}

device_summary shared_machinery::summary_of(node_participant& node, device_id id) const
{
  const auto count = what_.job->data.shape.count;
  const auto work = node.machine().work();
  device_summary d;
  d.id = id;
  d.name = node.node().name();
  d.subtasks = boss_.committed(node.device());
  d.share = count == 0 ? 0 : static_cast<double>(d.subtasks) / count;
  d.batches = work.batches;
  d.steals = work.steals;
  d.retries = work.retries;
  d.busy_s = work.busy_s;
  d.bytes_sent = node.bytes_sent();
  d.bytes_received = node.bytes_received();
  d.link_s = node.link_s();
  if (const auto last = node.machine().last_sealed()) d.finished_s = last->count - started_.count;
  d.lost = node.machine().took_part() && !boss_.joined(node.device()) && !boss_.drained(node.device());
  return d;
}

void shared_machinery::note_speed(const node_participant& node, const device_summary& did) const
{
  if (phase_ != run_phase::done || did.lost || did.subtasks == 0 || did.busy_s <= 0) return;
  try {
    auto devices = directory_.devices();
    std::erase_if(devices, [&](const device_info& d) { return d.node != node.node().id(); });
    double workers = 0;
    for (const auto& d : devices) workers += d.workers;
    const auto& job = what_.job->data;
    const auto indices = indices_of(subtask_list{job.shape}) * did.share;
    of_->core_->note_speed(history_name(devices), job, indices / did.busy_s * workers);
  } catch (const std::bad_alloc&) {  // the next placement goes by less
  }
}

}  // namespace fastgpu::inline v0::detail
