#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <fastgpu/cluster/node.hpp>
#include <fastgpu/fastgpu.hpp>
#include <gsl/util>

/// @file
/// A program with a kernel of its own that is its own node, too:
///
///     own_node serve ADDRESS [CREDENTIALS]   on the machines that compute
///     own_node use ADDRESS [CREDENTIALS]     where the answer is wanted
///     own_node                               both in one process, over a Unix socket
///
/// ADDRESS is unix:/PATH, for processes of one user, or HOST:PORT with a folder of credentials (fastgpu credentials).

struct collatz_steps {  // until i becomes 1; trivially copyable, no pointers: its bytes are what travels
  FASTGPU_HD std::uint64_t operator()(std::uint64_t i) const
  {
    std::uint64_t steps = 0;
    for (auto n = i + 1; n > 1; n = n % 2 == 0 ? n / 2 : 3 * n + 1) ++steps;
    return steps;
  }
};
FASTGPU_REGISTER("example.collatz_steps", collatz_steps)  // the name that nodes know it by

fastgpu::node_options offer(const std::string& address, const std::string& credentials)
{
  fastgpu::node_options options{.listen = address, .name = "mine", .devices = {.devices = "host:2"}};
  options.isolate = fastgpu::isolation::process;  // a kernel that crashes takes a child with it, not the node
  if (!credentials.empty()) options.as = fastgpu::credentials::load(credentials);
  return options;
}

void use(const std::string& address, const std::string& credentials)
{
  fastgpu::cluster cluster{"none"};  // no devices of its own: all comes from the node
  if (credentials.empty()) {
    cluster.add_node(address);
  } else {
    cluster.add_node(address, fastgpu::credentials::load(credentials));
  }
  const auto longest = fastgpu::arg_max(cluster, 1'000'000, collatz_steps{});
  std::fputs(fastgpu::to_text(longest.summary()).c_str(), stdout);
  std::printf("%llu takes %llu steps\n", static_cast<unsigned long long>(longest->index + 1),
              static_cast<unsigned long long>(longest->value));
  if (longest->index + 1 != 837'799 || longest->value != 524) throw std::runtime_error{"837799 takes 524 steps"};
}

int main(int argc, char** argv)
try {
  if (const auto status = fastgpu::run_as_worker(argc, argv)) return *status;  // the node's children begin here
  const std::string what = argc == 3 || argc == 4 ? argv[1] : "";
  const std::string address = argc > 2 ? argv[2] : "";
  const std::string credentials = argc > 3 ? argv[3] : "";
  if (what == "serve") {
    fastgpu::node node{offer(address, credentials)};
    std::printf("listens at %s\n", node.address().c_str());
    std::fflush(stdout);
    node.run();  // until an operator lets it drain: fastgpu drain
  } else if (what == "use") {
    use(address, credentials);
  } else if (argc == 1) {
    std::string folder = std::filesystem::temp_directory_path() / "own-node-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error{"no folder for the socket: " + folder};
    const auto removed = gsl::finally([&] { std::filesystem::remove_all(folder); });
    const fastgpu::node node{offer("unix:" + folder + "/node", "")};
    use(node.address(), "");
  } else {
    std::fputs("own_node: expected nothing, or: serve|use ADDRESS [CREDENTIALS]\n", stderr);
    return 2;
  }
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "own_node: %s\n", e.what());
  return 1;
}
