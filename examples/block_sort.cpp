#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "program/command_line.hpp"
#include "program/sha256.hpp"
#if defined(__CUDACC__)
#include <thrust/copy.h>
#include <thrust/sort.h>
#include <thrust/system/cuda/execution_policy.h>
#endif

/// @file
/// Sorts 64-bit keys: each subtask sorts a block of them, on a GPU by launches of its own, which are Thrust's; then jobs
/// merge neighbouring runs, two and two, until one is left. It shows how, not how fast: every round of merging takes all
/// keys to the GPUs and back.

using key = std::uint64_t;

/// The i-th key to be sorted.
struct draw_key {
  std::uint32_t seed;

  FASTGPU_HD key operator()(std::uint64_t i) const
  {
    const auto low = static_cast<std::uint32_t>(i);
    const auto high = static_cast<std::uint32_t>(i >> 32);
    const auto drawn = fastgpu::philox4x32_10({{low, high, 0, 1}}, {{seed, 0}});
    return (key{drawn.word[1]} << 32) | drawn.word[0];
  }
};
FASTGPU_REGISTER("example.draw_key", draw_key)

#if defined(__CUDACC__)

/// Scratch memory for Thrust. It is freed with the context, since what was enqueued still uses it.
struct scratch_allocator {
  using value_type = char;
  fastgpu::cuda_context& gpu;

  char* allocate(std::ptrdiff_t bytes)
  {
    auto* memory = gpu.scratch(static_cast<std::size_t>(bytes));
    if (memory == nullptr) {
      throw std::runtime_error{"the GPU has no " + std::to_string(bytes) + " bytes left to sort in"};
    }
    return static_cast<char*>(memory);
  }
  void deallocate(char*, std::size_t) {}
};

/// A thread block a subtask: block[i] = the number of the subtask that the batch's i-th key belongs to.
static __global__ void number_blocks(fastgpu::cuda_batch<1> batch, std::uint32_t* block)
{
  const auto first = batch[0].begin[0];
  const auto mine = batch[blockIdx.x];
  for (auto i = mine.begin[0] + threadIdx.x; i < mine.end[0]; i += blockDim.x) block[i - first] = blockIdx.x;
}

#endif

struct sort_block {
#if defined(__CUDACC__)
  /// All blocks of a batch at once, however small they are: by key, then by block with the order of keys kept.
  void operator()(fastgpu::cuda_context& gpu, const fastgpu::cuda_batch<1>& batch, fastgpu::in1<key> in,
                  fastgpu::out1<key> out) const
  {
    const auto first = batch[0].begin[0];
    const auto n = batch[batch.size() - 1].end[0] - first;
    auto* keys = &out(first);
    scratch_allocator scratch{gpu};
    const auto policy = thrust::cuda::par_nosync(scratch).on(gpu.stream());
    thrust::copy_n(policy, &in(first), n, keys);
    if (batch.size() == 1) {
      thrust::sort(policy, keys, keys + n);
      return;
    }
    auto* block = reinterpret_cast<std::uint32_t*>(scratch.allocate(n * std::ptrdiff_t{sizeof(std::uint32_t)}));
    number_blocks<<<batch.size(), 256, 0, gpu.stream()>>>(batch, block);
    if (const auto status = cudaGetLastError(); status != cudaSuccess) {  // Thrust would clear it
      throw std::runtime_error{cudaGetErrorString(status)};
    }
    thrust::stable_sort_by_key(policy, keys, keys + n, block);
    thrust::stable_sort_by_key(policy, block, block + n, keys);
  }
#endif

  void operator()(fastgpu::host_context&, fastgpu::block<1> block, fastgpu::in1<key> in, fastgpu::out1<key> out) const
  {
    auto* keys = &out(block.begin[0]);
    std::copy_n(&in(block.begin[0]), block.count(), keys);
    std::sort(keys, keys + block.count());
  }
};
FASTGPU_REGISTER("example.sort_block", sort_block)

/// Of a and b, ascending, how many keys of `a` are among the first `n` of both merged; of equal keys those of `a` come
/// first.
///
/// @pre  n <= a_count + b_count
/// @see  O. Green, R. McColl, D. A. Bader, "GPU merge path", ICS 2012, doi 10.1145/2304576.2304621.
FASTGPU_HD inline std::int64_t merge_path(const key* a, std::int64_t a_count, const key* b, std::int64_t b_count,
                                          std::int64_t n)
{
  auto low = n > b_count ? n - b_count : 0;
  auto high = n < a_count ? n : a_count;
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    if (b[n - 1 - middle] < a[middle]) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

/// Merges neighbouring runs of `run` keys, two and two. The last run may be shorter, or alone.
struct merge_runs {
  std::int64_t run;

  FASTGPU_HD void operator()(fastgpu::block<1> part, fastgpu::in1<key> from, fastgpu::out1<key> to) const
  {
    const auto count = from.shape()[0];
    const auto at_most = [count](std::int64_t i) { return i < count ? i : count; };
    for (auto at = part.begin[0]; at < part.end[0];) {
      const auto begin = at / (2 * run) * (2 * run);
      const auto middle = at_most(begin + run);
      const auto end = at_most(begin + 2 * run);
      const auto stop = end < part.end[0] ? end : part.end[0];
      const auto* keys = from.data();
      auto left = begin + merge_path(keys + begin, middle - begin, keys + middle, end - middle, at - begin);
      auto right = middle + (at - left);
      while (at < stop && left < middle && right < end) {
        const auto of_left = keys[left];
        const auto of_right = keys[right];
        const bool takes_right = of_right < of_left;
        to(at++) = takes_right ? of_right : of_left;
        right += takes_right ? 1 : 0;
        left += takes_right ? 0 : 1;
      }
      while (at < stop) to(at++) = left < middle ? keys[left++] : keys[right++];
    }
  }
};
FASTGPU_REGISTER("example.merge_runs", merge_runs)

/// Sums of two hashes of the keys: their order leaves it as it is, a key that is lost, changed or doubled does not.
struct fingerprint {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  friend bool operator==(const fingerprint&, const fingerprint&) = default;
};
using fingerprint_sum = fastgpu::sum_of<&fingerprint::first, &fingerprint::second>;

struct take_fingerprint {
  /// MurmurHash3's finaliser: a bijection.
  FASTGPU_HD static std::uint64_t mix(std::uint64_t word)
  {
    word = (word ^ (word >> 33)) * 0xff51afd7ed558ccd;
    word = (word ^ (word >> 33)) * 0xc4ceb9fe1a85ec53;
    return word ^ (word >> 33);
  }
  FASTGPU_HD fingerprint operator()(fastgpu::index<1> at, fastgpu::in1<key> keys) const
  {
    const auto hash = mix(keys(at) + 1);
    return {hash, mix(hash + 1)};
  }
};
FASTGPU_REGISTER("example.fingerprint", take_fingerprint)

struct input {
  std::int64_t count = std::int64_t{1} << 24;
  std::uint32_t seed = 1;
  friend bool operator==(const input&, const input&) = default;
};

// SHA-256 of what input{} becomes.
constexpr auto answer = "500c43d23bf1314c24b92e08dc5a184fd705ddef62e025e4aae6f4b87cbdd1cf";

fingerprint fingerprint_of(program::session& s, const std::vector<key>& keys)
{
  return s.run(
      fastgpu::make_job(keys.size(), take_fingerprint{}, fastgpu::slices(keys), fastgpu::reduced(fingerprint_sum{})));
}

/// Sorts `runs`, of which every `run` keys are ascending, in jobs that merge two and two. Returns how many these were.
int merge_all(program::session& s, std::vector<key>& runs, std::int64_t run, std::vector<key>& room)
{
  const auto count = static_cast<std::int64_t>(runs.size());
  const fastgpu::space parts{count, fastgpu::by_size{1024}};  // a thread's on a GPU: many are needed there
  int rounds = 0;
  for (; run < count; run *= 2) {
    s.run(fastgpu::make_job(parts, merge_runs{run}, fastgpu::broadcast(runs), fastgpu::gather(room)));
    runs.swap(room);
    ++rounds;
  }
  return rounds;
}

bool run(program::session& s, const input& in)
{
  const auto blocks = s.space(in.count, 65'536);
  const auto& cut = blocks.shape().dimensions[0];
  std::vector<key> keys(static_cast<std::size_t>(in.count));
  std::vector<key> sorted(keys.size());
  fastgpu::transform(s.cluster(), keys, draw_key{in.seed});
  s.run(fastgpu::make_job(blocks, sort_block{}, fastgpu::slices(keys), fastgpu::gather(sorted)));
  const auto drawn = fingerprint_of(s, keys);
  const int rounds = merge_all(s, sorted, std::min(cut.size, in.count), keys);

  static_assert(std::endian::native == std::endian::little, "the hash is taken over little-endian bytes");
  program::sha256 hash;
  hash.add_bytes(sorted.data(), sorted.size() * sizeof(key));
  s.set_result_hash(hash.hex());
  const bool ascending = std::is_sorted(sorted.begin(), sorted.end());
  const bool same_keys = fingerprint_of(s, sorted) == drawn;
  const bool verified = ascending && same_keys && (in != input{} || s.result_hash() == answer);
  s.fields = {{"count", in.count},      {"blocks", cut.tiles},    {"rounds", rounds},
              {"ascending", ascending}, {"same_keys", same_keys}, {"verified", verified}};
  s.print("sorted " + std::to_string(in.count) + " keys; blocks: " + std::to_string(cut.tiles) +
          ", rounds of merging: " + std::to_string(rounds));
  s.print(verified ? "VERIFIED" : "NOT VERIFIED");
  return verified;
}

int main(int argc, char** argv)
{
  program::command_line line{"block_sort", "Sorts 64-bit keys in blocks, merges the blocks, and verifies the result"};
  input in;
  line.app()
      .add_option("--count", in.count, "Keys")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 32))
      ->capture_default_str();
  line.app().add_option("--seed", in.seed, "Seed of the keys")->capture_default_str();
  return line.run(argc, argv, [&](program::session& s) { return run(s, in); });
}
