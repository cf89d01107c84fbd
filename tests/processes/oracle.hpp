#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ostream>
#include <thread>
#include <vector>

#include <fastgpu/fastgpu.hpp>

#include "support/splitmix.hpp"

/// @file
/// A job whose answer tells of every subtask that is lost or counted twice, and which takes a known time.

namespace oracle {

/// What this process's kernels take in proportion to what they are told to.
inline std::atomic<double> slowness = 1;

struct answer {
  std::uint64_t sum = 0;
  std::uint64_t exclusive = 0;
  std::uint64_t count = 0;
  friend bool operator==(const answer&, const answer&) = default;
  friend std::ostream& operator<<(std::ostream& to, const answer& a)
  {
    return to << "{sum " << a.sum << ", xor " << a.exclusive << ", count " << a.count << '}';
  }
};

struct combine {
  using value_type = answer;
  static constexpr bool commutative = true;
  static constexpr bool order_free = true;
  static constexpr const char* name = "test.combine";
  answer operator()(const answer& a, const answer& b) const
  {
    return {a.sum + b.sum, a.exclusive ^ b.exclusive, a.count + b.count};
  }
  static answer identity() { return {}; }
};

/// Sleeps rather than computes, so that nodes on one machine are as many machines.
struct slow_mix {
  std::uint32_t microseconds = 0;
  answer operator()(std::uint64_t i) const
  {
    const std::chrono::duration<double, std::micro> span{microseconds * slowness};
    if (microseconds > 0) std::this_thread::sleep_for(span);
    const auto bits = support::mix(i + 1);
    return {bits, bits, 1};
  }
};
FASTGPU_REGISTER("test.oracle.slow_mix", slow_mix, combine)

/// Data both ways: a node is sent what it reads, and sends what it has written.
struct scramble {
  void operator()(fastgpu::index<1> at, fastgpu::in1<std::uint64_t> in, fastgpu::out1<std::uint64_t> out) const
  {
    out(at) = support::mix(in(at) + static_cast<std::uint64_t>(at[0]));
  }
};
FASTGPU_REGISTER("test.oracle.scramble", scramble)

inline auto scramble_job(const std::vector<std::uint64_t>& in, std::vector<std::uint64_t>& out)
{
  return fastgpu::make_job(fastgpu::space<1>{static_cast<std::int64_t>(in.size()), fastgpu::by_size{1024}}, scramble{},
                           fastgpu::slices(in), fastgpu::gather(out));
}

inline answer expected(std::uint64_t n)
{
  answer all;
  for (std::uint64_t i = 0; i < n; ++i) all = combine{}(all, slow_mix{}(i));
  return all;
}

/// `n` subtasks.
inline auto job(std::uint64_t n, std::uint32_t microseconds)
{
  return fastgpu::make_job(fastgpu::space<1>{static_cast<std::int64_t>(n), fastgpu::by_size{1}}, slow_mix{microseconds},
                           fastgpu::reduced(combine{}));
}

}  // namespace oracle
