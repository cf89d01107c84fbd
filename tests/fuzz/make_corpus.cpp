#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "execute/checkpoint_format.hpp"
#include "execute/memory_checkpoint.hpp"
#include "net/dispatch.hpp"
#include "net/random_message.hpp"
#include "support/raw_peer.hpp"
#include "support/session_pair.hpp"

/// @file
/// Writes the first corpus: conversations as real sessions have them, in the forms that the targets read.
///
///     fastgpu_make_corpus tests/fuzz/corpus

namespace {

namespace net = fastgpu::detail;
using bytes = std::vector<std::byte>;

void append(bytes& to, const bytes& what) { to.insert(to.end(), what.begin(), what.end()); }
void append(bytes& to, std::initializer_list<int> what)
{
  for (const auto one : what) to.push_back(static_cast<std::byte>(one));
}

class corpus {
 public:
  explicit corpus(std::filesystem::path root) : root_{std::move(root)} {}

  void add(const std::string& target, const std::string& name, const bytes& what) const
  {
    std::filesystem::create_directories(root_ / target);
    std::ofstream file{root_ / target / name, std::ios::binary};
    file.write(reinterpret_cast<const char*>(what.data()), static_cast<std::streamsize>(what.size()));
  }

 private:
  std::filesystem::path root_;
};

/// A step of target `session`: a frame with that type and body.
bytes step_of(int type, const bytes& body)
{
  bytes step;
  append(step, {type + 6, static_cast<int>(body.size() & 255), static_cast<int>(body.size() >> 8)});
  append(step, body);
  return step;
}
bytes announced(const net::message& what, std::uint8_t payload_bytes)
{
  bytes body(8);
  body[0] = std::byte{payload_bytes};
  append(body, net::encode(what));
  return step_of(static_cast<int>(128 + what.index()), body);
}

void write_sessions(const corpus& to)
{
  support::random_message messages{11};
  for (const auto& line : net::dispatch_table) {  // one for each message, twice, at an end that takes it
    bytes input;
    append(input, {line.from == net::side::node ? 3 : 1});
    for (int i = 0; i < 2; ++i) {
      const auto body = net::encode(messages.of(line.type));
      if (body.size() < 4096) append(input, step_of(static_cast<int>(16 + line.type), body));
    }
    append(input, {0, 1, 8});
    to.add("session", std::string{line.name}, input);
  }
  bytes payloads;
  append(payloads, {1});
  append(payloads, announced(net::job_data_piece{}, 6));
  append(payloads, step_of(static_cast<int>(net::frame_type::heartbeat), {}));
  for (int i = 0; i < 2; ++i) append(payloads, step_of(static_cast<int>(net::frame_type::piece), bytes(3)));
  append(payloads, announced(net::job_data_piece{}, 0));
  append(payloads, step_of(static_cast<int>(net::frame_type::goodbye), {}));
  to.add("session", "payloads", payloads);

  bytes busy;
  append(busy, {2, 2, 201, 2, 202, 0, 2, 204, 1, 16, 0, 1, 40, 1, 40, 3, 2, 70, 71, 4});
  to.add("session", "speaks_and_waits", busy);
}

/// In the form of target `checkpoint`: whether its CRCs are to be put right, the shape, and a file.
void write_checkpoints(const corpus& to)
{
  net::checkpoint_identity who;
  who.library = "1.2.3";
  who.build = "a compiler";
  bytes file = net::encode_header(who);
  const auto header = net::read_header(support::memory_checkpoint{file});
  const auto begin = file.size();
  std::uint32_t at = 0;
  for (const int size : {0, 5, 40}) {
    net::interval_set fold_set{fastgpu::interval{at, at + 8}};
    fold_set.insert(fastgpu::interval{at + 12, at + 16});
    at += 16;
    const bytes payload(static_cast<std::size_t>(size), std::byte{7});
    const auto frame = net::frame_record(header, fold_set, payload);
    append(file, frame.before);
    append(file, payload);
    append(file, frame.after);
  }
  for (const int mended : {0, 1}) {
    bytes input;
    append(input, {mended, 2, 80, 0});
    append(input, file);
    to.add("checkpoint", mended != 0 ? "mended" : "as_it_is", input);
  }
  bytes empty;
  append(empty, {0, 2, 80, 0});
  append(empty, bytes{file.begin(), file.begin() + static_cast<std::ptrdiff_t>(begin)});
  to.add("checkpoint", "no_records", empty);
}

/// What each end says in a conversation of real sessions.
struct conversation {
  bytes of_client;
  bytes of_server;
};
conversation real_conversation()
{
  support::session_pair pair;
  conversation said;
  pair.start();
  const auto carry = [&] {
    while (!pair.client.stream.empty() || !pair.server.stream.empty()) {
      const auto there = std::exchange(pair.client.stream, {});
      append(said.of_client, there);
      pair.client.talk.written(there.size());
      pair.server.talk.received(there);
      const auto back = std::exchange(pair.server.stream, {});
      append(said.of_server, back);
      pair.server.talk.written(back.size());
      pair.client.talk.received(back);
    }
  };
  carry();
  pair.client.talk.send(net::grant_ranges{1, false, 1, {{0, 10}}});
  pair.server.talk.send(net::job_progress{1, 10, 5, 5});
  pair.client.talk.send(net::job_data_piece{1, 0, {0, 0, 0}, {5, 1, 1}}, support::payload_of(40));
  carry();
  pair.client.talk.close();
  carry();
  return said;
}

void write_streams(const corpus& to)
{
  const auto said = real_conversation();
  const auto with = [](int first, const bytes& stream) {
    bytes input;
    append(input, {first});
    append(input, stream);
    return input;
  };
  to.add("frame_decoder", "client", with(63, said.of_client));
  to.add("frame_decoder", "server_byte_by_byte", with(0, said.of_server));
  // The peer of a fuzzed session says other things of itself than these two.
  support::raw_peer client, node, server;
  to.add("handshake", "client", with(1 | 2 << 2, client.hello({"peer", "0.1.0", "build", false, net::role::submit})));
  to.add("handshake", "node", with(1 | 1 << 2, node.hello({"peer", "0.1.0", "build", false, net::role::node})));
  to.add("handshake", "server",
         with(0 | 1 << 2 | 64, server.welcome({"peer", "0.1.0", "build", true, net::role::none})));
  to.add("handshake", "mismatch", with(1 | 2 << 2, said.of_client));
  bytes refusal;
  net::encoder{}.append(net::refusal{fastgpu::errc::refused, "no"}, refusal);
  to.add("handshake", "refusal", with(1 << 2, support::raw_peer{}.frame(net::frame_type::refused, refusal)));
}

}  // namespace

int main(int argc, char** argv)
{
  if (argc != 2) {
    std::fputs("usage: fastgpu_make_corpus FOLDER\n", stderr);
    return 2;
  }
  const corpus to{argv[1]};
  write_sessions(to);
  write_streams(to);
  write_checkpoints(to);
  return 0;
}
