#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <fastgpu/detail/argument.hpp>
#include <fastgpu/index.hpp>
#include <fastgpu/kernel.hpp>
#include <fastgpu/team.hpp>

/// @file
/// How kernels may be called, and what their arguments and reductions are, as types. For every back end's loop.

namespace fastgpu::inline v0::detail {

/// How values of a program are reduced, as types.
struct no_reduction {};
template <class Op, class V>
struct value_reduction {};
template <class Op>
struct vector_reduction {};

/// An argument passed by value: the kernel gets a reference to the job's copy.
template <class T>
struct value_argument {
  using view_type = const T&;
  static constexpr bool per_block = false;
  argument what{};
  T value;
};

/// Where `reduced(op, width)` stands among the arguments.
template <class Op>
struct tally_argument {
  using view_type = tally<Op>;
  static constexpr bool per_block = false;
  argument what{};
};

/// Which form of call a kernel has. Where it has several, the first in this list is taken.
enum class kernel_form { none, by_number, by_index, by_team, by_block, by_context };

template <int N, class Kernel, class... Views>
constexpr kernel_form form_of()
{
  if constexpr (N == 1 && std::is_invocable_v<const Kernel&, std::uint64_t, Views...>) {
    return kernel_form::by_number;
  } else if constexpr (std::is_invocable_v<const Kernel&, index<N>, Views...>) {
    return kernel_form::by_index;
  } else if constexpr (std::is_invocable_v<const Kernel&, const team&, block<N>, Views...>) {
    return kernel_form::by_team;
  } else if constexpr (std::is_invocable_v<const Kernel&, block<N>, Views...>) {
    return kernel_form::by_block;
  } else if constexpr (std::is_invocable_v<const Kernel&, host_context&, block<N>, Views...>) {
    return kernel_form::by_context;
  } else {
    return kernel_form::none;
  }
}

template <int N, class Kernel, class... Views>
constexpr auto result_of()
{
  constexpr auto form = form_of<N, Kernel, Views...>();
  if constexpr (form == kernel_form::by_number) {
    return std::type_identity<std::invoke_result_t<const Kernel&, std::uint64_t, Views...>>{};
  } else if constexpr (form == kernel_form::by_index) {
    return std::type_identity<std::invoke_result_t<const Kernel&, index<N>, Views...>>{};
  } else if constexpr (form == kernel_form::by_block) {
    return std::type_identity<std::invoke_result_t<const Kernel&, block<N>, Views...>>{};
  } else if constexpr (form == kernel_form::by_team) {
    return std::type_identity<std::invoke_result_t<const Kernel&, const team&, block<N>, Views...>>{};
  } else if constexpr (form == kernel_form::by_context) {
    return std::type_identity<std::invoke_result_t<const Kernel&, host_context&, block<N>, Views...>>{};
  } else {
    return std::type_identity<void>{};
  }
}

/// Bytes that the threads of a team share in `Kernel`.
template <class Kernel>
constexpr std::size_t team_bytes()
{
  if constexpr (requires { Kernel::shared_bytes; }) {
    return Kernel::shared_bytes;
  } else {
    return 0;
  }
}

}  // namespace fastgpu::inline v0::detail
