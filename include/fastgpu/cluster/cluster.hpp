#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fastgpu/cluster/credentials.hpp>
#include <fastgpu/cluster/memory_source.hpp>
#include <fastgpu/cluster/worker.hpp>
#include <fastgpu/config.hpp>
#include <fastgpu/detail/ref.hpp>
#include <fastgpu/device/device_info.hpp>
#include <fastgpu/seconds.hpp>

/// @file
/// The cluster: the devices that a program can use.

namespace fastgpu::inline v0 {

namespace detail {
class cluster_core;
}

/// How a cluster uses each of its GPUs.
struct gpu_options {
  /// Streams that compute at a time, 1 to 16. Twice as many batches are under way at most.
  std::uint32_t lanes = 4;

  /// Bound of the GPU memory that the library takes for data, values and scratch, in bytes; 0: what the GPU has.
  std::uint64_t memory_bytes_max = 0;

  /// A cudaMemPool_t of the user's to take it from, for a cluster of one GPU, which it lies on; null: a pool of its own.
  /// Its bound is its own: memory_bytes_max says nothing then. Outlives the cluster and its runs.
  void* memory_pool = nullptr;

  /// Bytes from which on the GPUs of this process reduce their parts of a value among themselves, by NCCL, at the end of a
  /// run, instead of each on the host: sums of numbers, minima and maxima of integers, vectors of these, and states of
  /// mode `exact`. The value is the same, but for the bits of floating-point sums in mode `fast`. 0: never.
  ///
  /// For runs on this process's devices alone, without a checkpoint and while no other run is under way. The first one
  /// makes the communicator, which may take seconds; its memory is NCCL's own, beside memory_bytes_max. Without NCCL, or
  /// where it fails, everything goes over the host, and a warning says so.
  std::uint64_t reduce_bytes_min = 0;

  /// Bytes of a vector from which on, in mode `ordered`, it stays in the memory of the GPU that computed it, which merges
  /// siblings itself; the host gets what is left of them when a partial is sealed. For sums of numbers, and kernels that
  /// declare portable_arithmetic: the bits are the same, but for floats of programs that nvcc built with `-ftz=true` (or
  /// `--use_fast_math`): give 0 there. 0: never.
  ///
  /// They take about a quarter of the GPU's memory at most, or of memory_bytes_max, which is kept for later runs; what has
  /// no room merges on the host. By default from where on a copy and a merge on the host should take longer than a launch,
  /// about 5 us.
  std::uint64_t resident_bytes_min = 32768;
};

/// How a cluster is made.
struct cluster_options {
  /// Devices, joined by commas: `host` or `host:N` (one device of N threads), `host:N*K` (K such devices), `paced:RATE`
  /// (RATE subtasks a second) and `paced:RATE*K`, `faulty:SEED` and `faulty:SEED*K`, `cuda:0`, `cuda:all`; `none`: those
  /// of nodes alone. Empty: every GPU, else one host device of all allowed cores.
  std::string devices{};

  /// Words that requirements::labels can ask for; every device of this cluster has them.
  std::vector<std::string> labels{};

  /// Memory for values, partials and staged slices. Null: the heap. Outlives the cluster and its runs.
  memory_source* memory = nullptr;

  gpu_options gpu{};

  /// With isolation::process, each item of `devices` lives in a child process of its own, `cuda:all` in one: a kernel that
  /// crashes takes that child with it, which is started anew, and no other device. Kernels then need a registered name,
  /// as for nodes, and main() begins with run_as_worker().
  isolation isolate = isolation::none;
  /// What children run, which begins with run_as_worker(). Empty: this process's own program.
  std::string worker_program{};

  /// Let a thread that waits for its run in run::wait(), aggregate() or a function of functions.hpp work on it
  /// meanwhile, in the place of a CPU worker that is idle: the run starts sooner, and no more threads compute than the
  /// devices have. Kernels run in the default floating-point environment there too, but on the user's stack and with
  /// the user's thread-local variables. Never with `thread_start`.
  bool callers_work = true;

  /// A node of which nothing has been heard for so long is lost: what it had runs elsewhere. 1 to 60 s. A process that
  /// ends is noticed at once; this is for machines and networks that fall silent.
  seconds node_dead_after{5.0};

  /// A file of how fast this machine's devices, and nodes, ran registered kernels in earlier processes: read now, and
  /// written, where there is something new, when the cluster's last run is gone; children (isolation::process) write it
  /// as well, within a second after a run. Empty: what this cluster measures is known to itself alone. A file that is
  /// damaged, too old or of another machine is refused with one warning, and replaced; a file that cannot be written is
  /// one warning. Processes may share a file: who writes it keeps what is in it; of two that write at the same moment the
  /// later one wins. Not for a file that others can write: its speeds decide where runs begin, though never an answer.
  std::string history{};

  /// Called on each worker thread before it does anything, e.g. to set its name. It must not throw. What it does to the
  /// floating-point environment does not last: kernels see the default one.
  void (*thread_start)(void* context, device_id device, std::uint32_t worker) = nullptr;
  void* thread_context = nullptr;
};

/// Local devices, and later those of nodes. Several runs at a time share them, by priority.
///
/// @par Threads    Distinct runs may be started from distinct threads.
/// @par Lifetimes  A run keeps what it needs of its cluster alive.
class FASTGPU_API cluster {
 public:
  /// Every GPU of this machine, or its CPU cores.
  cluster();
  /// @throws error  errc::invalid_argument where `devices` cannot be read; errc::no_usable_device where one of them is
  ///                not there.
  explicit cluster(std::string_view devices);
  /// @throws error  also errc::invalid_argument where an option is out of its bounds.
  explicit cluster(const cluster_options& options);
  cluster(cluster&&) noexcept;
  cluster& operator=(cluster&&) noexcept;
  ~cluster();

  /// Adds a node: its devices take part in runs from now on, those under way included. Waits until the node has
  /// answered or could not be reached; then one warning is logged, and it is tried again with growing pauses, as it is
  /// when it is lost later.
  ///
  /// @param address  `HOST:PORT`, or `NAME@HOST:PORT` where only a node of that name will do.
  /// @throws error   errc::invalid_argument for the address, errc::credentials_error.
  node_id add_node(const std::string& address, const credentials& as);
  /// A node of this user on this machine: `unix:/PATH`.
  node_id add_node(const std::string& address);

  /// Takes nodes that dial in (node_options::connect) from now on, in runs under way too.
  ///
  /// @param listen  `HOST:PORT`, port 0 for any that is free, or `unix:/PATH`.
  /// @return        The address, with the port it got.
  /// @throws error  errc::node_unreachable where it cannot be listened at; errc::credentials_error.
  std::string accept_nodes(const std::string& listen, const credentials& as);
  std::string accept_nodes(const std::string& listen);  ///< At `unix:/PATH`.

  /// The devices with their speeds and loads as they are now: this process's, then those of the nodes that are there.
  [[nodiscard]] std::vector<device_info> devices() const;

  [[nodiscard]] const detail::ref<detail::cluster_core>& core() const noexcept { return core_; }

 private:
  detail::ref<detail::cluster_core> core_;
};

}  // namespace fastgpu::inline v0
