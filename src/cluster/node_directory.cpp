#include "cluster/node_directory.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <thread>
#include <utility>

#include <fastgpu/observe/log.hpp>

namespace fastgpu::inline v0::detail {
namespace {

constexpr int patience_ms = 300;
constexpr double worker_patience_s = 5;
constexpr double caller_patience_s = 60;

}  // namespace

node_directory::~node_directory()
{
  net_.run([this] {
    listeners_.clear();
    for (const auto& link : links_) link->leave();
  });
  // A goodbye takes a moment to go out; without it nodes would take this process for lost.
  bool gone = false;
  for (int i = 0; i < patience_ms && !gone; ++i) {
    net_.run([&] { gone = std::all_of(links_.begin(), links_.end(), [](const auto& link) { return link->gone(); }); });
    if (!gone) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  net_.run([this] { links_.clear(); });
}

node_link& node_directory::add_link(node_link_options options, std::function<void()> first_news)
{
  const node_id id{++nodes_};
  links_.push_back(std::make_unique<node_link>(net_, id, std::move(options), [this, first_news] {
    note_devices();
    if (first_news) first_news();
  }));
  return *links_.back();
}

std::string node_directory::accept(const std::string& address, const std::optional<credentials>& as,
                                   const session_limits& limits)
{
  std::string where;
  net_.run([&] {
    listeners_.push_back(std::make_unique<listener>(
        net_.io(), address, as,
        listener_handlers{
            .accepted = [this, as, limits](byte_stream stream) { dialled_in(std::move(stream), as, limits); }},
        listener_options{.accepts = role::node, .dead_after = limits.dead_after}));
    where = listeners_.back()->address();
  });
  return where;
}

/// A node that was here before takes its old place, in runs under way too; one that is still here has another's name.
void node_directory::dialled_in(byte_stream stream, const std::optional<credentials>& as,
                                const session_limits& limits)
{
  const auto& name = stream.peer().name;
  for (const auto& link : links_) {
    if (link->dials_in() && link->address() == name && !link->connected()) return link->adopt(std::move(stream));
  }
  // Who dialled in once and is gone is forgotten, or such nodes would pile up.
  std::erase_if(links_, [](const auto& link) { return link->dials_in() && !link->connected() && !link->used(); });
  node_link_options options;
  options.address = name;
  options.credentials = as;
  options.limits = limits;
  options.dials_in = true;
  auto& link = add_link(std::move(options), nullptr);
  for (auto* user : users_) user->node_added(link);
  link.adopt(std::move(stream));
}

node_id node_directory::add(node_link_options options)
{
  struct {
    std::mutex mutex;
    std::condition_variable told;
    bool known = false;
  } first;
  node_id id;
  auto tell = std::make_shared<std::function<void()>>([&first] {
    const std::scoped_lock lock{first.mutex};
    first.known = true;
    first.told.notify_all();
  });
  net_.run([&] {
    auto& link = add_link(std::move(options), [tell] {
      if (*tell) std::exchange(*tell, nullptr)();
    });
    id = link.id();
    try {
      link.connect();
      for (auto* user : users_) user->node_added(*links_.back());
    } catch (...) {  // the address, or no credentials for it
      links_.pop_back();
      throw;
    }
  });
  std::unique_lock lock{first.mutex};
  first.told.wait(lock, [&] { return first.known; });
  return id;
}

void node_directory::await_devices(seconds most)
{
  bool worker = false;
  bool accepts = false;
  net_.run([&] {
    worker = std::any_of(links_.begin(), links_.end(), [](const auto& link) { return link->is_worker(); });
    accepts = !listeners_.empty();
  });
  if (!worker && !accepts) return;
  auto patience_s = accepts ? caller_patience_s : worker_patience_s;
  if (most.count > 0) patience_s = std::min(patience_s, most.count);
  if (accepts && devices().empty()) {
    log_line(log_level::warning, "there is no device yet; a node may connect within " +
                                     std::to_string(static_cast<int>(patience_s)) + " s");
  }
  std::unique_lock lock{mutex_};
  changed_.wait_for(lock, std::chrono::duration<double>{patience_s}, [&] { return !devices_.empty(); });
}

std::vector<device_info> node_directory::devices() const
{
  const std::scoped_lock lock{mutex_};
  return devices_;
}

std::string node_directory::trouble() const
{
  const std::scoped_lock lock{mutex_};
  return trouble_;
}

void node_directory::note_devices()
{
  std::vector<device_info> all;
  std::string trouble;
  std::size_t missing = 0;
  for (const auto& link : links_) {
    if (!link->ready() || link->draining()) {
      if (++missing == 1) trouble = link->ready() ? link->name() + " drains" : link->trouble().detail;
      continue;
    }
    for (auto info : link->devices()) {
      info.node = link->id();
      if (!link->is_worker()) info.name = link->name() + "/" + info.name;
      info.speed = 0;
      all.push_back(std::move(info));
    }
  }
  if (missing > 1) trouble += "; and " + std::to_string(missing - 1) + " more";
  const std::scoped_lock lock{mutex_};
  devices_ = std::move(all);
  trouble_ = std::move(trouble);
  changed_.notify_all();
}

}  // namespace fastgpu::inline v0::detail
