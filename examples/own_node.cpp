#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <fastgpu/cluster/node.hpp>
#include <fastgpu/fastgpu.hpp>

/// @file
/// A program with a kernel of its own that is its own node, too: on other machines it runs with an address and serves,
/// here it runs without one, uses a node, and checks what comes. For the example's sake the node it uses is in this very
/// process; what crosses the socket is the same as between machines.

struct collatz_steps {  // until i becomes 1; trivially copyable, no pointers: its bytes are what travels
  FASTGPU_HD std::uint64_t operator()(std::uint64_t i) const
  {
    std::uint64_t steps = 0;
    for (auto n = i + 1; n > 1; n = n % 2 == 0 ? n / 2 : 3 * n + 1) ++steps;
    return steps;
  }
};
FASTGPU_REGISTER("example.collatz_steps", collatz_steps)  // the name that nodes know it by

fastgpu::node_options offer(const std::string& address)
{
  return {.listen = address, .name = "mine", .devices = {.devices = "host:2"}, .isolate = fastgpu::isolation::process};
}

int main(int argc, char** argv)
{
  if (const auto status = fastgpu::run_as_worker(argc, argv)) return *status;  // the node's children begin here
  if (argc == 2) {
    fastgpu::node node{offer(argv[1])};
    std::printf("listens at %s\n", node.address().c_str());
    std::fflush(stdout);
    node.run();  // until somebody lets it drain
    return 0;
  }

  std::string folder = std::filesystem::temp_directory_path() / "own-node-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  bool right = false;
  {
    fastgpu::node node{offer("unix:" + folder + "/node")};
    fastgpu::cluster cluster{"host:1"};
    cluster.add_node(node.address());
    const auto longest = fastgpu::arg_max(cluster, 1'000'000, collatz_steps{});
    std::fputs(fastgpu::to_text(longest.summary()).c_str(), stdout);
    std::printf("%llu takes %llu steps\n", static_cast<unsigned long long>(longest->index + 1),
                static_cast<unsigned long long>(longest->value));
    right = longest->index + 1 == 837'799 && longest->value == 524;
  }
  std::filesystem::remove_all(folder);
  return right ? 0 : 1;
}
