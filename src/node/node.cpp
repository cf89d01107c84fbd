#include <fastgpu/cluster/node.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include <unistd.h>

#include <gsl/assert>

#include <fastgpu/observe/log.hpp>

#include "cluster/cluster_core.hpp"
#include "cluster/device_list.hpp"
#include "net/connect.hpp"
#include "net/credentials.hpp"
#include "net/listener.hpp"
#include "net/network.hpp"
#include "node/content_cache.hpp"
#include "node/node_session.hpp"
#include "node/relay_session.hpp"

namespace fastgpu::inline v0 {
namespace {

constexpr double served_well_s = 10;  // a session that lasted so long was no failure: the next may come at once

std::string name_of_this_machine()
{
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "node";
}

detail::worker_options worker_of(const node_options& options, const std::string& name)
{
  auto worker = detail::worker_of(options.devices, options.worker_program, options.devices.devices, name);
  worker.content_bytes_max = options.content_bytes_max;
  worker.job_bytes_max = options.job_bytes_max;
  return worker;
}

}  // namespace

class node::impl final : public detail::coordinator_session_owner {
 public:
  explicit impl(const node_options& options)
      : name_{options.as ? options.as->name() : !options.name.empty() ? options.name : name_of_this_machine()},
        core_{new detail::cluster_core{detail::make_devices(options.devices.devices, options.devices.gpu),
                                       options.devices}},
        contents_{options.content_bytes_max},
        serves_{core_, contents_, {.data_bytes_max = options.job_bytes_max}, name_,
                detail::limits_for(options.coordinator_dead_after)},
        isolated_{options.isolate == isolation::process},
        worker_{isolated_ ? worker_of(options, name_) : detail::worker_options{}},
        devices_{core_->describe()},
        as_{options.as},
        connect_{options.connect}
  {
    if (options.listen.empty() && options.connect.empty()) {
      throw error{errc::invalid_argument, "node: it needs an address to listen at, or one to connect to"};
    }
    if (as_ && !has(as_->data()->self().roles, detail::role::node)) {
      throw error{errc::credentials_error,
                  "credentials: '" + as_->name() + "' is no node's name: coordinators would refuse it"};
    }
    if (core_->devices().empty()) throw error{errc::no_usable_device, "node: it has no device to offer"};
    try {
      net_.run([&] { begin(options.listen); });
    } catch (...) {
      leave();
      throw;
    }
  }

  ~impl() { leave(); }

  [[nodiscard]] const std::string& address() const noexcept { return address_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  void drain() noexcept
  {
    try {
      net_.post([this] { drain_all(); });
    } catch (const std::bad_alloc&) {
      detail::log_line(log_level::error, "node: no memory to drain");
    }
  }

  void run()
  {
    std::unique_lock lock{mutex_};
    done_.wait(lock, [&] { return drained_; });
  }

  // coordinator_session_owner
  void drain_all() override
  {
    if (std::exchange(draining_, true)) return;
    detail::log_line(log_level::info, "node " + name_ + " drains");
    listener_.reset();
    stop_dialling();
    for (const auto& s : sessions_) s->drain();
    check_drained();
  }

  void ended(detail::coordinator_session& which, const failure& why) override
  {
    if (why.code) detail::log_line(log_level::info, "coordinator " + which.peer() + ": " + why.detail);
    std::erase_if(sessions_, [&](const auto& s) { return s.get() == &which; });
    if (&which == dialled_) {
      if (net_.now().count - dialled_at_.count > served_well_s) failures_ = 0;
      dial_later();
    }
    check_drained();
  }

 private:
  void begin(const std::string& listen)
  {
    if (!connect_.empty()) dial();
    if (listen.empty()) return;
    listener_ = std::make_unique<detail::listener>(
        net_.io(), listen, as_,
        detail::listener_handlers{
            .accepted = [this](detail::byte_stream stream) { accept(std::move(stream), detail::met::listening); }},
        detail::listener_options{.dead_after = serves_.session.dead_after});
    address_ = listener_->address();
  }

  void accept(detail::byte_stream stream, detail::met how)
  {
    if (isolated_) {
      sessions_.push_back(std::make_unique<detail::relay_session>(net_, std::move(stream), worker_, devices_,
                                                                   *this, how, serves_.session));
    } else {
      sessions_.push_back(std::make_unique<detail::node_session>(net_, std::move(stream), serves_, *this, how));
    }
    if (how == detail::met::dialling) {
      dialled_ = sessions_.back().get();
      dialled_at_ = net_.now();
    }
    if (draining_) sessions_.back()->drain();
  }

  /// Connects to the coordinator. @throws error  for the address, or without credentials for it
  void dial()
  {
    attempt_ = detail::connect(
        net_.io(), connect_, as_,
        [this](result<detail::byte_stream> stream) {
          if (!stream.has_value()) {
            if (failures_ == 0) detail::log_line(log_level::warning, "coordinator " + stream.error().detail + "; it is tried again");
            return dial_later();
          }
          accept(std::move(stream).value(), detail::met::dialling);
        },
        {.expects = detail::role::submit, .dead_after = serves_.session.dead_after});
  }

  void dial_later()
  {
    dialled_ = nullptr;
    if (draining_ || leaving_) return;
    again_.set(seconds{net_.now().count + detail::reconnect_delay(++failures_, net_.random()).count});
  }

  void stop_dialling()
  {
    attempt_ = {};
    again_.set(std::nullopt);
  }

  void check_drained()
  {
    if (!draining_ || !sessions_.empty()) return;
    const std::scoped_lock lock{mutex_};
    drained_ = true;
    done_.notify_all();
  }

  void leave() noexcept
  {
    net_.run([this] {
      leaving_ = true;
      listener_.reset();
      stop_dialling();
      sessions_.clear();
    });
  }

  std::string name_;
  detail::network net_;
  detail::ref<detail::cluster_core> core_;
  detail::content_cache contents_;
  detail::node_devices serves_;
  bool isolated_;
  detail::worker_options worker_;
  std::vector<device_info> devices_;
  std::optional<credentials> as_;
  std::string connect_;
  std::string address_;
  std::unique_ptr<detail::listener> listener_;                     // the network's
  std::vector<std::unique_ptr<detail::coordinator_session>> sessions_;  // the network's
  detail::connection_attempt attempt_;                             // the network's
  detail::alarm again_{net_, [this] { dial(); }};                  // the network's
  detail::coordinator_session* dialled_ = nullptr;                 // the network's; the one that was dialled
  seconds dialled_at_{};                                           // the network's
  std::uint32_t failures_ = 0;                                     // the network's; in a row
  bool leaving_ = false;                                           // the network's
  bool draining_ = false;                                          // the network's

  std::mutex mutex_;
  std::condition_variable done_;  // with mutex_
  bool drained_ = false;          // guarded by mutex_
};

node::node(const node_options& options) : impl_{std::make_unique<impl>(options)} {}
node::~node() = default;

const std::string& node::address() const noexcept { return impl_->address(); }
const std::string& node::name() const noexcept { return impl_->name(); }
void node::drain() noexcept { impl_->drain(); }
void node::run() { impl_->run(); }

}  // namespace fastgpu::inline v0
