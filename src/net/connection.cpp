#include "net/connection.hpp"

#include <algorithm>
#include <utility>

namespace fastgpu::inline v0::detail {
namespace {

constexpr double look_again_s = 1e-4;     // at a socket that payloads have not left: after so long,
constexpr double look_again_share = 0.125;  // and this part of how long it has taken

}  // namespace

connection::connection(network& on, byte_stream stream, session_self self, connection_owner& owner,
                       session_limits limits)
    : on_{on},
      owner_{owner},
      stream_{std::move(stream)},
      session_{on, *this, std::move(self), stream_.peer(), limits},
      tick_{on,
            [this] {
              enter([this] { session_.tick(); });
            }},
      look_{on, [this] { look_at_socket(); }},
      alive_{std::make_shared<connection*>(this)}
{
  stream_.start({[this](std::span<const std::byte> bytes) {
                   enter([&] { session_.received(bytes); });
                 },
                 [this](std::size_t bytes) {
                   enter([&] { session_.written(bytes); });
                   look_at_socket();
                 },
                 [this](const failure& why) {
                   if (closing_) return end_later({});
                   enter([&] { session_.ended(why); });
                 }});
  session_.start();
  rearm();
}

connection::~connection() { *alive_ = nullptr; }

/// Lets the session do something. The alarm is set once, behind it, however much is sent meanwhile.
template <class Step>
void connection::enter(const Step& step)
{
  inside_ = true;
  try {
    step();
  } catch (...) {  // no memory: the session goes on, and its times with it
    inside_ = false;
    rearm();
    throw;
  }
  inside_ = false;
  rearm();
}

void connection::send(const message& what, std::shared_ptr<const payload> bytes,
                      std::shared_ptr<transfer_meter> meter)
{
  if (over_ || closing_) return;
  session_.send(what, std::move(bytes), std::move(meter));
  if (!inside_) rearm();
}

void connection::close()
{
  if (over_ || closing_) return;
  if (stream_.over()) return end_later({});  // nobody is there for a goodbye, and nothing would end it
  closing_ = true;  // over when the goodbye is on its way: a process may end then
  session_.close();
  rearm();
}

void connection::cut(const failure& why)
{
  if (over_) return;
  stream_.abort();
  end_later(why);
}

void connection::write(std::vector<std::byte> bytes) { stream_.write(std::move(bytes)); }

void connection::opened()
{
  stream_.authenticated();
  owner_.opened(*this);
}

void connection::received(message&& what, payload&& bytes)
{
  if (!over_ && !closing_) owner_.received(*this, std::move(what), std::move(bytes));
}

void connection::suspected(bool now)
{
  if (!over_) owner_.suspected(*this, now);
}

void connection::closed(const failure& why)
{
  stream_.close();  // what the session said last is still written
  if (!closing_) end_later(why);
}

void connection::end_later(const failure& why)
{
  if (std::exchange(over_, true)) return;
  tick_.set(std::nullopt);
  look_.set(std::nullopt);
  on_.post([alive = alive_, why] {
    if (auto* self = *alive) self->owner_.closed(*self, why);
  });
}

void connection::look_at_socket()
{
  if (over_ || !session_.waits_for_socket()) return;
  session_.in_socket(stream_.in_socket());
  if (!session_.waits_for_socket()) {
    looks_since_.reset();
    return look_.set(std::nullopt);
  }
  const auto now = on_.now();
  if (!looks_since_) looks_since_ = now;
  look_.set(seconds{now.count + std::max(look_again_s, look_again_share * (now.count - looks_since_->count))});
}

void connection::rearm()
{
  if (!over_) tick_.set(session_.next_tick());
}

}  // namespace fastgpu::inline v0::detail
