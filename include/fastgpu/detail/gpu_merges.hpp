#pragma once

#include <cstddef>
#include <cstdint>

#include <fastgpu/aggregate/exact.hpp>
#include <fastgpu/detail/gpu_entry.hpp>

/// @file
/// What the threads of a GPU compute when values merge that launches have left: accumulators into one, and siblings in
/// a forest. In functions that also run on the host, where tests call them.

namespace fastgpu::inline v0::detail {

/// Of values V by the operation Op.
template <class Op, class V>
struct gpu_merges {
  using operation = Op;
  using value = V;

  // Accumulators ----------------------------------------------------------------------------------------------------

  /// What every thread gets that merges them.
  struct totals {
    unsigned char* first;
    std::size_t stride;
    std::uint32_t count;
    std::int64_t width;
    operation op;

    explicit totals(const gpu_totals& t)
        : first{static_cast<unsigned char*>(t.first)},
          stride{t.stride},
          count{t.count},
          width{t.job->width},
          op{*static_cast<const operation*>(t.job->operation)}
    {
    }
    template <class T>
    FASTGPU_HD T* at(std::uint32_t number) const
    {
      return reinterpret_cast<T*>(first + number * stride);
    }
  };

  /// Element `i` of all into that of the first; the others have the identity then. Of vectors.
  FASTGPU_HD static void merge_elements(const totals& t, std::int64_t i)
  {
    auto& to = t.template at<value>(0)[i];
    for (std::uint32_t n = 1; n < t.count; ++n) {
      auto& from = t.template at<value>(n)[i];
      to = t.op(to, from);
      from = operation::identity();
    }
  }

  /// The values that are there into the first; the others have none then. Of scalars.
  FASTGPU_HD static void merge_values(const totals& t)
  {
    const auto flag = [&](std::uint32_t n) {
      return reinterpret_cast<std::uint32_t*>(t.template at<unsigned char>(n) + gpu_present_offset(sizeof(value)));
    };
    auto& to = *t.template at<value>(0);
    for (std::uint32_t n = 1; n < t.count; ++n) {
      if (*flag(n) == 0) continue;
      const auto& from = *t.template at<value>(n);
      to = *flag(0) != 0 ? t.op(to, from) : from;
      *flag(0) = 1;
      *flag(n) = 0;
    }
  }

  /// The states into the first, normalised; the others are 0 then.
  FASTGPU_HD static void merge_states(const totals& t)
  {
    using state = exact_state<operation>;
    auto& to = *t.template at<state>(0);
    to.normalize();
    for (std::uint32_t n = 1; n < t.count; ++n) {
      auto& from = *t.template at<state>(n);
      from.normalize();
      to.add(from);
      from = state{};
    }
    to.normalize();
  }

  // Forests ---------------------------------------------------------------------------------------------------------

  /// What every thread gets that merges nodes.
  struct node_steps {
    gpu_node_step steps[gpu_node_steps_max];
    std::uint32_t count;
    std::int64_t width;
    operation op;

    explicit node_steps(const gpu_node_steps& s)
        : count{s.count}, width{s.job->width}, op{*static_cast<const operation*>(s.job->operation)}
    {
      for (std::uint32_t k = 0; k < count; ++k) steps[k] = s.steps[k];
    }
  };

  /// Element `i` of all steps.
  FASTGPU_HD static void merge_nodes(const node_steps& n, std::int64_t i)
  {
    for (std::uint32_t k = 0; k < n.count; ++k) {
      auto& to = static_cast<value*>(n.steps[k].to)[i];
      const auto& from = static_cast<const value*>(n.steps[k].from)[i];
      to = n.steps[k].merges ? n.op(to, from) : from;
    }
  }
};

}  // namespace fastgpu::inline v0::detail
