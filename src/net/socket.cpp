#include "net/socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <memory>

#include <fastgpu/error.hpp>

namespace fastgpu::inline v0::detail {
namespace {

constexpr int backlog = 1024;

[[noreturn]] void fail(const address& where, const std::string& why)
{
  throw error{errc::node_unreachable, "cannot listen on " + where.text() + ": " + why};
}

void set_option(int descriptor, int level, int option, int value) noexcept
{
  ::setsockopt(descriptor, level, option, &value, sizeof value);  // a system without it does without
}

::sockaddr_un unix_name(const std::string& path) noexcept
{
  ::sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.c_str(), std::min(path.size(), sizeof name.sun_path - 1));
  return name;
}

/// Made for its owner alone, or found in a state in which nobody else can put a socket there.
void prepare_folder(const address& where)
{
  const auto slash = where.path.rfind('/');
  const auto folder = slash == 0 ? std::string{"/"} : where.path.substr(0, slash);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) fail(where, folder + ": " + std::strerror(errno));
  struct stat info{};
  if (::lstat(folder.c_str(), &info) != 0) fail(where, folder + ": " + std::strerror(errno));
  if (!S_ISDIR(info.st_mode)) fail(where, folder + " is not a folder");
  if (info.st_uid != ::geteuid()) fail(where, folder + " belongs to another user");
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) fail(where, folder + " is open to other users: chmod 700");
}

/// Removes what a process that is gone has left behind.
void remove_stale(const address& where)
{
  struct stat info{};
  if (::lstat(where.path.c_str(), &info) != 0) {
    if (errno == ENOENT) return;
    fail(where, std::strerror(errno));
  }
  if (!S_ISSOCK(info.st_mode)) fail(where, "there is a file that is no socket");
  const auto probe = new_socket(AF_UNIX);
  const auto name = unix_name(where.path);
  if (!probe) fail(where, std::strerror(errno));
  if (::connect(probe.get(), reinterpret_cast<const ::sockaddr*>(&name), sizeof name) == 0 || errno != ECONNREFUSED) {
    fail(where, "another process listens there");
  }
  if (::unlink(where.path.c_str()) != 0) fail(where, std::strerror(errno));
}

owned_descriptor listen_unix(const address& where)
{
  prepare_folder(where);
  remove_stale(where);
  auto made = new_socket(AF_UNIX);
  if (!made) fail(where, std::strerror(errno));
  ::fchmod(made.get(), 0600);  // what bind() makes has this mode from the first moment
  const auto name = unix_name(where.path);
  if (::bind(made.get(), reinterpret_cast<const ::sockaddr*>(&name), sizeof name) != 0) fail(where, std::strerror(errno));
  ::chmod(where.path.c_str(), 0600);  // where the system has not taken it from the descriptor
  if (::listen(made.get(), backlog) != 0) fail(where, std::strerror(errno));
  return made;
}

owned_descriptor listen_tcp(const address& where)
{
  ::addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  ::addrinfo* found = nullptr;
  const int problem = ::getaddrinfo(where.host.c_str(), std::to_string(where.port).c_str(), &hints, &found);
  if (problem != 0) fail(where, ::gai_strerror(problem));
  const std::unique_ptr<::addrinfo, decltype(&::freeaddrinfo)> all{found, ::freeaddrinfo};

  int why = 0;
  for (const auto* at = found; at != nullptr; at = at->ai_next) {
    auto made = new_socket(at->ai_family);
    if (made) {
      set_option(made.get(), SOL_SOCKET, SO_REUSEADDR, 1);  // a port whose last connections are just closing is free
      if (at->ai_family == AF_INET6) set_option(made.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
      if (::bind(made.get(), at->ai_addr, at->ai_addrlen) == 0 && ::listen(made.get(), backlog) == 0) return made;
    }
    if (why == 0) why = errno;
  }
  fail(where, why == EADDRINUSE ? "the port is taken" : std::strerror(why));
}

::sockaddr_storage name_of(int descriptor) noexcept
{
  ::sockaddr_storage name{};
  ::socklen_t size = sizeof name;
  ::getsockname(descriptor, reinterpret_cast<::sockaddr*>(&name), &size);
  return name;
}

}  // namespace

void make_ready_for_io(int descriptor) noexcept
{
  ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

void set_tcp_options(int descriptor, seconds dead_after) noexcept
{
  const auto limit_s = std::max(1.0, dead_after.count);
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(limit_s * 1000));
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);  // for sockets that have nothing to send
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, std::max(1, static_cast<int>(limit_s / 2)));
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, static_cast<int>(limit_s / 4)));
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 2);
}

owned_descriptor new_socket(int domain) noexcept
{
  return owned_descriptor{::socket(domain, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
}

std::string check_unix_peer(int descriptor)
{
  ::ucred peer{};
  ::socklen_t size = sizeof peer;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    throw error{errc::node_unreachable, std::string{"the peer's user is not known: "} + std::strerror(errno)};
  }
  const auto name = "uid " + std::to_string(peer.uid);
  if (peer.uid != ::geteuid() && peer.uid != 0) throw error{errc::refused, "it is of another user, " + name};
  return name;
}

std::pair<std::string, std::string> tcp_peer(int descriptor)
{
  ::sockaddr_storage name{};
  ::socklen_t size = sizeof name;
  char host[NI_MAXHOST] = {};
  char port[NI_MAXSERV] = {};
  if (::getpeername(descriptor, reinterpret_cast<::sockaddr*>(&name), &size) != 0 ||
      ::getnameinfo(reinterpret_cast<const ::sockaddr*>(&name), size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return {"?", "?"};
  }
  std::string text{host};
  if (name.ss_family == AF_INET6) text.insert(0, 1, '[').push_back(']');
  return {host, text + ":" + port};
}

owned_descriptor listen_on(const address& where) { return where.is_unix() ? listen_unix(where) : listen_tcp(where); }

std::uint16_t port_of(int descriptor) noexcept
{
  const auto name = name_of(descriptor);
  if (name.ss_family == AF_INET6) return ntohs(reinterpret_cast<const ::sockaddr_in6&>(name).sin6_port);
  return ntohs(reinterpret_cast<const ::sockaddr_in&>(name).sin_port);
}

bool serves_all_interfaces(int descriptor) noexcept
{
  const auto name = name_of(descriptor);
  if (name.ss_family != AF_INET6) return reinterpret_cast<const ::sockaddr_in&>(name).sin_addr.s_addr == INADDR_ANY;
  const auto& address = reinterpret_cast<const ::sockaddr_in6&>(name).sin6_addr;
  return IN6_IS_ADDR_UNSPECIFIED(&address);
}

}  // namespace fastgpu::inline v0::detail
