#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "net/authority.hpp"
#include "net/connect.hpp"
#include "net/listener.hpp"
#include "net/stream.hpp"
#include "support/folder.hpp"

/// @file
/// Both ends of real streams, run by the test's own thread.

namespace support {

using namespace std::chrono_literals;
namespace net = fastgpu::detail;

/// A CA with a node `gpu7`, a second one `gpu8`, a client `me` and an operator `boss`.
class test_cluster {
 public:
  test_cluster()
  {
    net::create_credentials(folder_.path("c"), {.nodes = {"gpu7", "gpu8"}, .clients = {"me"}, .operators = {"boss"}});
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path("c/" + name); }
  [[nodiscard]] fastgpu::credentials of(const std::string& name) const { return fastgpu::credentials::load(path(name)); }

 private:
  folder folder_;
};

/// Made once for all tests of a process.
inline const test_cluster& shared_cluster()
{
  static const test_cluster instance;
  return instance;
}

inline std::vector<std::byte> bytes_of(std::string_view text)
{
  const auto raw = std::as_bytes(std::span{text});
  return {raw.begin(), raw.end()};
}

/// A stream with what became of it.
struct held_stream {
  explicit held_stream(net::byte_stream made) : stream{std::move(made)}
  {
    stream.start({.bytes =
                      [this](std::span<const std::byte> some) {
                        if (on_bytes) return on_bytes(some);
                        received.append(reinterpret_cast<const char*>(some.data()), some.size());
                      },
                  .written = [this](std::size_t some) { written += some; },
                  .ended = [this](const fastgpu::failure& why) { ended = why; }});
  }
  held_stream(const held_stream&) = delete;
  held_stream& operator=(const held_stream&) = delete;

  net::byte_stream stream;
  std::function<void(std::span<const std::byte>)> on_bytes;
  std::string received;
  std::size_t written = 0;
  std::optional<fastgpu::failure> ended;
};

struct io_world {
  boost::asio::io_context io;

  /// Runs until `done()`, and says whether that was within `limit`.
  template <class Done>
  bool run_until(const Done& done, std::chrono::milliseconds limit = 10s)
  {
    const auto give_up = std::chrono::steady_clock::now() + limit;
    io.restart();
    while (!done()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      io.run_one_for(10ms);
      io.restart();
    }
    return true;
  }
  void run_for(std::chrono::milliseconds time)
  {
    io.restart();
    io.run_for(time);
  }
};

/// A listener that keeps what it is given.
struct held_listener {
  explicit held_listener(io_world& world, const std::string& where, std::optional<fastgpu::credentials> self,
                         net::listener_options options = {}, bool welcome = true)
      : listener{world.io, where, std::move(self),
                 {.accepted =
                      [this, welcome](net::byte_stream made) {
                        streams.push_back(std::make_unique<held_stream>(std::move(made)));
                        if (welcome) streams.back()->stream.authenticated();
                      },
                  .refused = [this](const std::string& line) { refusals.push_back(line); }},
                 options}
  {
  }
  std::vector<std::unique_ptr<held_stream>> streams;
  std::vector<std::string> refusals;
  net::listener listener;
};

/// What a connection comes to.
struct held_attempt {
  held_attempt(io_world& world, const std::string& where, std::optional<fastgpu::credentials> self,
               net::connect_options options = {})
      : attempt{net::connect(
            world.io, where, std::move(self),
            [this](fastgpu::result<net::byte_stream> made) {
              done = true;
              if (made) {
                held = std::make_unique<held_stream>(std::move(made).value());
              } else {
                failed = made.error();
              }
            },
            options)}
  {
  }
  held_attempt(const held_attempt&) = delete;
  held_attempt& operator=(const held_attempt&) = delete;

  bool done = false;
  std::unique_ptr<held_stream> held;
  fastgpu::failure failed;
  net::connection_attempt attempt;
};

}  // namespace support
