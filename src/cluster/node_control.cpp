#include "cluster/node_control.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

#include "net/connect.hpp"
#include "net/connection.hpp"
#include "net/self.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr double answer_within_s = 5;

/// One question on a session of its own. Its members are the network's, but for the outcome.
class drain_request final : private connection_owner {
 public:
  drain_request(network& on, std::string address, const std::optional<credentials>& as)
      : on_{on}, address_{std::move(address)}, as_{as}
  {
    attempt_ = connect(on_.io(), address_, as_, [this](result<byte_stream> stream) {
      if (!stream.has_value()) return end(stream.error());
      auto self = this_process(as_ ? as_->name() : std::string{});
      self.wanted = role::operate;
      connection_owner& me = *this;
      session_ = std::make_unique<connection>(on_, std::move(stream).value(), std::move(self), me);
    });
  }

  failure wait()
  {
    std::unique_lock lock{mutex_};
    told_.wait(lock, [&] { return over_; });
    return why_;
  }

 private:
  void opened(connection& which) override
  {
    which.send(ask_to_drain{});
    late_.set(seconds{on_.now().count + answer_within_s});
  }
  void received(connection&, message&& what, payload&&) override
  {
    if (std::holds_alternative<node_drains>(what)) end({});
  }
  void suspected(connection&, bool) override {}
  void closed(connection&, const failure& why) override
  {
    session_.reset();
    end(why);
  }

  void end(failure why)
  {
    const std::scoped_lock lock{mutex_};
    if (std::exchange(over_, true)) return;
    why_ = std::move(why);
    told_.notify_all();
  }

  network& on_;
  std::string address_;
  std::optional<credentials> as_;
  connection_attempt attempt_;
  std::unique_ptr<connection> session_;
  alarm late_{on_, [this] {
                end({make_error_code(errc::node_lost), address_ + ": it does not answer"});
              }};
  std::mutex mutex_;
  std::condition_variable told_;  // with mutex_
  bool over_ = false;             // guarded by mutex_
  failure why_;                   // guarded by mutex_
};

}  // namespace

void drain_node(const std::string& address, const std::optional<credentials>& as)
{
  network net;
  std::unique_ptr<drain_request> request;
  net.run([&] { request = std::make_unique<drain_request>(net, address, as); });
  const auto why = request->wait();
  net.run([&] { request.reset(); });
  if (why.code) throw error{why};
}

}  // namespace fastgpu::inline v0::detail
