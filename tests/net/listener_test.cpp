#include "net/listener.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <fastgpu/observe/log.hpp>

#include "support/failure_of.hpp"
#include "support/io_world.hpp"

namespace {

using namespace support;
using fastgpu::errc;
using net::role;
using testing::HasSubstr;

/// Inodes of this process's listening sockets, by the kernel's tables.
std::set<std::string> listening_sockets()
{
  std::set<std::string> mine;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (target.starts_with("socket:[")) mine.insert(target.substr(8, target.size() - 9));
  }
  std::set<std::string> found;
  for (const auto* table : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
    std::ifstream lines{table};
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
      std::istringstream words{line};
      std::string word, state, inode;
      for (int i = 0; words >> word; ++i) {
        if (i == 3) state = word;
        if (i == 9) inode = word;
      }
      if (state == "0A" && mine.contains(inode)) found.insert(std::string{table + 15} + " " + inode);
    }
  }
  return found;
}

class Listener : public testing::Test {
 protected:
  fastgpu::failure refused(const std::string& where, std::optional<fastgpu::credentials> self = {})
  {
    auto why = failure_of([&] { held_listener{world, where, std::move(self)}; });
    EXPECT_EQ(why.detail.find('\n'), std::string::npos);
    return why;
  }
  folder files;
  io_world world;
};

TEST_F(Listener, DoesNotListenOnTcpWithoutCredentials)
{
  for (const auto* where : {"127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "localhost:0"}) {
    const auto why = refused(where);
    EXPECT_EQ(why.code, errc::credentials_error);
    EXPECT_THAT(why.detail, HasSubstr("TCP needs credentials"));
  }
  EXPECT_TRUE(listening_sockets().empty());
}

TEST_F(Listener, OpensOneSocketAndClosesIt)
{
  {
    const held_listener one{world, "127.0.0.1:0", shared_cluster().of("gpu7")};
    EXPECT_EQ(listening_sockets().size(), 1u);
  }
  world.run_for(1ms);
  EXPECT_TRUE(listening_sockets().empty());
  const held_listener local{world, "unix:" + files.path("s/node"), {}};
  EXPECT_TRUE(listening_sockets().empty());  // a Unix socket is none of TCP's
}

TEST_F(Listener, SaysThatAPortIsTaken)
{
  const held_listener one{world, "127.0.0.1:0", shared_cluster().of("gpu7")};
  const auto why = refused(one.listener.address(), shared_cluster().of("gpu7"));
  EXPECT_EQ(why.detail, "cannot listen on " + one.listener.address() + ": the port is taken");
}

TEST_F(Listener, WarnsWhereItListensOnAllInterfaces)
{
  const auto said = [&](const std::string& where) {
    std::string log;
    fastgpu::set_log(
        fastgpu::log_level::warning,
        [](void* to, fastgpu::log_level, std::string_view line) { static_cast<std::string*>(to)->append(line); }, &log);
    const held_listener one{world, where, shared_cluster().of("gpu7")};
    fastgpu::set_log(fastgpu::log_level::warning);
    return log;
  };
  for (const auto* where : {"0.0.0.0:0", "0:0", "0.0:0", "[::]:0", "[::0]:0", "[0:0::0]:0"}) {
    EXPECT_THAT(said(where), HasSubstr("all interfaces")) << where;
  }
  for (const auto* where : {"127.0.0.1:0", "[::1]:0", "localhost:0"}) EXPECT_EQ(said(where), "") << where;
}

TEST_F(Listener, ServesIPv6)
{
  held_listener server{world, "[::1]:0", shared_cluster().of("gpu7")};
  held_attempt client{world, server.listener.address(), shared_cluster().of("me")};
  ASSERT_TRUE(world.run_until([&] { return client.done; }));
  EXPECT_TRUE(client.held) << client.failed.detail;
}

TEST_F(Listener, MakesAUnixSocketForItsUserAlone)
{
  const auto path = files.path("s/node");
  {
    held_listener server{world, "unix:" + path, {}};
    struct stat info{};
    ASSERT_EQ(::stat(files.path("s").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0700u);
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600u);

    held_attempt client{world, "unix:" + path, {}};
    ASSERT_TRUE(world.run_until([&] { return client.done && !server.streams.empty(); }));
    ASSERT_TRUE(client.held) << client.failed.detail;
    EXPECT_EQ(client.held->stream.peer().name, "uid " + std::to_string(::geteuid()));
    EXPECT_TRUE(net::has(server.streams.front()->stream.peer().roles, role::submit));
    client.held->stream.write(bytes_of("hello"));
    EXPECT_TRUE(world.run_until([&] { return server.streams.front()->received == "hello"; }));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(Listener, ReplacesAUnixSocketOnlyWhereNobodyAnswers)
{
  const auto path = files.path("s/node");
  held_listener first{world, "unix:" + path, {}};
  EXPECT_THAT(refused("unix:" + path).detail, HasSubstr("another process listens there"));

  const auto left = files.path("s/left");
  const int stale = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ::sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strncpy(name.sun_path, left.c_str(), sizeof name.sun_path - 1);
  ASSERT_EQ(::bind(stale, reinterpret_cast<const ::sockaddr*>(&name), sizeof name), 0);
  ::close(stale);
  const held_listener second{world, "unix:" + left, {}};

  std::ofstream{files.path("s/file")} << "precious";
  EXPECT_THAT(refused("unix:" + files.path("s/file")).detail, HasSubstr("no socket"));
  EXPECT_TRUE(std::filesystem::exists(files.path("s/file")));
}

TEST_F(Listener, WantsAFolderThatIsClosedToOthers)
{
  std::filesystem::create_directory(files.path("open"));
  ::chmod(files.path("open").c_str(), 0755);
  EXPECT_THAT(refused("unix:" + files.path("open/node")).detail, HasSubstr("open to other users"));
  EXPECT_THAT(refused("unix:/tmp/fastgpu-test").detail, HasSubstr("/tmp"));
}

TEST_F(Listener, TurnsAnotherUserAway)
{
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  const auto path = files.path("s/node");
  held_listener server{world, "unix:" + path, {}};
  // As if the folder had been opened by mistake: the kernel's word must be enough.
  for (const auto& open : {files.path(), files.path("s"), path}) ::chmod(open.c_str(), 0777);

  const auto child = ::fork();
  if (child == 0) {
    char byte;
    ::sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::strncpy(name.sun_path, path.c_str(), sizeof name.sun_path - 1);
    const int there = ::socket(AF_UNIX, SOCK_STREAM, 0);
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    if (::connect(there, reinterpret_cast<const ::sockaddr*>(&name), sizeof name) != 0) ::_exit(3);
    ::_exit(::read(there, &byte, 1) == 0 ? 0 : 4);
  }
  EXPECT_TRUE(world.run_until([&] { return !server.refusals.empty(); }));
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(server.listener.count().accepted, 0u);
  EXPECT_THAT(server.refusals.front(), HasSubstr("of another user, uid 65534"));
}

TEST_F(Listener, CutsWhoIsNotWelcomedInTime)
{
  net::listener_options options;
  options.strangers.deadline = fastgpu::seconds{0.3};
  held_listener server{world, "127.0.0.1:0", shared_cluster().of("gpu7"), options, false};
  held_attempt client{world, server.listener.address(), shared_cluster().of("me")};
  EXPECT_TRUE(world.run_until([&] { return client.held && client.held->ended && server.streams.front()->ended; }, 1s));
  EXPECT_EQ(server.streams.front()->ended->code, errc::refused);
  EXPECT_EQ(server.listener.count().late, 1u);
  EXPECT_EQ(server.listener.count().strangers, 0u);
}

TEST_F(Listener, KeepsWhoWasWelcomed)
{
  net::listener_options options;
  options.strangers.deadline = fastgpu::seconds{0.2};
  held_listener server{world, "127.0.0.1:0", shared_cluster().of("gpu7"), options};
  held_attempt client{world, server.listener.address(), shared_cluster().of("me")};
  world.run_for(500ms);
  ASSERT_TRUE(client.held);
  EXPECT_FALSE(client.held->ended);
  EXPECT_EQ(server.listener.count().authenticated, 1u);
  client.held->stream.close();
  EXPECT_TRUE(world.run_until([&] { return server.listener.count().authenticated == 0; }));
}

TEST_F(Listener, TakesAFewStreamsOfOnePrincipalOnly)
{
  net::listener_options options;
  options.per_principal = 2;
  held_listener server{world, "127.0.0.1:0", shared_cluster().of("gpu7"), options};
  std::vector<std::unique_ptr<held_attempt>> clients;
  const auto alive = [&] {
    return std::count_if(clients.begin(), clients.end(), [](const auto& c) { return c->held && !c->held->ended; });
  };
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<held_attempt>(world, server.listener.address(), shared_cluster().of("me")));
  }
  clients.push_back(std::make_unique<held_attempt>(world, server.listener.address(), shared_cluster().of("boss")));
  EXPECT_TRUE(world.run_until([&] { return server.listener.count().refused == 2 && server.streams.size() == 3; }));
  EXPECT_TRUE(world.run_until([&] { return alive() == 3; }));

  clients.clear();
  EXPECT_TRUE(world.run_until([&] { return server.listener.count().authenticated == 0; }));
  held_attempt again{world, server.listener.address(), shared_cluster().of("me")};
  EXPECT_TRUE(world.run_until([&] { return server.streams.size() == 4; }));
}

TEST_F(Listener, ServesABurstOfHonestCallersFromOneAddress)
{
  net::listener_options options;
  options.strangers.patience = fastgpu::seconds{5};  // however slow the machine is: nobody has to go
  held_listener server{world, "127.0.0.1:0", shared_cluster().of("gpu7"), options};
  std::vector<std::unique_ptr<held_attempt>> clients;
  for (int i = 0; i < 32; ++i) {
    clients.push_back(std::make_unique<held_attempt>(world, server.listener.address(), shared_cluster().of("me")));
  }
  EXPECT_TRUE(world.run_until([&] { return server.listener.count().authenticated == 32; }));
  EXPECT_EQ(server.listener.count().crowded, 0u);
}

}  // namespace
