#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "cuda/measurements/measurement.hpp"
#include "support/gpu.hpp"

/// @file
/// What launches and their completion cost the host.

namespace {

using bench::check;
using measured::median_us;
using measured::now_us;

__global__ void nothing() {}

void launch_on(const bench::gpu_stream& stream)
{
  nothing<<<1, 32, 0, stream.get()>>>();
  check(cudaGetLastError(), "launching a kernel");
}

void wait_for(const bench::gpu_event& event)
{
  cudaError_t status = cudaErrorNotReady;
  while ((status = cudaEventQuery(event.get())) == cudaErrorNotReady) {
  }
  check(status, "asking for an event");
}

struct destroy_graph {
  using pointer = cudaGraph_t;
  void operator()(cudaGraph_t graph) const noexcept { (void)cudaGraphDestroy(graph); }
};
struct destroy_graph_exec {
  using pointer = cudaGraphExec_t;
  void operator()(cudaGraphExec_t graph) const noexcept { (void)cudaGraphExecDestroy(graph); }
};

std::unique_ptr<cudaGraphExec_t, destroy_graph_exec> graph_of(int kernels, const bench::gpu_stream& stream)
{
  check(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal), "beginning a capture");
  for (int i = 0; i < kernels; ++i) launch_on(stream);
  cudaGraph_t captured = nullptr;
  check(cudaStreamEndCapture(stream.get(), &captured), "ending a capture");
  const std::unique_ptr<cudaGraph_t, destroy_graph> graph{captured};
  cudaGraphExec_t made = nullptr;
  check(cudaGraphInstantiate(&made, graph.get(), 0), "making a graph");
  return std::unique_ptr<cudaGraphExec_t, destroy_graph_exec>{made};
}

/// Enqueues `count` of something, and then waits; only the enqueueing is timed.
template <class Enqueue>
double enqueue_us(const bench::gpu_stream& stream, int count, const Enqueue& enqueue)
{
  std::vector<double> took;
  for (int round = 0; round < 21; ++round) {
    const auto begin = now_us();
    for (int i = 0; i < count; ++i) enqueue();
    took.push_back((now_us() - begin) / count);
    stream.wait();
  }
  std::nth_element(took.begin(), took.begin() + 10, took.end());
  return took[10];
}

void launch(measured::figures& found)
{
  const bench::gpu_stream stream;
  const bench::gpu_stream other;
  const bench::gpu_event event;
  launch_on(stream);
  stream.wait();

  found.add("enqueue_us", enqueue_us(stream, 100, [&] { launch_on(stream); }));
  found.add("launch_and_synchronize_us", median_us(1000, [&] {
              launch_on(stream);
              stream.wait();
            }));
  found.add("launch_event_query_us", median_us(1000, [&] {
              launch_on(stream);
              check(cudaEventRecord(event.get(), stream.get()), "recording an event");
              wait_for(event);
            }));
  found.add("event_query_us", median_us(1000, [&] { wait_for(event); }));

  for (const int kernels : {1, 8, 64}) {
    const auto graph = graph_of(kernels, stream);
    const auto start = [&] { check(cudaGraphLaunch(graph.get(), stream.get()), "launching a graph"); };
    const auto name = "graph_of_" + std::to_string(kernels);
    found.add(name + "_enqueue_us", enqueue_us(stream, 20, start));
    found.add(name + "_and_synchronize_us", median_us(500, [&] {
                start();
                stream.wait();
              }));
  }

  std::atomic<bool> called = false;
  found.add("host_function_us", median_us(500, [&] {
              called.store(false, std::memory_order_relaxed);
              const auto call = [](void* flag) {
                static_cast<std::atomic<bool>*>(flag)->store(true, std::memory_order_release);
              };
              check(cudaLaunchHostFunc(stream.get(), call, &called), "launching a host function");
              while (!called.load(std::memory_order_acquire)) {  // pairs with the function's store
              }
            }));
  stream.wait();

  constexpr int hops = 100;
  found.add("kernel_after_kernel_us", median_us(50, [&] {
                                        for (int i = 0; i < hops; ++i) launch_on(stream);
                                        stream.wait();
                                      }) / hops);
  found.add("kernel_on_other_stream_us", median_us(50, [&] {
                                           for (int i = 0; i < hops; ++i) {
                                             const auto& from = i % 2 == 0 ? stream : other;
                                             const auto& to = i % 2 == 0 ? other : stream;
                                             launch_on(from);
                                             check(cudaEventRecord(event.get(), from.get()), "recording an event");
                                             check(cudaStreamWaitEvent(to.get(), event.get(), 0),
                                                   "waiting on a stream");
                                           }
                                           stream.wait();
                                         }) / hops);
}

const measured::registration added{
    2, {"launch", "empty kernels: enqueueing, completion, graphs, host functions, hops between streams", &launch}};

}  // namespace
