#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include "nodes/peer.hpp"
#include "nodes/peer_process.hpp"

/// @file
/// The other process of the benchmarks of nodes, and what callgrind is put to.

namespace {

constexpr const char* help = R"(fastgpu_benchmark_peer serve KIND FOLDER
fastgpu_benchmark_peer run KIND COUNT IN_FLIGHT
fastgpu_benchmark_peer kinds

serve  a server with the credentials in FOLDER; prints its address, and ends with its standard input
run    a client and a server process of its own: COUNT subtasks, IN_FLIGHT at a time. To be run under an instruction
       counter at two counts: the slope is what a subtask costs
kinds  their names

Exit status: 0 done, 1 failed, 2 wrong usage.
)";

int refuse(const std::string& why)
{
  std::fprintf(stderr, "fastgpu_benchmark_peer: %s (see --help)\n", why.c_str());
  return 2;
}

std::optional<std::uint32_t> number(std::string_view text)
{
  std::uint32_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size() || value == 0) return std::nullopt;
  return value;
}

int serve(const bench::peer_kind& kind, const std::string& folder)
{
  const auto server = kind.serve(folder);
  std::printf("%s\n", server->address().c_str());
  std::fflush(stdout);
  char c = 0;
  while (::read(STDIN_FILENO, &c, 1) > 0) {
  }
  return 0;
}

int run(const bench::peer_kind& kind, std::uint32_t count, std::uint32_t in_flight)
{
  const bench::credentials_folder credentials;
  const bench::server_process server{kind.name, credentials};
  kind.connect(credentials.path() + "/user", server.address())->run(count, in_flight);
  return 0;
}

}  // namespace

int main(int argc, char** argv)
{
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "--help" || verb == "-h") return std::fputs(help, stdout) < 0;
  if (verb == "kinds") {
    for (const auto& k : bench::peer_kinds()) std::printf("%s\n", k.name.c_str());
    return 0;
  }
  if (verb != "serve" && verb != "run") return refuse("expected serve, run or kinds, not '" + verb + "'");
  if (argc != (verb == "serve" ? 4 : 5)) {
    return refuse(verb + ": expected KIND " + (verb == "serve" ? "FOLDER" : "COUNT IN_FLIGHT"));
  }
  const auto* kind = bench::peer_named(argv[2]);
  if (kind == nullptr) return refuse("there is no kind '" + std::string{argv[2]} + "'");
  try {
    if (verb == "serve") return serve(*kind, argv[3]);
    const auto count = number(argv[3]);
    const auto in_flight = number(argv[4]);
    if (!count || !in_flight) return refuse("run: expected numbers from 1 on");
    return run(*kind, *count, *in_flight);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "fastgpu_benchmark_peer: %s\n", e.what());
    return 1;
  }
}
