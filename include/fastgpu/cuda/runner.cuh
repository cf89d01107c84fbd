#pragma once

#include <cstddef>
#include <cstdint>

#include <fastgpu/detail/gpu_subtasks.hpp>

/// @file
/// The kernels that run a program's subtasks on a GPU. nvcc only. Their arithmetic is in gpu_subtasks.hpp; here is what
/// threads share out and what they do together.

namespace fastgpu::inline v0::detail {

/// Threads of a block: as many as the shape ordered/1 has lanes.
inline constexpr unsigned gpu_threads = 256;

/// The same where each has a value in shared memory; a power of two.
template <class V>
inline constexpr unsigned gpu_fold_threads = sizeof(V) <= 64 ? 256 : sizeof(V) <= 128 ? 128 : sizeof(V) <= 256 ? 64 : 32;

/// States of mode `exact` that a block has at most: one for each thread of a warp.
inline constexpr unsigned gpu_exact_states_max = 32;

/// Vectors up to this size are tallied in shared memory first.
inline constexpr std::size_t gpu_shared_tally_bytes = 16384;

/// Room for values in shared memory, which has no constructors.
template <class V, std::size_t Count>
struct gpu_shared {
  alignas(16) alignas(V) unsigned char bytes[Count * sizeof(V)];
  __device__ V* data() { return reinterpret_cast<V*>(bytes); }
};

/// A value that may not be there yet.
template <class V>
struct gpu_optional {
  alignas(V) unsigned char bytes[sizeof(V)];
  bool there = false;

  __device__ V& value() { return *reinterpret_cast<V*>(bytes); }
  template <class Op>
  __device__ void merge(const Op& op, const V& v)
  {
    value() = there ? op(value(), v) : v;
    there = true;
  }
};

struct gpu_atomic_add {
  __device__ void operator()(std::int64_t& limb, std::int64_t by) const
  {
    atomicAdd(reinterpret_cast<unsigned long long*>(&limb), static_cast<unsigned long long>(by));
  }
};

/// Calls `each` for every index of the batch that is this thread's, or every block where the kernel takes blocks.
template <class S, class Each>
__device__ void gpu_for_each(const typename S::params& p, const Each& each)
{
  const auto thread = std::uint64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const auto threads = std::uint64_t{gridDim.x} * blockDim.x;
  if constexpr (!S::by_element) {
    for (auto s = p.begin + thread; s < p.end; s += threads) {
      each(block_of<S::rank>(p.shape, static_cast<std::uint32_t>(s)));
    }
  } else if constexpr (S::rank == 1) {  // the subtasks' indices follow each other
    const auto first = block_of<1>(p.shape, p.begin).begin[0];
    const auto last = block_of<1>(p.shape, p.end - 1).end[0];
    const auto step = static_cast<std::int64_t>(threads);
    auto i = first + static_cast<std::int64_t>(thread);
    if constexpr (S::reads_data) {
#pragma unroll 4
      for (; i < last; i += step) each(index<1>{{i}});
    } else {
      for (; i < last; i += step) each(index<1>{{i}});
    }
  } else {
    const auto lane = static_cast<std::int64_t>(thread % p.threads_a_subtask);
    const auto step = threads / p.threads_a_subtask;
    for (auto s = p.begin + thread / p.threads_a_subtask; s < p.end; s += step) {
      const auto b = block_of<S::rank>(p.shape, static_cast<std::uint32_t>(s));
      const auto n = b.count();
      for (auto k = lane; k < n; k += p.threads_a_subtask) each(index_at(b, k));
    }
  }
}

/// Nothing reduced.
template <class S>
__global__ void __launch_bounds__(gpu_threads) gpu_run(const __grid_constant__ typename S::params p)
{
  gpu_for_each<S>(p, [&](const auto& at) { S::run_at(p, at); });
}

/// A thread block a subtask, whose value, if there is one, the first thread leaves at subtask_values.
template <class S>
__global__ void __launch_bounds__(gpu_threads) gpu_run_teams(const __grid_constant__ typename S::params p)
{
  struct alignas(64) cell {
    std::byte bytes[64];
  };
  constexpr auto cells = S::shared_bytes == 0 ? 1 : (S::shared_bytes + sizeof(cell) - 1) / sizeof(cell);
  __shared__ gpu_shared<cell, cells> shared;
  const team mine{shared.data()->bytes, S::shared_bytes};
  for (auto s = std::uint64_t{p.begin} + blockIdx.x; s < p.end; s += gridDim.x) {
    S::run_team(p, mine, block_of<S::rank>(p.shape, static_cast<std::uint32_t>(s)));
    __syncthreads();  // before the next subtask takes the memory
  }
}

// One accumulator: order-free operations, and mode `fast` ---------------------------------------------------------------

/// Where blocks leave their values: [blocks] values, then [blocks] flags.
template <class V>
FASTGPU_HD constexpr std::size_t gpu_flags_offset(std::uint32_t blocks)
{
  return (sizeof(V) * blocks + 15) / 16 * 16;
}

/// Merges what the block's threads have into what thread 0 has.
template <class V, unsigned Threads, class Op>
__device__ void gpu_merge_block(const Op& op, gpu_optional<V>& mine)
{
  __shared__ gpu_shared<V, Threads> values;
  __shared__ bool there[Threads];
  __syncthreads();  // of the call before
  there[threadIdx.x] = mine.there;
  if (mine.there) values.data()[threadIdx.x] = mine.value();
  for (unsigned step = Threads / 2; step >= 1; step /= 2) {
    __syncthreads();
    if (threadIdx.x < step && there[threadIdx.x + step]) {
      mine.merge(op, values.data()[threadIdx.x + step]);
      values.data()[threadIdx.x] = mine.value();
      there[threadIdx.x] = true;
    }
  }
}

/// Whether this is the last block of the grid to come here: what the others wrote before is there then. `arrivals` is 0
/// before the launch and after it.
__device__ inline bool gpu_is_last_block(std::uint32_t* arrivals)
{
  __shared__ bool last;
  if (threadIdx.x == 0) {
    __threadfence();
    last = atomicInc(arrivals, gridDim.x - 1) == gridDim.x - 1;  // starts again at 0 by itself
  }
  __syncthreads();
  if (last) __threadfence();
  return last;
}

/// Threads, then blocks; the last block to be done merges what all have left into the accumulator.
/// @see  CUDA C++ Programming Guide, "Memory Fence Functions", for the last block.
template <class S>
__global__ void __launch_bounds__(gpu_fold_threads<typename S::value>)
    gpu_fold_total(const __grid_constant__ typename S::params p, void* block_values)
{
  using V = typename S::value;
  constexpr auto threads = gpu_fold_threads<V>;
  auto* values = static_cast<V*>(block_values);
  auto* there = static_cast<bool*>(block_values) + gpu_flags_offset<V>(gridDim.x);
  auto* flags = reinterpret_cast<std::uint32_t*>(static_cast<char*>(p.total) + gpu_present_offset(sizeof(V)));
  gpu_optional<V> mine;
  gpu_for_each<S>(p, [&](const auto& at) { mine.merge(p.op, S::value_at(p, at)); });
  gpu_merge_block<V, threads>(p.op, mine);
  if (threadIdx.x == 0) {
    if (mine.there) values[blockIdx.x] = mine.value();
    there[blockIdx.x] = mine.there;
  }
  if (!gpu_is_last_block(flags + gpu_arrivals_flag)) return;

  gpu_optional<V> all;
  for (auto b = threadIdx.x; b < gridDim.x; b += threads) {
    if (there[b]) all.merge(p.op, values[b]);
  }
  gpu_merge_block<V, threads>(p.op, all);
  if (threadIdx.x != 0 || !all.there) return;
  auto* total = static_cast<V*>(p.total);
  *total = flags[0] != 0 ? p.op(*total, all.value()) : all.value();
  flags[0] = 1;
}

/// Every thread merges into one vector, atomically: the accumulator, or the block's copy of it in shared memory.
template <class S, bool Shared>
__global__ void __launch_bounds__(gpu_threads) gpu_tally_total(const __grid_constant__ typename S::params p)
{
  using V = typename S::value;
  if constexpr (Shared) {
    __shared__ gpu_shared<V, gpu_shared_tally_bytes / sizeof(V)> shared;
    auto* counts = shared.data();
    for (auto i = threadIdx.x; i < p.width; i += blockDim.x) counts[i] = S::operation::identity();
    __syncthreads();
    gpu_for_each<S>(p, [&](const auto& at) { S::run_at(p, at, counts); });
    __syncthreads();
    for (auto i = threadIdx.x; i < p.width; i += blockDim.x) {
      atomic_merge(static_cast<V*>(p.total) + i, counts[i], p.op);
    }
  } else {
    gpu_for_each<S>(p, [&](const auto& at) { S::run_at(p, at, p.total); });
  }
}

/// Vectors that own launches have left for the batch's subtasks: a thread an element of a share of them.
template <class S>
__global__ void __launch_bounds__(gpu_threads) gpu_fold_vectors(const __grid_constant__ typename S::params p)
{
  const auto threads = std::uint64_t{gridDim.x} * blockDim.x;
  const auto width = static_cast<std::uint64_t>(p.width);
  const auto shares = S::shares_of_vectors(p, threads);
  for (auto t = std::uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; t < width * shares; t += threads) {
    const auto i = static_cast<std::int64_t>(t % width);
    atomic_merge(static_cast<typename S::value*>(p.total) + i, S::fold_share(p, t / width, shares, i), p.op);
  }
}

// Mode `exact` --------------------------------------------------------------------------------------------------------

/// A block's states in shared memory. Values near each other go to the same limbs, so the threads of a warp have a state
/// each, as far as there is room: an odd number of limbs apart, and so in different banks.
/// @see  exact_state: a state is int64 limbs and nothing else.
template <class State>
struct gpu_exact_states {
  static_assert(sizeof(State) % sizeof(std::int64_t) == 0 && alignof(State) <= alignof(std::int64_t));
  static constexpr unsigned limbs = sizeof(State) / sizeof(std::int64_t);
  static constexpr unsigned stride = limbs | 1;
  static constexpr unsigned fitting = 20'000 / (stride * sizeof(std::int64_t));
  static constexpr unsigned count = fitting < 1 ? 1 : fitting < gpu_exact_states_max ? fitting : gpu_exact_states_max;

  std::int64_t* words;
  __device__ State& state(unsigned number) const { return *reinterpret_cast<State*>(words + number * stride); }
  __device__ std::int64_t limb(unsigned i) const
  {
    std::int64_t sum = 0;
    FASTGPU_DETAIL_NO_UNROLL
    for (unsigned n = 0; n < count; ++n) sum += words[n * stride + i];
    return sum;
  }
};

/// Every thread adds to a state of its block's, and these are added to the accumulator.
template <class S>
__global__ void __launch_bounds__(gpu_threads) gpu_fold_exact(const __grid_constant__ typename S::params p)
{
  using states = gpu_exact_states<exact_state<typename S::operation>>;
  __shared__ gpu_shared<std::int64_t, states::count * states::stride> shared;
  const states all{shared.data()};
  for (auto i = threadIdx.x; i < states::count * states::stride; i += blockDim.x) all.words[i] = 0;
  __syncthreads();
  auto& mine = all.state(threadIdx.x % states::count);
  gpu_for_each<S>(p, [&](const auto& at) { mine.add(S::value_at(p, at), gpu_atomic_add{}); });
  __syncthreads();
  if (threadIdx.x < states::count) mine.normalize();
  __syncthreads();
  for (auto i = threadIdx.x; i < states::limbs; i += blockDim.x) {
    const auto sum = all.limb(i);
    if (sum != 0) gpu_atomic_add{}(static_cast<std::int64_t*>(p.total)[i], sum);
  }
}

/// One thread: the sum's carries, now and then, so that any number of batches may follow each other.
template <class S>
__global__ void gpu_normalize_exact(const __grid_constant__ typename S::params p)
{
  static_cast<exact_state<typename S::operation>*>(p.total)->normalize();
}

// Accumulators into one ---------------------------------------------------------------------------------------------

template <class S>
__global__ void __launch_bounds__(gpu_threads) gpu_merge_vectors(const __grid_constant__ typename S::totals t)
{
  const auto threads = std::int64_t{gridDim.x} * blockDim.x;
  for (auto i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < t.width; i += threads) S::merge_elements(t, i);
}

/// One thread: they are few.
template <class S, bool Exact>
__global__ void gpu_merge_scalars(const __grid_constant__ typename S::totals t)
{
  if constexpr (Exact) {
    S::merge_states(t);
  } else {
    S::merge_values(t);
  }
}

// Mode `ordered` ------------------------------------------------------------------------------------------------------

/// A thread is a lane of the shape ordered/1; `threads_a_subtask` of them, one behind the other, are a subtask's.
template <class S>
__global__ void __launch_bounds__(gpu_threads) gpu_fold_lanes(const __grid_constant__ typename S::params p)
{
  using V = typename S::value;
  __shared__ gpu_shared<V, gpu_threads> shared;
  auto* lanes = shared.data() + threadIdx.x;
  const auto lane = static_cast<std::int64_t>(threadIdx.x % p.threads_a_subtask);
  const auto a_block = blockDim.x / p.threads_a_subtask;  // subtasks
  for (auto first = p.begin + std::uint64_t{blockIdx.x} * a_block; first < p.end;
       first += std::uint64_t{gridDim.x} * a_block) {
    const auto s = first + threadIdx.x / p.threads_a_subtask;
    std::int64_t n = 0;  // lanes filled; none where there is no such subtask
    if (s < p.end) {
      const auto b = block_of<S::rank>(p.shape, static_cast<std::uint32_t>(s));
      n = b.count() < lane_count ? b.count() : lane_count;
      if (lane < n) *lanes = S::lane_value(p, b, lane);
    }
    for (auto step = std::int64_t{p.threads_a_subtask} / 2; step >= 1; step /= 2) {
      __syncthreads();
      if (S::lane_merges(lane, step, n)) *lanes = p.op(*lanes, lanes[step]);
      n = n < step ? n : step;
    }
    if (lane == 0 && s < p.end) static_cast<V*>(p.subtask_values)[s - p.begin] = *lanes;
    __syncthreads();  // before the next subtasks take the lanes
  }
}

/// A thread a subtask.
template <class S>
__global__ void __launch_bounds__(gpu_threads) gpu_fold_subtasks(const __grid_constant__ typename S::params p)
{
  const auto threads = std::uint64_t{gridDim.x} * blockDim.x;
  for (auto s = p.begin + std::uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; s < p.end; s += threads) {
    const auto b = block_of<S::rank>(p.shape, static_cast<std::uint32_t>(s));
    static_cast<typename S::value*>(p.subtask_values)[s - p.begin] = S::subtask_value(p, b);
  }
}

/// A thread a span, over the values of its subtasks or, for tallies, over its subtasks; of vectors a thread an element.
template <class S>
__global__ void __launch_bounds__(gpu_threads) gpu_fold_spans(const __grid_constant__ typename S::params p)
{
  const auto threads = std::uint64_t{gridDim.x} * blockDim.x;
  const auto per_span = static_cast<std::uint64_t>(S::tallies ? 1 : S::stride(p));
  const auto n = S::span_count(p) * per_span;
  for (auto t = std::uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; t < n; t += threads) {
    const auto span = static_cast<std::uint32_t>(t / per_span);
    if constexpr (S::tallies) {
      S::tally_span(p, span);
    } else {
      S::fold_span(p, span, static_cast<std::int64_t>(t % per_span));
    }
  }
}

/// Siblings in a forest: a thread an element, which goes through all steps.
template <class S>
__global__ void __launch_bounds__(gpu_threads) gpu_merge_nodes(const __grid_constant__ typename S::node_steps n)
{
  const auto threads = std::int64_t{gridDim.x} * blockDim.x;
  for (auto i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n.width; i += threads) S::merge_nodes(n, i);
}

}  // namespace fastgpu::inline v0::detail
