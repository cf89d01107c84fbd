#pragma once

#include <barrier>
#include <cstddef>
#include <thread>
#include <vector>

#include <fastgpu/detail/kernel_form.hpp>
#include <fastgpu/team.hpp>

/// @file
/// Teams of several threads on the host, which wait for each other as those of a GPU do: whoever reads what another has
/// not written yet is found by a thread sanitizer.

namespace support {

/// Calls body(team) in each of `size` threads, which share `bytes` of memory that is filled with `content` before.
template <class Body>
void run_team(int size, std::size_t bytes, const Body& body, std::byte content = std::byte{0xa5})
{
  struct alignas(64) cell {
    std::byte bytes[64];
  };
  std::vector<cell> shared(bytes / sizeof(cell) + 1);
  for (auto& c : shared) {
    for (auto& b : c.bytes) b = content;
  }
  std::barrier<> barrier{size};
  const auto arrive = [](void* at) { static_cast<std::barrier<>*>(at)->arrive_and_wait(); };
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] { const fastgpu::team alone{shared.data()->bytes, bytes};
      body(fastgpu::detail::team_thread::make(alone, rank, size, arrive, &barrier)); });
  }
}

/// A kernel of teams, called by a team of one, runs on a team of `size` threads.
template <class Kernel>
struct on_threads {
  static constexpr std::size_t shared_bytes = fastgpu::detail::team_bytes<Kernel>();
  Kernel kernel;
  int size;

  template <class Block, class... Views>
  void operator()(const fastgpu::team&, const Block& block, const Views&... views) const
  {
    run_team(size, shared_bytes, [&](const fastgpu::team& t) { kernel(t, block, views...); });
  }
};

}  // namespace support
