#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include <fastgpu/cuda/runner.cuh>
#include <fastgpu/detail/gpu_entry.hpp>

/// @file
/// Which kernels a program has, and how a batch is made of launches of theirs.

namespace fastgpu::inline v0::detail {

/// A program's launches. `Runtime` carries them out: on GPUs cuda_runtime, in tests threads of the host.
template <class S, class Runtime>
class gpu_program {
  using params = typename S::params;
  static_assert(sizeof(params) <= 32'764,
                "fastgpu: kernel, operation and arguments by value are larger than the 32,764 bytes that a launch carries: "
                "let what is large be a broadcast()");
  using V = typename S::value;
  /// A block's values or state lie in shared memory, of which a kernel has 48 KiB without asking.
  static constexpr std::size_t shared_bytes_max = 40000;
  static constexpr bool folds_singly = S::commutative && sizeof(V) * gpu_fold_threads<V> <= shared_bytes_max;
  static constexpr bool merges_atomically = sizeof(V) == 4 || sizeof(V) == 8;
  static constexpr bool has_nodes = S::vectors && !S::order_free;

  static constexpr bool can_fold_exactly()
  {
    if constexpr (S::reduces && !S::vectors && exact_state<typename S::operation>::supported) {
      return sizeof(exact_state<typename S::operation>) <= shared_bytes_max;
    } else {
      return false;
    }
  }
  static constexpr bool folds_exactly = can_fold_exactly();

  /// What a mode needs that this program has no kernel for: tells it as a kernel's failure, since no GPU could do it.
  [[noreturn]] static void refuse(const char* why) { throw std::runtime_error{why}; }

  /// All kernels, so that none is loaded in the middle of a run: that may wait for everything on the GPU.
  static int load()
  {
    int status = 0;
    const auto touch = [&](auto* kernel) {
      if (status == 0) status = Runtime::load(reinterpret_cast<const void*>(kernel));
    };
    if constexpr (S::by_team) touch(&gpu_run_teams<S>);
    if constexpr (!S::reduces) {
      if constexpr (!S::launches_itself && !S::by_team) touch(&gpu_run<S>);
    } else if constexpr (S::vectors) {
      if constexpr (merges_atomically) {
        if constexpr (S::tallies) {
          touch(&gpu_tally_total<S, true>);
          touch(&gpu_tally_total<S, false>);
        } else {
          touch(&gpu_fold_vectors<S>);
        }
        touch(&gpu_merge_vectors<S>);
      }
      if constexpr (has_nodes) touch(&gpu_merge_nodes<S>);
    } else {
      if constexpr (folds_singly) {
        touch(&gpu_fold_total<S>);
        touch(&gpu_merge_scalars<S, false>);
      }
      if constexpr (folds_exactly) {
        touch(&gpu_fold_exact<S>);
        touch(&gpu_normalize_exact<S>);
        touch(&gpu_merge_scalars<S, true>);
      }
      if constexpr (!S::order_free && S::by_lanes) touch(&gpu_fold_lanes<S>);
      if constexpr (!S::order_free && !S::by_lanes && !S::leaves_values) touch(&gpu_fold_subtasks<S>);
    }
    if constexpr (S::reduces && !S::order_free) touch(&gpu_fold_spans<S>);
    return status;
  }

  /// The values of subtasks first, then those of blocks.
  static std::size_t block_values_at(const gpu_batch& batch)
  {
    return (S::subtask_values_bytes(batch) + 255) / 256 * 256;
  }

  static std::size_t scratch_bytes(const gpu_batch& batch)
  {
    if (batch.fold == fold_kind::single && !S::vectors) {
      return block_values_at(batch) + gpu_flags_offset<V>(batch.blocks) + batch.blocks;
    }
    return S::subtask_values_bytes(batch);
  }

  static int launch(const gpu_batch& batch, void* stream)
  {
    const params p{batch};
    if constexpr (S::launches_itself) {
      if (const auto status = Runtime::template launch_own<S>(p, batch, stream); status != 0) return status;
    }
    if constexpr (S::by_team) {
      const std::uint64_t subtasks = p.end - p.begin;
      Runtime::launch(&gpu_run_teams<S>, grid(batch, subtasks * gpu_threads), gpu_threads, stream, p);
    }
    if constexpr (!S::reduces) {
      if constexpr (!S::launches_itself && !S::by_team) {
        Runtime::launch(&gpu_run<S>, blocks_for(batch, p, gpu_threads), gpu_threads, stream, p);
      }
    } else {
      switch (batch.fold) {
        case fold_kind::none: break;
        case fold_kind::single: launch_single(batch, p, stream); break;
        case fold_kind::exact: launch_exact(batch, p, stream); break;
        case fold_kind::ordered: launch_ordered(batch, p, stream); break;
      }
    }
    return Runtime::last_error();
  }

  static void launch_single([[maybe_unused]] const gpu_batch& batch, [[maybe_unused]] const params& p,
                            [[maybe_unused]] void* stream)
  {
    if constexpr (S::vectors && !merges_atomically) {
      refuse("on a GPU the elements of a vector reduction have 4 or 8 bytes, but in mode 'ordered'");
    } else if constexpr (S::tallies) {
      const auto bytes = sizeof(V) * static_cast<std::size_t>(p.width);
      const auto blocks = blocks_for(batch, p, gpu_threads);
      if (bytes <= gpu_shared_tally_bytes) {
        Runtime::launch(&gpu_tally_total<S, true>, blocks, gpu_threads, stream, p);
      } else {
        Runtime::launch(&gpu_tally_total<S, false>, blocks, gpu_threads, stream, p);
      }
    } else if constexpr (S::vectors) {
      const auto elements = static_cast<std::uint64_t>(p.end - p.begin) * static_cast<std::uint64_t>(p.width);
      Runtime::launch(&gpu_fold_vectors<S>, grid(batch, elements), gpu_threads, stream, p);
    } else if constexpr (!folds_singly) {
      refuse("the value is too large for a GPU's shared memory; mode 'ordered' does without");
    } else {
      constexpr auto threads = gpu_fold_threads<V>;
      const auto blocks = blocks_for(batch, p, threads);
      auto* block_values = static_cast<char*>(batch.scratch) + block_values_at(batch);
      Runtime::launch(&gpu_fold_total<S>, blocks, threads, stream, p, block_values);
    }
  }

  static void launch_exact([[maybe_unused]] const gpu_batch& batch, [[maybe_unused]] const params& p,
                           [[maybe_unused]] void* stream)
  {
    if constexpr (folds_exactly) {
      Runtime::launch(&gpu_fold_exact<S>, blocks_for(batch, p, gpu_threads), gpu_threads, stream, p);
      // A block counts as gpu_exact_states_max additions; see superaccumulator::adds_before_normalize for how many may be.
      constexpr std::uint32_t launches_between = 4096;
      if (batch.launches % launches_between == 0) Runtime::launch(&gpu_normalize_exact<S>, 1, 1, stream, p);
    } else {
      refuse("the exact state is too large for a GPU's shared memory");
    }
  }

  static void launch_ordered([[maybe_unused]] const gpu_batch& batch, [[maybe_unused]] const params& p,
                             [[maybe_unused]] void* stream)
  {
    if constexpr (!S::order_free) {
      const std::uint64_t subtasks = p.end - p.begin;
      if constexpr (S::by_lanes) {
        Runtime::launch(&gpu_fold_lanes<S>, grid(batch, subtasks * p.threads_a_subtask), gpu_threads, stream, p);
      } else if constexpr (!S::tallies && !S::leaves_values) {
        Runtime::launch(&gpu_fold_subtasks<S>, grid(batch, subtasks), gpu_threads, stream, p);
      }
      if (S::tallies || p.subtask_values != p.span_values) {
        const auto per_span = static_cast<std::uint64_t>(S::tallies ? 1 : S::stride(p));
        Runtime::launch(&gpu_fold_spans<S>, grid(batch, S::span_count(p) * per_span), gpu_threads, stream, p);
      }
    }
  }

  static int merge_totals([[maybe_unused]] const gpu_totals& totals, [[maybe_unused]] void* stream)
  {
    if constexpr (S::vectors && merges_atomically) {
      Runtime::launch(&gpu_merge_vectors<S>, grid(totals, static_cast<std::uint64_t>(totals.job->width)), gpu_threads,
                      stream, typename S::totals{totals});
    } else if constexpr (S::reduces && !S::vectors) {
      if (totals.fold == fold_kind::exact) {
        if constexpr (folds_exactly)
          Runtime::launch(&gpu_merge_scalars<S, true>, 1, 1, stream, typename S::totals{totals});
      } else {
        if constexpr (folds_singly)
          Runtime::launch(&gpu_merge_scalars<S, false>, 1, 1, stream, typename S::totals{totals});
      }
    }
    return Runtime::last_error();
  }

  static int merge_nodes(const gpu_node_steps& steps, void* stream)
  {
    const auto blocks = grid(steps, static_cast<std::uint64_t>(steps.job->width));
    Runtime::launch(&gpu_merge_nodes<S>, blocks, gpu_threads, stream, typename S::node_steps{steps});
    return Runtime::last_error();
  }
  static constexpr auto merges_nodes() -> decltype(&merge_nodes)
  {
    if constexpr (has_nodes) {
      return &merge_nodes;
    } else {
      return nullptr;
    }
  }

  /// Blocks for gpu_for_each(): no more than fill the GPU, no fewer than one.
  static std::uint32_t blocks_for(const gpu_batch& batch, const params& p, std::uint64_t threads)
  {
    const std::uint64_t subtasks = p.end - p.begin;
    auto wanted = subtasks;
    if constexpr (S::by_element && S::rank == 1) {
      wanted = subtasks * batch.largest_subtask;
    } else if constexpr (S::by_element) {
      wanted = subtasks * p.threads_a_subtask;
    }
    return static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>((wanted + threads - 1) / threads, 1, std::max(batch.blocks, 1u)));
  }
  /// @param what  Anything that says how many blocks fill the GPU.
  template <class What>
  static std::uint32_t grid(const What& what, std::uint64_t threads)
  {
    return static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>((threads + gpu_threads - 1) / gpu_threads, 1, std::max(what.blocks, 1u)));
  }

  static constexpr std::uint32_t kernel_count()
  {
    if constexpr (!S::reduces) return S::launches_itself ? 0 : 1;
    std::uint32_t count = S::by_team ? 1 : 0;
    if (S::vectors) {
      if (merges_atomically)
        count += S::tallies ? 3 : 2;  // the accumulator, of tallies in two ways, and lanes' into one
      if (has_nodes) count += 1;
    } else {
      if (folds_singly) count += 2;
      if (folds_exactly) count += 3;
      if (!S::order_free && !S::leaves_values) count += 1;  // the subtasks
    }
    return S::order_free ? count : count + 1;  // the spans
  }

 public:
  static constexpr gpu_entry entry{kernel_count(), S::by_element, &load,         &scratch_bytes,
                                   &launch,        &merge_totals, merges_nodes()};
};

}  // namespace fastgpu::inline v0::detail
