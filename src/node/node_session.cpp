#include "node/node_session.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include <fastgpu/observe/log.hpp>

#include "decompose/indices.hpp"
#include "execute/device_choice.hpp"
#include "net/self.hpp"
#include "node/device_executor.hpp"

namespace fastgpu::inline v0::detail {
namespace {

run_options options_of(const open_job& what)
{
  run_options options;
  options.seal_every = seconds{what.seal_every_s};
  options.priority = what.terms.priority;
  options.batches = {static_cast<batching::kind>(what.terms.batch_kind), what.terms.batch_size,
                     seconds{what.terms.batch_target_s}};
  options.subtask_timeout = seconds{what.terms.subtask_timeout_s};
  return options;
}

}  // namespace

node_session::node_session(network& on, byte_stream stream, const node_devices& of, coordinator_session_owner& owner,
                           met how)
    : on_{on},
      of_{of},
      owner_{owner},
      session_{on, std::move(stream), this_node(of.name, how == met::listening), *this, of.session},
      service_{on, *this},
      alarm_{on,
             [this] {
               service_.tick();
               rearm();
             }}
{
}

void node_session::opened(connection&)
{
  service_.opened();
  if (drains_) service_.drain();
  rearm();
}

void node_session::received(connection&, message&& what, payload&& bytes)
{
  service_.received(std::move(what), std::move(bytes));
  rearm();
}

void node_session::closed(connection&, const failure& why) { owner_.ended(*this, why); }

void node_session::drain()
{
  if (std::exchange(drains_, true)) return;
  if (session_.open()) {
    service_.drain();
    rearm();
  } else {
    session_.close();
  }
}

void node_session::send(message what, std::shared_ptr<const payload> bytes)
{
  session_.send(std::move(what), std::move(bytes));
  rearm();
}

void node_session::breach(const failure& why) { session_.cut(why); }

void node_session::drain_asked() { owner_.drain_all(); }

void node_session::drained() { session_.close(); }

std::vector<device_info> node_session::devices() const { return of_.core->describe(); }

opened_job node_session::open(const open_job& what, executor_owner& owner)
{
  opened_job opened;
  try {
    auto limits = of_.limits;  // what is left of them to this session
    limits.data_bytes_max -= std::min(limits.data_bytes_max, service_.data_bytes());
    auto made = received_job::make(what.what, of_.contents, limits);
    if (!made.has_value()) {
      opened.why = made.error();
      return opened;
    }
    auto job = std::move(made).value();
    auto able = able_devices(of_.core->describe(&job->data), job->data, of_.core->devices_by_name());
    able = match(able, what.terms.need);
    if (!what.numeric_class.empty()) {
      std::erase_if(able, [&](const device_info& d) { return d.numeric_class != what.numeric_class; });
    }
    if (able.empty()) {
      opened.why = {make_error_code(errc::no_matching_device),
                    "an ordered reduction over devices of class '" + what.numeric_class + "', and it has none"};
      return opened;
    }
    placement devices;
    opened.workers = 0;
    double indices_per_second = 0;
    bool measured = true;
    for (const auto& d : able) {
      devices.entries.push_back({d.id, d.name, {}, 0});
      opened.workers += d.workers;
      indices_per_second += d.speed;
      measured = measured && d.speed > 0;
      const auto& known = opened.numeric_classes;
      if (std::find(known.begin(), known.end(), d.numeric_class) == known.end()) {
        opened.numeric_classes.push_back(d.numeric_class);
      }
    }
    const auto indices = indices_of(job->data.shape);
    if (measured && indices > 0) opened.subtasks_per_second = indices_per_second * job->data.shape.count / indices;
    opened.missing = job->missing();
    opened.data_bytes = job->data_bytes();
    const auto options = options_of(what);
    opened.executor = std::make_unique<device_executor>(on_, of_.core, std::move(job), std::move(devices), options,
                                                        what.job, owner);
  } catch (const error& e) {
    opened.executor.reset();
    opened.why = e.why();
  } catch (const std::bad_alloc&) {
    opened.executor.reset();
    opened.why = {std::make_error_code(std::errc::not_enough_memory), "no memory for the job"};
  }
  return opened;
}

}  // namespace fastgpu::inline v0::detail
