// One member of a group, as a process: nccl_rank NUMBER [--fake-gpu] [--hold COMMAND] [--gather]
//
// Its input are the marks of its number, in the memory of GPU 0. Commands come over socket 3 and reports go out there.
//
//   --fake-gpu       host memory stands for the GPU; there is no NCCL for that
//   --gather         the reduction is by gathered bytes
//   --hold COMMAND   reduce or send_input: having taken the first such command, it does nothing any more

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>

#include <fastgpu/cuda/devices.hpp>
#include <fastgpu/error.hpp>

#include "cluster/device_list.hpp"
#include "cuda/cuda_device.hpp"
#include "nccl/group_member.hpp"
#include "nccl/nccl_communicator.hpp"
#include "support/fake_gpu.hpp"
#include "support/group_inputs.hpp"
#include "support/rank_channel.hpp"

namespace {

using namespace fastgpu::detail;

struct rank_options {
  std::uint32_t number = 0;
  bool fake_gpu = false;
  bool gather = false;
  std::string_view hold;
};

rank_options options_in(int argc, char** argv)
{
  rank_options o;
  if (argc > 1) o.number = static_cast<std::uint32_t>(std::strtoul(argv[1], nullptr, 10));
  for (int i = 2; i < argc; ++i) {
    const std::string_view word{argv[i]};
    if (word == "--fake-gpu") o.fake_gpu = true;
    if (word == "--gather") o.gather = true;
    if (word == "--hold" && i + 1 < argc) o.hold = argv[++i];
  }
  return o;
}

/// Waits for `stream`: nothing is under way that others could hold up.
void wait(gpu& on, gpu_stream stream)
{
  const gpu_handle<gpu_event> done{on, on.create_event()};
  on.record(done.get(), stream);
  while (!on.ready(done.get())) std::this_thread::yield();
}

void be_a_member(const rank_options& o, gpu& on)
{
  on.make_current();
  const gpu_handle<gpu_stream> stream{on, on.create_stream()};
  const auto marks = support::bytes_of(support::marks_of(o.number));
  gpu_buffer pinned{on, gpu_memory_kind::pinned};
  gpu_buffer input{on, gpu_memory_kind::device};
  std::memcpy(pinned.reserve(marks.size()), marks.data(), marks.size());
  on.copy(input.reserve(marks.size()), pinned.data(), marks.size(), stream.get());
  wait(on, stream.get());

  const auto plan = o.gather ? support::plan_of_gathered_marks() : support::plan_of_marks();
  const auto makes = make_nccl_communicators(on);
  fastgpu::detail::group_member member{{o.number}, on, stream.get(), *makes};
  member.offer(1, plan, {input.data(), marks.size()});

  support::rank_channel channel{3};
  while (channel.open()) {
    for (auto& message : channel.receive(member.busy() ? 0 : 10)) {
      const auto command = support::command_in(std::move(message));
      member.receive(command);
      for (const auto& r : member.take_reports()) channel.send(support::packed(r));
      const bool holds = (o.hold == "reduce" && command.what == group_command::kind::reduce) ||
                         (o.hold == "send_input" && command.what == group_command::kind::send_input);
      while (holds) std::this_thread::sleep_for(std::chrono::hours{1});  // until it is killed
    }
    member.poll();
    for (const auto& r : member.take_reports()) channel.send(support::packed(r));
  }
  wait(on, stream.get());
}

}  // namespace

int main(int argc, char** argv)
{
  const auto options = options_in(argc, argv);
  try {
    if (options.fake_gpu) {
      support::fake_gpu fake;
      be_a_member(options, fake);
    } else {
      const auto devices = make_devices("cuda:0");
      be_a_member(options, dynamic_cast<cuda_device&>(*devices.at(0)).on());
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "nccl_rank %u: %s\n", options.number, e.what());
    return 1;
  }
  return 0;
}
