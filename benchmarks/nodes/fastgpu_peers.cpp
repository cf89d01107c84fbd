#include <algorithm>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fastgpu/cluster/node.hpp>

#include "net/codec.hpp"
#include "net/connect.hpp"
#include "net/connection.hpp"
#include "net/frame.hpp"
#include "net/listener.hpp"
#include "net/self.hpp"
#include "node/job_description.hpp"
#include "nodes/kernels.hpp"
#include "nodes/peer.hpp"

/// @file
/// fastgpu's sessions over TLS, with nothing behind them but an answer, and with a whole node.

namespace bench {
namespace {

using namespace fastgpu::detail;
using fastgpu::device_info;
using fastgpu::interval;

constexpr std::size_t value_bytes = 2 * sizeof(std::uint64_t);  // a partial of one value: its length, and itself

std::shared_ptr<const payload> a_value() { return std::make_shared<const payload>(value_bytes); }

job_sealed completion_of(interval range, std::uint64_t seal)
{
  job_sealed m;
  m.job = 1;
  m.seal = seal;
  m.counter = range.size();
  m.dry = true;
  m.fold_set = {range};
  return m;
}

device_info a_device()
{
  device_info d;
  d.name = "host:1";
  d.kind = "host";
  d.numeric_class = "none";
  return d;
}

// Servers ---------------------------------------------------------------------------------------------------------

/// Answers each grant by a sealed partial of one value, and a payload by a word.
class session_server final : public server, private connection_owner {
 public:
  explicit session_server(const std::string& folder) : self_{fastgpu::credentials::load(folder)}
  {
    net_.run([this] {
      listener_ = std::make_unique<listener>(
          net_.io(), "127.0.0.1:0", self_, listener_handlers{.accepted = [this](byte_stream stream) {
            connection_owner& me = *this;
            sessions_.push_back(std::make_unique<connection>(net_, std::move(stream), this_node(self_.name(), true), me));
          }},
          listener_options{.per_principal = 1024});
      address_ = listener_->address();
    });
  }
  ~session_server() override
  {
    net_.run([this] {
      listener_.reset();
      sessions_.clear();
    });
  }

  [[nodiscard]] std::string address() const override { return address_; }

 private:
  void opened(connection& from) override { from.send(describe_node{{a_device()}, false}); }
  void received(connection& from, message&& what, payload&& bytes) override
  {
    if (const auto* granted = std::get_if<grant_ranges>(&what)) {
      for (const auto& range : granted->ranges) from.send(completion_of(range, ++seals_), a_value());
    } else if (std::holds_alternative<job_data_piece>(what)) {
      from.send(job_progress{1, bytes.size(), bytes.size(), 0});
    }
  }
  void suspected(connection&, bool) override {}
  void closed(connection& which, const fastgpu::failure&) override
  {
    std::erase_if(sessions_, [&](const auto& s) { return s.get() == &which; });
  }

  fastgpu::credentials self_;
  network net_;
  std::unique_ptr<listener> listener_;                  // this and the next are the network's
  std::vector<std::unique_ptr<connection>> sessions_;
  std::uint64_t seals_ = 0;
  std::string address_;
};

class node_server final : public server {
 public:
  explicit node_server(const std::string& folder)
      : node_{fastgpu::node_options{.listen = "127.0.0.1:0",
                                    .as = fastgpu::credentials::load(folder),
                                    .devices = {.devices = "host:1"}}}
  {
  }
  [[nodiscard]] std::string address() const override { return node_.address(); }

 private:
  fastgpu::node node_;
};

// Clients ---------------------------------------------------------------------------------------------------------

/// A session of a coordinator's. What goes through it is the derived classes' business.
class session_client : public client, private connection_owner {
 public:
  session_client(const std::string& folder, const std::string& address) : self_{fastgpu::credentials::load(folder)}
  {
    std::promise<void> ready;
    ready_ = &ready;
    net_.run([&] {
      attempt_ = connect(net_.io(), address, self_, [this](fastgpu::result<byte_stream> stream) {
        if (!stream.has_value()) return fail(stream.error());
        auto self = this_process(self_.name());
        self.wanted = role::submit;
        connection_owner& me = *this;
        session_ = std::make_unique<connection>(net_, std::move(stream).value(), std::move(self), me);
      });
    });
    wait(ready);
  }
  ~session_client() override
  {
    net_.run([this] {
      attempt_ = {};
      session_.reset();
    });
  }

  void run(std::uint64_t count, std::uint32_t in_flight) final
  {
    std::promise<void> done;
    net_.run([&] {
      ready_ = &done;
      begin(count, in_flight);
    });
    wait(done);
  }

 protected:
  // On the network's thread.
  virtual void begin(std::uint64_t count, std::uint32_t in_flight) = 0;
  virtual void heard(const message& what) = 0;
  void send(const message& what, std::shared_ptr<const payload> bytes = nullptr)
  {
    session_->send(what, std::move(bytes));
  }
  void finished() { std::exchange(ready_, nullptr)->set_value(); }
  void fail(const fastgpu::failure& why)
  {
    if (ready_ == nullptr) return;
    std::exchange(ready_, nullptr)->set_exception(std::make_exception_ptr(fastgpu::error{why}));
  }

 private:
  static void wait(std::promise<void>& promise) { promise.get_future().get(); }

  void opened(connection&) override {}
  void received(connection&, message&& what, payload&&) override
  {
    if (std::holds_alternative<describe_node>(what)) return finished();
    heard(what);
  }
  void suspected(connection&, bool) override {}
  void closed(connection&, const fastgpu::failure& why) override { fail(why); }

  fastgpu::credentials self_;
  network net_;
  connection_attempt attempt_;             // this and the rest are the network's
  std::unique_ptr<connection> session_;
  std::promise<void>* ready_ = nullptr;
};

/// A grant a subtask, and a completion of each.
class granting_client final : public session_client {
 public:
  using session_client::session_client;

 private:
  void begin(std::uint64_t count, std::uint32_t in_flight) override
  {
    next_ = 0;
    count_ = static_cast<std::uint32_t>(count);
    left_ = count_;
    grant(in_flight);
  }
  void heard(const message& what) override
  {
    if (!std::holds_alternative<job_sealed>(what)) return;
    if (--left_ == 0) return finished();
    grant(1);
  }
  void grant(std::uint32_t subtasks)
  {
    for (; subtasks > 0 && next_ < count_; --subtasks, ++next_) send(grant_ranges{1, false, 0, {{next_, next_ + 1}}});
  }

  std::uint32_t next_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t left_ = 0;
};

/// A grant a subtask, to a node that runs them; it tells of as many as it has aggregated, and each partial is
/// acknowledged, as a coordinator does.
class node_client final : public session_client {
 public:
  using session_client::session_client;

 private:
  void begin(std::uint64_t count, std::uint32_t in_flight) override
  {
    next_ = 0;
    count_ = static_cast<std::uint32_t>(count);
    left_ = count_;
    in_flight_ = in_flight;
    const auto job = fastgpu::make_job(fastgpu::space{count, fastgpu::by_size{1}}, one{},
                                       fastgpu::reduced(fastgpu::sum<std::uint64_t>{}));
    open_job m;
    m.job = ++job_;
    m.what = describe_job(job.data(), fold_kind::single);
    m.seal_every_s = 0;  // when dry
    send(m);
  }
  void heard(const message& what) override
  {
    if (const auto* no = std::get_if<job_refused>(&what)) return fail(no->why);
    if (std::holds_alternative<job_opened>(what)) return grant(in_flight_);
    const auto* sealed = std::get_if<job_sealed>(&what);
    if (sealed == nullptr) return;
    send(acknowledge_seal{job_, sealed->seal});
    left_ -= static_cast<std::uint32_t>(sealed->counter);
    if (left_ > 0) return grant(static_cast<std::uint32_t>(sealed->counter));
    send(close_job{job_});
    finished();
  }
  void grant(std::uint32_t subtasks)
  {
    for (; subtasks > 0 && next_ < count_; --subtasks, ++next_) {
      send(grant_ranges{job_, false, 0, {{next_, next_ + 1}}});
    }
  }

  job_number job_ = 0;
  std::uint32_t next_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t left_ = 0;
  std::uint32_t in_flight_ = 0;
};

class payload_client final : public session_client {
 public:
  using session_client::session_client;

 private:
  void begin(std::uint64_t count, std::uint32_t in_flight) override
  {
    left_ = count;
    unsent_ = count;
    for (; in_flight > 0; --in_flight) send_next();
  }
  void heard(const message& what) override
  {
    if (!std::holds_alternative<job_progress>(what)) return;
    if (--left_ == 0) return finished();
    send_next();
  }
  void send_next()
  {
    if (unsent_ == 0) return;
    --unsent_;
    send(job_data_piece{1, 0}, bytes_);
  }

  std::shared_ptr<const payload> bytes_ = std::make_shared<const payload>(bulk_bytes, std::byte{0x5a});
  std::uint64_t left_ = 0;
  std::uint64_t unsent_ = 0;
};

template <class Made, class Base>
std::unique_ptr<Base> make(const std::string& folder)
{
  return std::make_unique<Made>(folder);
}
template <class Made>
std::unique_ptr<client> join(const std::string& folder, const std::string& address)
{
  return std::make_unique<Made>(folder, address);
}

}  // namespace

wire_bytes wire_bytes_of_a_subtask()
{
  const interval range{1000, 1001};
  return {.grant = frame_header_bytes + encode(grant_ranges{1, false, 0, {range}}).size(),
          .completion = frame_header_bytes + sizeof(std::uint64_t) + encode(completion_of(range, 1000)).size() +
                        frame_header_bytes + value_bytes};
}

void add_fastgpu_peers(std::vector<peer_kind>& to)
{
  to.push_back({"fastgpu", make<session_server, server>, join<granting_client>});
  to.push_back({"fastgpu_node", make<node_server, server>, join<node_client>});
  to.push_back({"fastgpu_bulk", make<session_server, server>, join<payload_client>});
}

}  // namespace bench
