#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>

#include "net/address.hpp"
#include "net/socket.hpp"
#include "support/io_world.hpp"
#include "support/raw_tls.hpp"

namespace {

using namespace support;
using clock_type = std::chrono::steady_clock;
using fastgpu::detail::parse_address;

/// The first flight of a client, as bytes.
std::string client_hello()
{
  const auto context = raw_context(false, {}, {});
  const tls_ptr tls{SSL_new(context.get())};
  auto* to = BIO_new(BIO_s_mem());
  SSL_set_bio(tls.get(), BIO_new(BIO_s_mem()), to);
  SSL_connect(tls.get());
  ERR_clear_error();
  char* data = nullptr;
  const auto size = BIO_get_mem_data(to, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::size_t resident_bytes()
{
  std::size_t all = 0, resident = 0;
  std::ifstream{"/proc/self/statm"} >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

bool ended(int socket)
{
  char some[4096];
  for (;;) {
    const auto count = ::recv(socket, some, sizeof some, MSG_DONTWAIT);
    if (count > 0) continue;
    return count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }
}

/// A server that welcomes who says "hello", and clients that do.
class SlowSockets : public testing::Test {
 protected:
  struct welcomed_stream {
    explicit welcomed_stream(net::byte_stream made) : stream{std::move(made)}
    {
      stream.start({.bytes =
                        [this](std::span<const std::byte>) {
                          stream.authenticated();
                          stream.write(bytes_of("welcome"));
                        },
                    .written = {},
                    .ended = {}});
    }
    net::byte_stream stream;
  };
  struct honest_client {
    honest_client(io_world& world, const std::string& where, const fastgpu::credentials& self)
        : begun{clock_type::now()}, attempt{net::connect(world.io, where, self, [this](auto made) {
            if (!made) {
              failed = made.error().detail;
              return;
            }
            stream.emplace(std::move(made).value());
            stream->start({.bytes = [this](auto) { took = clock_type::now() - begun; },
                           .written = {},
                           .ended =
                               [this](const fastgpu::failure& why) {
                                 if (!took) failed = why.detail;
                               }});
            stream->write(bytes_of("hello"));
          })}
    {
    }
    honest_client(const honest_client&) = delete;
    honest_client& operator=(const honest_client&) = delete;

    clock_type::time_point begun;
    std::optional<clock_type::duration> took;
    std::string failed;
    std::optional<net::byte_stream> stream;
    net::connection_attempt attempt;
  };

  io_world world;
};

TEST_F(SlowSockets, DoNotKeepHonestClientsOut)
{
  constexpr std::size_t stuck_count = 1000;
  constexpr auto deadline = 3s;
  ::rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const auto before = files;
  files.rlim_cur = std::min<::rlim_t>(files.rlim_max, 4096);
  ::setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur < 2 * stuck_count + 200) GTEST_SKIP() << "too few descriptors are allowed";

  std::vector<std::unique_ptr<welcomed_stream>> served;
  std::string last_refusal;
  net::listener_options options;
  options.strangers.deadline = deadline;
  net::listener server{world.io, "127.0.0.1:0", shared_cluster().of("gpu7"),
                       {.accepted = [&](net::byte_stream made) {
                          served.push_back(std::make_unique<welcomed_stream>(std::move(made)));
                        },
                        .refused = [&](const std::string& line) { last_refusal = line; }},
                       options};
  const auto port = parse_address(server.address()).port;
  const auto hello = client_hello();
  const auto resident_before = resident_bytes();

  // Stuck before, within and after the first flight, and after the whole handshake.
  const auto begin = clock_type::now();
  std::vector<owned_descriptor> stuck;
  for (std::size_t i = 0; i < stuck_count; ++i) {
    stuck.push_back(raw_connect(port));
    ASSERT_TRUE(stuck.back());
    if (i % 4 == 1) ::send(stuck.back().get(), hello.data(), 5, MSG_NOSIGNAL);
    if (i % 4 == 2) ::send(stuck.back().get(), hello.data(), hello.size() / 2, MSG_NOSIGNAL);
    if (i % 4 == 3) ::send(stuck.back().get(), hello.data(), hello.size(), MSG_NOSIGNAL);
    if (i % 8 == 0) world.io.poll();
    world.io.restart();
  }
  std::vector<std::unique_ptr<held_attempt>> silent;  // they never say hello
  for (int i = 0; i < 20; ++i) silent.push_back(std::make_unique<held_attempt>(world, server.address(), shared_cluster().of("boss")));
  const auto all_there = clock_type::now();

  std::vector<std::unique_ptr<honest_client>> honest;
  std::size_t resident_most = 0;
  const auto me = shared_cluster().of("me");
  while (clock_type::now() < all_there + deadline) {
    honest.push_back(std::make_unique<honest_client>(world, server.address(), me));
    world.run_for(40ms);
    if (honest.size() > 24) honest[honest.size() - 25]->stream.reset();  // below the bound for one principal
    resident_most = std::max(resident_most, resident_bytes());
  }
  EXPECT_TRUE(world.run_until([&] {
    return std::all_of(honest.begin(), honest.end(), [](const auto& one) { return one->took || !one->failed.empty(); });
  }));

  std::vector<double> times;
  for (const auto& one : honest) {
    EXPECT_TRUE(one->took) << one->failed;
    if (one->took) times.push_back(std::chrono::duration<double, std::milli>{*one->took}.count());
  }
  std::sort(times.begin(), times.end());
  ASSERT_GE(times.size(), 40u);
  const auto p99 = times[times.size() * 99 / 100];
  std::printf("%zu honest handshakes among %zu stuck sockets: median %.1f ms, p99 %.1f ms\n", times.size(), stuck.size(),
              times[times.size() / 2], p99);
  EXPECT_LE(p99, 500);

  EXPECT_TRUE(world.run_until(
      [&] {
        return std::all_of(stuck.begin(), stuck.end(), [](const auto& one) { return ended(one.get()); });
      },
      std::chrono::duration_cast<std::chrono::milliseconds>(all_there + deadline + 1s - clock_type::now())));
  EXPECT_TRUE(world.run_until([&] { return server.count().strangers == 0; }, 4s));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LE(resident_most - std::min(resident_most, resident_before), std::size_t{64} << 20);
#endif
  const auto count = server.count();
  std::printf("%zu made to go to make room, %zu for being late, in %.1f s; %.1f MiB more resident\n",
              static_cast<std::size_t>(count.crowded), static_cast<std::size_t>(count.late),
              std::chrono::duration<double>{clock_type::now() - begin}.count(),
              static_cast<double>(resident_most - std::min(resident_most, resident_before)) / (1 << 20));
  ::setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
