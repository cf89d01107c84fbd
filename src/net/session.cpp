#include "net/session.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <utility>

#include <gsl/assert>

#include "net/codec.hpp"
#include "net/dispatch.hpp"
#include "net/failure_detector.hpp"
#include "net/frame.hpp"
#include "net/handshake.hpp"
#include "net/outbox.hpp"

namespace fastgpu::inline v0::detail {
namespace {

enum class state {
  wait_hello,    ///< A server, before the client's hello.
  wait_welcome,  ///< A client, before the server's answer.
  ready,
  closing,  ///< The last words are with write(); nothing that comes is looked at.
  closed,
};

/// More than a hello takes beside its strings.
constexpr std::size_t hello_overhead_bytes = 128;

/// "5.0 s".
std::string text_of(seconds span)
{
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", span.count);
  return text;
}

std::string text_of_bytes(std::uint64_t bytes) { return std::to_string(bytes) + " bytes"; }

}  // namespace

session_limits limits_for(seconds dead_after)
{
  if (!(dead_after.count >= 1 && dead_after.count <= 60)) {
    throw error{errc::invalid_argument,
                "a peer may be silent for 1 to 60 s before it is dead, not for " + text_of(dead_after)};
  }
  session_limits limits;
  limits.dead_after = dead_after;
  limits.suspect_after = seconds{0.4 * dead_after.count};
  limits.heartbeat_every = seconds{0.1 * dead_after.count};
  limits.budget = budget_of_this_process();
  return limits;
}

struct session::impl {
  environment& world;
  session_events& events;
  session_self self;
  peer_identity peer;
  session_limits limits;

  state now = state::closed;
  bool started = false;
  bool suspect = false;
  failure why;             // of closing
  hello theirs;
  session_self their_self;
  peer_part part;
  frame_decoder decoder;
  payload_inbox inbox;
  outbox out;
  failure_detector detector;
  session::counters counted;
  double deadline_s = 0;   // of the handshake, then of closing
  double sent_s = 0;       // when write() was called last
  double taken_s = 0;      // when the peer took something last, or was given the first of what it has not taken
  double progress_s = 0;   // when the bytes of a frame were counted last
  std::uint64_t progress_from = 0;  // bytes received then
  double announced_s = 0;  // when the payload that comes was announced
  double took_s = 0;       // and how long the last one took
  int depth = 0;           // calls into the session that have not returned

  impl(environment& w, session_events& e, session_self s, peer_identity p, session_limits l)
      : world{w},
        events{e},
        self{std::move(s)},
        peer{std::move(p)},
        limits{l},
        inbox{limits.budget},
        out{{limits.piece_bytes, limits.window_bytes}},
        detector{limits.suspect_after, limits.dead_after, seconds{0}}
  {
    Expects(limits.piece_bytes >= 1 && limits.piece_bytes <= limits.frame_bytes && limits.window_bytes >= 1);
    Expects(self.name.size() + self.library.size() + self.build.size() + hello_overhead_bytes <=
            limits.frame_bytes_before_welcome);
  }

  /// A call from outside. What it leaves to be sent goes when the outermost returns, in one write.
  class entry {
   public:
    explicit entry(impl& s) : s_{s} { ++s_.depth; }
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;
    ~entry() noexcept(false)
    {
      if (s_.depth == 1 && std::uncaught_exceptions() == exceptions_) s_.pump();
      --s_.depth;
    }

   private:
    impl& s_;
    int exceptions_ = std::uncaught_exceptions();
  };

  [[nodiscard]] bool listens() const noexcept
  {
    return now == state::wait_hello || now == state::wait_welcome || now == state::ready;
  }

  void pump()
  {
    while (now != state::closed) {
      const auto time = world.now();
      auto bytes = out.take(time);
      if (!bytes) break;
      sent_s = time.count;
      if (out.in_flight() == bytes->size()) taken_s = sent_s;
      counted.bytes_sent += bytes->size();
      events.write(*std::move(bytes));
    }
    if (now == state::closing && out.in_flight() == 0) end(why);
  }

  // Ends --------------------------------------------------------------------------------------------------------------

  /// At once: nobody would read last words.
  void end(failure reason)
  {
    if (now == state::closed) return;
    now = state::closed;
    inbox.clear();
    out.finish();
    events.closed(reason);
  }

  /// When the last words, in `out`, are written.
  void end_after_writing(failure reason)
  {
    now = state::closing;
    why = std::move(reason);
    deadline_s = world.now().count + limits.handshake.count;
    inbox.clear();
  }

  /// The peer broke the protocol or is not welcome. It is told `said`, we are told whom it was about.
  void refuse(const refusal& said)
  {
    out.finish();
    out.add(said);
    end_after_writing({make_error_code(said.code), peer.name + " was refused: " + said.sentence});
  }
  void refuse_breach(std::string sentence) { refuse({errc::protocol_error, std::move(sentence)}); }

  failure about_peer(errc code, const std::string& what) const
  {
    return {make_error_code(code), peer.name + ": " + what};
  }

  [[nodiscard]] failure does_not_read() const
  {
    return about_peer(errc::node_lost, "the peer does not read: " + text_of_bytes(out.held()) + " wait for it");
  }

  // What comes --------------------------------------------------------------------------------------------------------

  void take_bytes(std::span<const std::byte> bytes)
  {
    const auto frame_bytes = [this] {
      return now == state::ready ? limits.frame_bytes : limits.frame_bytes_before_welcome;
    };
    bool whole_frames = !decoder.partial();
    while (listens() && !bytes.empty()) {
      const auto next = decoder.next(bytes, frame_bytes());
      if (!next) return refuse_breach(next.error().detail);
      if (!next.value()) break;
      whole_frames = true;
      take_frame(*next.value());
    }
    if (whole_frames) count_progress();
  }

  void count_progress()
  {
    progress_s = world.now().count;
    progress_from = counted.bytes_received;
  }

  void take_frame(const frame& what)
  {
    if (now == state::wait_hello) {
      if (what.type == frame_type::hello) return take_hello(what.body);
    } else if (what.type == frame_type::refused) {
      return take_refusal(what.body);
    } else if (now == state::wait_welcome) {
      if (what.type == frame_type::welcome) return take_welcome(what.body);
    } else {
      switch (what.type) {
        case frame_type::heartbeat:
          if (what.body.empty()) return;
          break;
        case frame_type::goodbye:
          if (what.body.empty()) return end({});
          break;
        case frame_type::piece: return take_piece(what.body);
        default:
          if (what.type >= frame_type::first_message) return take_message(what);
      }
    }
    refuse_breach("a frame of type " + std::to_string(static_cast<int>(what.type)) + " came where it has no place");
  }

  void take_hello(std::span<const std::byte> body)
  {
    auto said = decode_hello(body);
    if (!said) return refuse_breach(said.error().detail);
    theirs = std::move(said).value();
    if (const auto no = refusal_of(self, peer, theirs)) return refuse(*no);
    out.add(frame_type::welcome, {self.name, self.library, self.build, role::none});
    open();
  }

  void take_welcome(std::span<const std::byte> body)
  {
    auto said = decode_hello(body);
    if (!said) return refuse_breach(said.error().detail);
    theirs = std::move(said).value();
    if (const auto no = refusal_of(self, peer, theirs)) return refuse(*no);
    open();
  }

  void open()
  {
    their_self = {theirs.name, theirs.library, theirs.build, !self.server, theirs.wanted};
    part = part_of(self, peer, theirs);
    now = state::ready;
    detector.heard(world.now());
    out.release_messages();
    events.opened();
  }

  void take_refusal(std::span<const std::byte> body)
  {
    const auto said = decode_refusal(body);
    if (!said) return refuse_breach(said.error().detail);
    end({make_error_code(said.value().code), peer.name + " refused: " + said.value().sentence});
  }

  void take_message(const frame& what)
  {
    const bool with_payload = what.type >= frame_type::first_with_payload;
    const auto first = with_payload ? frame_type::first_with_payload : frame_type::first_message;
    const auto type = static_cast<std::size_t>(what.type) - static_cast<std::size_t>(first);
    if (const auto no = refusal_of(part, type, with_payload)) return refuse(*no);
    if (with_payload) return take_announced(type, what.body);

    auto said = decode(type, what.body);
    if (!said) return refuse_breach(said.error().detail);
    ++counted.messages_received;
    events.received(std::move(said).value(), {});
  }

  /// A message whose payload follows: its length, 8 bytes, and its body.
  void take_announced(std::size_t type, std::span<const std::byte> body)
  {
    if (body.size() < sizeof(std::uint64_t)) return refuse_breach("a payload without a length");
    if (inbox.receiving()) return refuse_breach("a payload inside of another one");
    const auto bytes = load_little<std::uint64_t>(body.data());
    if (bytes > limits.payload_bytes) {
      return refuse_breach("a payload of " + text_of_bytes(bytes) + " where " + text_of_bytes(limits.payload_bytes) +
                           " are allowed");
    }
    auto said = decode(type, body.subspan(sizeof(std::uint64_t)));
    if (!said) return refuse_breach(said.error().detail);
    if (bytes > 0) {
      announced_s = world.now().count;
      return inbox.begin(std::move(said).value(), bytes);
    }
    took_s = 0;
    ++counted.messages_received;
    events.received(std::move(said).value(), {});
  }

  void take_piece(std::span<const std::byte> bytes)
  {
    if (!inbox.receiving() || bytes.empty()) return refuse_breach("a piece of no payload");
    if (const auto no = inbox.add(bytes)) {
      if (no->code == errc::protocol_error) return refuse_breach(no->detail);
      return refuse_for_memory(no->detail);
    }
    if (!inbox.complete()) return;
    auto whole = inbox.take();
    took_s = world.now().count - announced_s;
    ++counted.messages_received;
    events.received(std::move(whole.what), std::move(whole.bytes));
  }

  void refuse_for_memory(const std::string& detail)
  {
    refuse({errc::refused, detail});
    why.code = std::make_error_code(std::errc::not_enough_memory);
  }

  // Time --------------------------------------------------------------------------------------------------------------

  /// Only where nothing else is on its way, which would do as well.
  [[nodiscard]] std::optional<double> heartbeat_due() const
  {
    if (!out.idle()) return std::nullopt;
    return sent_s + limits.heartbeat_every.count;
  }
  [[nodiscard]] std::optional<double> progress_due() const
  {
    if (!decoder.partial()) return std::nullopt;
    return progress_s + limits.progress_within.count;
  }

  [[nodiscard]] std::optional<double> write_due() const
  {
    if (out.in_flight() == 0) return std::nullopt;
    return taken_s + limits.write_within.count;
  }

  void tick_ready(seconds time)
  {
    switch (detector.judge(time)) {
      case failure_detector::verdict::dead:
        return end(about_peer(errc::node_lost, "nothing heard for " + text_of(limits.dead_after)));
      case failure_detector::verdict::suspect:
        if (!suspect) {
          suspect = true;
          events.suspected(true);
          if (now != state::ready) return;
        }
        break;
      case failure_detector::verdict::alive: break;
    }
    if (const auto due = progress_due(); due && time.count >= *due) {
      const auto bytes = counted.bytes_received - progress_from;
      if (bytes < limits.progress_bytes) {
        return refuse_breach("a frame came too slowly: " + text_of_bytes(bytes) + " in " +
                             text_of(limits.progress_within));
      }
      count_progress();
    }
    if (const auto due = write_due(); due && time.count >= *due) return end(does_not_read());
    if (const auto due = heartbeat_due(); due && time.count >= *due) out.add(frame_type::heartbeat);
  }
};

session::session(environment& world, session_events& events, session_self self, peer_identity peer,
                 session_limits limits)
    : impl_{std::make_unique<impl>(world, events, std::move(self), std::move(peer), std::move(limits))}
{
}

session::~session() { Expects(impl_->depth == 0); }

void session::start()
{
  auto& s = *impl_;
  Expects(!s.started);
  const impl::entry entered{s};
  s.started = true;
  s.deadline_s = s.world.now().count + s.limits.handshake.count;
  s.count_progress();
  if (s.self.server) {
    s.now = state::wait_hello;
    return;
  }
  s.now = state::wait_welcome;
  s.out.add(frame_type::hello, {s.self.name, s.self.library, s.self.build, s.self.wanted});
}

void session::received(std::span<const std::byte> bytes)
{
  auto& s = *impl_;
  if (!s.listens() || bytes.empty()) return;
  const impl::entry entered{s};
  s.counted.bytes_received += bytes.size();
  if (s.now == state::ready) {
    s.detector.heard(s.world.now());
    if (s.suspect) {
      s.suspect = false;
      s.events.suspected(false);
    }
  }
  try {
    s.take_bytes(bytes);
  } catch (const std::bad_alloc&) {  // what the peer sends may be long, and must not take the process with it
    s.refuse_for_memory("there is no memory for what comes");
  }
}

void session::written(std::size_t bytes)
{
  auto& s = *impl_;
  if (s.now == state::closed) return;
  const impl::entry entered{s};
  s.out.written(bytes);
  if (bytes > 0) s.taken_s = s.world.now().count;
}

void session::ended(const failure& why)
{
  auto& s = *impl_;
  if (s.now == state::closed) return;
  const impl::entry entered{s};
  if (s.now == state::closing) return s.end(s.why);
  auto detail = why.detail;
  if (detail.empty()) detail = why.code ? why.code.message() : "the stream ended";
  s.end(s.about_peer(errc::node_lost, "connection lost: " + detail));
}

void session::send(const message& what, std::shared_ptr<const payload> bytes, std::shared_ptr<transfer_meter> meter)
{
  auto& s = *impl_;
  Expects(!bytes || dispatch_table[what.index()].may_carry_payload);
  if (s.started && !s.listens()) return;
  const impl::entry entered{s};
  std::size_t body_bytes = 0;
  try {
    body_bytes = bytes ? s.out.add(what, std::move(bytes), std::move(meter)) : s.out.add(what);
  } catch (const std::bad_alloc&) {  // half a frame may lie in the outbox: nothing can follow it
    return s.end({std::make_error_code(std::errc::not_enough_memory), "there is no memory for what is to be sent"});
  }
  ++s.counted.messages_sent;
  if (body_bytes > s.limits.frame_bytes) {
    s.end({make_error_code(errc::internal), std::string{dispatch_table[what.index()].name} + " of " +
                                                text_of_bytes(body_bytes) + " does not fit in a frame"});
  } else if (s.out.held() > s.limits.outbound_bytes) {
    s.end(s.does_not_read());
  }
}

void session::close()
{
  auto& s = *impl_;
  if (!s.started || !s.listens()) return;
  const impl::entry entered{s};
  s.out.finish();
  if (s.now != state::wait_hello) s.out.add(frame_type::goodbye);
  s.end_after_writing({});
}

std::optional<seconds> session::next_tick() const
{
  const auto& s = *impl_;
  if (!s.started || s.now == state::closed) return std::nullopt;
  if (s.now != state::ready) return seconds{s.deadline_s};
  auto next = (s.suspect ? s.detector.dead_at() : s.detector.suspect_at()).count;
  for (const auto due : {s.heartbeat_due(), s.progress_due(), s.write_due()}) {
    if (due) next = std::min(next, *due);
  }
  return seconds{next};
}

void session::tick()
{
  auto& s = *impl_;
  if (!s.started || s.now == state::closed) return;
  const impl::entry entered{s};
  const auto time = s.world.now();
  if (s.now == state::ready) return s.tick_ready(time);
  if (time.count < s.deadline_s) return;
  if (s.now == state::closing) return s.end(s.why);
  s.end(s.now == state::wait_hello
            ? s.about_peer(errc::protocol_error, "no hello within " + text_of(s.limits.handshake))
            : s.about_peer(errc::node_unreachable, "no welcome within " + text_of(s.limits.handshake)));
}

bool session::open() const noexcept { return impl_->now == state::ready; }
bool session::suspect() const noexcept { return impl_->suspect; }
const peer_identity& session::peer() const noexcept { return impl_->peer; }
const session_self& session::peer_self() const noexcept { return impl_->their_self; }
bool session::waits_for_socket() const noexcept { return impl_->out.waits_for_socket(); }
void session::in_socket(std::size_t bytes) { impl_->out.in_socket(bytes, impl_->world.now()); }
double session::payload_took_s() const noexcept { return impl_->took_s; }
std::uint64_t session::queued_payload_bytes() const noexcept { return impl_->out.waiting(); }

const session::counters& session::count() const noexcept { return impl_->counted; }

}  // namespace fastgpu::inline v0::detail
