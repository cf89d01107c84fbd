#include "cluster/node_directory.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <thread>
#include <utility>

namespace fastgpu::inline v0::detail {
namespace {

constexpr int patience_ms = 300;

}  // namespace

node_directory::~node_directory()
{
  net_.run([this] {
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

node_id node_directory::add(node_link_options options)
{
  struct {
    std::mutex mutex;
    std::condition_variable told;
    bool known = false;
  } first;
  node_id id;
  std::exception_ptr why;
  auto tell = std::make_shared<std::function<void()>>([&first] {
    const std::scoped_lock lock{first.mutex};
    first.known = true;
    first.told.notify_all();
  });
  net_.run([&] {
    id = node_id{static_cast<std::uint32_t>(links_.size() + 1)};
    links_.push_back(std::make_unique<node_link>(net_, id, std::move(options), [this, tell] {
      note_devices();
      if (*tell) std::exchange(*tell, nullptr)();
    }));
    try {
      links_.back()->connect();
      for (auto* user : users_) user->node_added(*links_.back());
    } catch (...) {  // the address, or no credentials for it
      why = std::current_exception();
      links_.pop_back();
    }
  });
  if (why) std::rethrow_exception(why);
  std::unique_lock lock{first.mutex};
  first.told.wait(lock, [&] { return first.known; });
  return id;
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
      info.name = link->name() + "/" + info.name;
      info.speed = 0;
      all.push_back(std::move(info));
    }
  }
  if (missing > 1) trouble += "; and " + std::to_string(missing - 1) + " more";
  const std::scoped_lock lock{mutex_};
  devices_ = std::move(all);
  trouble_ = std::move(trouble);
}

}  // namespace fastgpu::inline v0::detail
