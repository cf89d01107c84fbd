#include <fastgpu/cluster/worker.hpp>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>

#include <sys/prctl.h>
#include <unistd.h>

#include "cluster/cluster_core.hpp"
#include "cluster/device_list.hpp"
#include "node/node_session.hpp"
#include "node/worker_process.hpp"

namespace fastgpu::inline v0 {
namespace detail {
namespace {

constexpr std::chrono::milliseconds save_every{500};

in_flight_board* the_board = nullptr;

/// The one session of a worker, with its parent.
class worker final : public coordinator_session_owner {
 public:
  worker(const worker_options& options, int socket)
      : core_{new cluster_core{make_devices(options.devices, options.gpu),
                               {.devices = options.devices,
                                .labels = options.labels,
                                .gpu = options.gpu,
                                .history = options.history}}},
        contents_{options.content_bytes_max},
        serves_{core_, contents_, {.data_bytes_max = options.job_bytes_max}, options.name, worker_limits()},
        has_history_{!options.history.empty()}
  {
    net_.run([&] {
      const auto all = role::submit | role::observe | role::operate;
      session_ = std::make_unique<node_session>(net_, adopt_socket(net_.io(), socket, {"parent", all}), serves_, *this);
    });
  }
  ~worker()
  {
    net_.run([this] { session_.reset(); });
  }

  void run()
  {
    std::unique_lock lock{mutex_};
    const auto over = [&] { return over_; };
    while (has_history_ && !told_.wait_for(lock, save_every, over)) {
      lock.unlock();
      core_->save_history();  // its parent may kill it at any moment
      lock.lock();
    }
    told_.wait(lock, over);
  }

  void ended(coordinator_session&, const failure&) override
  {
    session_.reset();
    const std::scoped_lock lock{mutex_};
    over_ = true;
    told_.notify_all();
  }
  void drain_all() override { session_->drain(); }

 private:
  network net_;
  ref<cluster_core> core_;
  content_cache contents_;
  node_devices serves_;
  std::unique_ptr<node_session> session_;  // the network's
  std::mutex mutex_;
  std::condition_variable told_;  // with mutex_
  bool over_ = false;             // guarded by mutex_
  bool has_history_;
};

}  // namespace

in_flight_board* board_of_this_worker() noexcept { return the_board; }

}  // namespace detail

std::optional<int> run_as_worker(int argc, char** argv)
{
  const auto command = detail::parse_worker_command(argc, argv);
  if (!command) return std::nullopt;
  // Not a moment longer than the parent, which may have died before this line.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != command->parent) return 1;
  try {
    detail::in_flight_board mine{detail::worker_board};
    detail::the_board = &mine;
    {
      detail::worker w{command->options, detail::worker_socket};
      w.run();
    }
    detail::the_board = nullptr;
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "fastgpu worker: %s\n", e.what());
    return 1;
  }
}

}  // namespace fastgpu::inline v0
