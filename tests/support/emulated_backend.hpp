#pragma once

#include <cstdint>
#include <functional>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

/// @file
/// Include it first: jobs made in the translation unit then have an entry for GPUs as well, which computes by the same
/// functions as the kernels do, one thread of the GPU after the other. For fake_gpu.

namespace support {
struct emulated_backend;
}
#define FASTGPU_DETAIL_BACKEND ::support::emulated_backend

#include <gtest/gtest.h>
#include <fastgpu/cuda/batch.hpp>
#include <fastgpu/fastgpu.hpp>

#include "support/fake_cuda_context.hpp"
#include "support/fake_gpu.hpp"

namespace support {

template <class S>
struct emulated_program {
  using params = typename S::params;
  using V = typename S::value;
  using fold_kind = fastgpu::detail::fold_kind;

  static int load() { return 0; }
  static std::size_t scratch_bytes(const fastgpu::detail::gpu_batch& batch) { return S::subtask_values_bytes(batch); }
  static int launch(const fastgpu::detail::gpu_batch& batch, void* stream)
  {
    const params p{batch};
    if constexpr (S::launches_itself) {
      fastgpu::cuda_context context{stream};
      S::call_launches(p, context, {batch.job->shape, batch.shape, batch.begin, batch.end});
    }
    fake_gpu::enqueue_kernel(stream, [p, fold = batch.fold] { run(p, fold); });
    return 0;
  }
  static int merge_totals(const fastgpu::detail::gpu_totals& totals, void* stream)
  {
    if constexpr (S::reduces) {
      fake_gpu::enqueue_kernel(stream, [t = typename S::totals{totals}, fold = totals.fold] { merge(t, fold); });
    }
    return 0;
  }
  static int merge_nodes(const fastgpu::detail::gpu_node_steps& steps, void* stream)
  {
    fake_gpu::enqueue_kernel(stream, [n = typename S::node_steps{steps}] {
      for (std::int64_t i = 0; i < n.width; ++i) S::merge_nodes(n, i);
    });
    return 0;
  }
  static constexpr auto merges_nodes() -> decltype(&merge_nodes)
  {
    if constexpr (S::vectors && !S::order_free) {
      return &merge_nodes;
    } else {
      return nullptr;
    }
  }
  static constexpr fastgpu::detail::gpu_entry entry{1,       S::by_element, &load,         &scratch_bytes,
                                                    &launch, &merge_totals, merges_nodes()};

 private:
  template <class Each>
  static void for_each(const params& p, const Each& each)
  {
    for (auto s = p.begin; s < p.end; ++s) {
      const auto b = fastgpu::detail::block_of<S::rank>(p.shape, s);
      if constexpr (S::by_element) {
        for (std::int64_t k = 0; k < b.count(); ++k) each(fastgpu::detail::index_at(b, k));
      } else {
        each(b);
      }
    }
  }

  static void merge(const typename S::totals& t, [[maybe_unused]] fold_kind fold)
  {
    if constexpr (S::vectors) {
      for (std::int64_t i = 0; i < t.width; ++i) S::merge_elements(t, i);
    } else if (fold == fold_kind::single) {
      S::merge_values(t);
    } else if constexpr (fastgpu::detail::exact_state<typename S::operation>::supported) {
      S::merge_states(t);
    }
  }

  static void run(const params& p, fold_kind fold)
  {
    if constexpr (S::by_team) run_teams(p);
    if constexpr (!S::reduces) {
      if constexpr (!S::launches_itself && !S::by_team) for_each(p, [&](const auto& at) { S::run_at(p, at); });
    } else if (fold == fold_kind::ordered) {
      run_ordered(p);
    } else if (fold == fold_kind::exact) {
      run_exact(p);
    } else if constexpr (S::tallies) {
      for_each(p, [&](const auto& at) { S::run_at(p, at, p.total); });
    } else if constexpr (S::vectors) {
      for (const std::uint64_t t : {0, 1, 2}) fold_vectors(p, t);
    } else {
      auto* total = static_cast<V*>(p.total);
      auto& present = *reinterpret_cast<std::uint32_t*>(static_cast<char*>(p.total) +
                                                        fastgpu::detail::gpu_present_offset(sizeof(V)));
      for_each(p, [&](const auto& at) {
        const V v = S::value_at(p, at);
        *total = present != 0 ? p.op(*total, v) : v;
        present = 1;
      });
    }
  }

  static void run_teams(const params& p)
  {
    struct alignas(64) cell {
      std::byte bytes[64];
    };
    std::vector<cell> shared(S::shared_bytes / sizeof(cell) + 1);
    for (auto s = p.begin; s < p.end; ++s) {
      S::run_team(p, fastgpu::team{shared.data()->bytes, S::shared_bytes}, fastgpu::detail::block_of<S::rank>(p.shape, s));
    }
  }

  /// One thread of so many that there are two shares, where there are two subtasks.
  static void fold_vectors(const params& p, std::uint64_t first)
  {
    const auto width = static_cast<std::uint64_t>(p.width);
    const auto shares = S::shares_of_vectors(p, 2 * width);
    for (auto t = first; t < width * shares; t += 3) {
      const auto i = static_cast<std::int64_t>(t % width);
      auto& to = static_cast<V*>(p.total)[i];
      to = p.op(to, S::fold_share(p, t / width, shares, i));
    }
  }

  static void run_exact([[maybe_unused]] const params& p)
  {
    if constexpr (S::reduces && !S::vectors && fastgpu::detail::exact_state<typename S::operation>::supported) {
      auto& state = *static_cast<fastgpu::detail::exact_state<typename S::operation>*>(p.total);
      const auto plainly = [](std::int64_t& limb, std::int64_t by) { limb += by; };
      for_each(p, [&](const auto& at) { state.add(S::value_at(p, at), plainly); });
      state.normalize();
    }
  }

  /// Lane by lane, as threads of a block would.
  static V fold_lanes(const params& p, const fastgpu::block<S::rank>& b)
  {
    struct cell {
      alignas(V) std::byte bytes[sizeof(V)];
      V& value() { return *reinterpret_cast<V*>(bytes); }
    };
    std::vector<cell> lanes(p.threads_a_subtask);
    auto filled = std::min<std::int64_t>(b.count(), fastgpu::detail::lane_count);
    EXPECT_LE(filled, p.threads_a_subtask);
    for (std::int64_t l = 0; l < filled; ++l) new (lanes[l].bytes) V(S::lane_value(p, b, l));
    for (auto step = std::int64_t{p.threads_a_subtask} / 2; step >= 1; step /= 2) {
      for (std::int64_t l = 0; l < p.threads_a_subtask; ++l) {
        if (S::lane_merges(l, step, filled)) lanes[l].value() = p.op(lanes[l].value(), lanes[l + step].value());
      }
      filled = std::min(filled, step);
    }
    return lanes[0].value();
  }

  static void run_ordered([[maybe_unused]] const params& p)
  {
    if constexpr (!S::order_free) {
      if constexpr (!S::tallies && !S::leaves_values) {
        for (auto s = p.begin; s < p.end; ++s) {
          const auto b = fastgpu::detail::block_of<S::rank>(p.shape, s);
          auto* to = static_cast<V*>(p.subtask_values) + (s - p.begin);
          if constexpr (S::by_lanes) {
            new (to) V(fold_lanes(p, b));
          } else {
            new (to) V(S::subtask_value(p, b));
          }
        }
      }
      if (!S::tallies && p.subtask_values == p.span_values) return;
      for (std::uint32_t i = 0; i < S::span_count(p); ++i) {
        if constexpr (S::tallies) {
          S::tally_span(p, i);
        } else {
          for (std::int64_t e = 0; e < S::stride(p); ++e) S::fold_span(p, i, e);
        }
      }
    }
  }
};

/// Takes every program but those that ask for a host_context and do not launch for themselves.
struct emulated_backend {
  static constexpr const char* name = "cuda";
  template <class Program>
  static constexpr bool takes()
  {
    return Program::gpu::launches_itself || Program::gpu::form != fastgpu::detail::kernel_form::by_context;
  }
  template <class Program>
  static constexpr const fastgpu::detail::gpu_entry* gpu_entry_of()
  {
    return &emulated_program<typename Program::gpu>::entry;
  }
};

}  // namespace support
