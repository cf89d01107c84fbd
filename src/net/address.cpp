#include "net/address.hpp"

#include <sys/un.h>

#include <charconv>

#include <fastgpu/error.hpp>

#include "net/certificate.hpp"

namespace fastgpu::inline v0::detail {
namespace {

[[noreturn]] void refuse(std::string_view text, const std::string& expected)
{
  throw error{errc::invalid_argument, "address '" + std::string{text} + "': expected " + expected};
}

}  // namespace

std::string address::text() const
{
  if (is_unix()) return "unix:" + path;
  const bool brackets = host.find(':') != host.npos;
  return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

address parse_address(std::string_view text)
{
  constexpr const char* forms = "HOST:PORT, [IPV6]:PORT or unix:/PATH";
  address parsed;
  auto rest = text;
  if (const auto at = rest.find('@'); at != rest.npos && !rest.starts_with("unix:")) {
    parsed.name = rest.substr(0, at);
    if (!is_principal_name(parsed.name)) refuse(text, "a certificate's name before '@'");
    rest.remove_prefix(at + 1);
  }

  if (rest.starts_with("unix:")) {
    if (!parsed.name.empty()) refuse(text, "no name before unix:, where there are no certificates");
    parsed.path = rest.substr(5);
    constexpr auto length_max = sizeof(::sockaddr_un::sun_path) - 1;
    if (!parsed.path.starts_with('/')) refuse(text, "a path from the root behind unix:");
    if (parsed.path.size() > length_max) refuse(text, "a path of at most " + std::to_string(length_max) + " bytes");
    if (parsed.path.ends_with('/') || parsed.path.find('\0') != parsed.path.npos) refuse(text, "a file's path");
    return parsed;
  }

  const auto colon = rest.rfind(':');
  if (colon == rest.npos) refuse(text, forms);
  auto host = rest.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == host.npos) refuse(text, "an IPv6 address in the brackets");
  } else if (host.find(':') != host.npos) {
    refuse(text, "brackets around an IPv6 address");
  }
  if (host.empty() || host.find_first_of(std::string_view{" \t\r\n/\0", 6}) != host.npos) refuse(text, forms);
  parsed.host = host;

  const auto port = rest.substr(colon + 1);
  const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), parsed.port);
  if (port.empty() || problem != std::errc{} || end != port.data() + port.size()) refuse(text, "a port, 0 to 65535");
  return parsed;
}

}  // namespace fastgpu::inline v0::detail
