#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "net/messages.hpp"
#include "net/peer.hpp"

/// @file
/// Who may say what: the one table of all messages, in the order of `message`. What is not in it does not compile, so
/// that no message is open to everybody because somebody forgot it.

namespace fastgpu::inline v0::detail {

/// The two ends of a session. Which of them made the connection says nothing about this.
enum class side : std::uint8_t { coordinator, node };

struct dispatch_line {
  std::size_t type = 0;  ///< Position in `message`.
  std::string_view name;
  side from{};
  role needed = role::none;  ///< What the sender must hold.
  bool may_carry_payload = false;
};

/// Position of M in `message`.
template <class M>
inline constexpr std::size_t type_of = []<std::size_t... I>(std::index_sequence<I...>) {
  std::size_t found = sizeof...(I);
  ((std::is_same_v<M, std::variant_alternative_t<I, message>> ? void(found = I) : void()), ...);
  return found;
}(std::make_index_sequence<std::variant_size_v<message>>{});

template <class M>
constexpr dispatch_line line_for(std::string_view name, side from, role needed, bool may_carry_payload = false)
{
  return {type_of<M>, name, from, needed, may_carry_payload};
}

inline constexpr std::array dispatch_table = {
    line_for<open_job>("open_job", side::coordinator, role::submit),
    line_for<job_data_piece>("job_data_piece", side::coordinator, role::submit, true),
    line_for<grant_ranges>("grant_ranges", side::coordinator, role::submit),
    line_for<take_back>("take_back", side::coordinator, role::submit),
    line_for<seal_job>("seal_job", side::coordinator, role::submit),
    line_for<acknowledge_seal>("acknowledge_seal", side::coordinator, role::submit),
    line_for<close_job>("close_job", side::coordinator, role::submit),
    line_for<ask_to_drain>("ask_to_drain", side::coordinator, role::operate),
    line_for<ask_description>("ask_description", side::coordinator, role::observe),
    line_for<describe_node>("describe_node", side::node, role::node),
    line_for<job_opened>("job_opened", side::node, role::node),
    line_for<job_refused>("job_refused", side::node, role::node),
    line_for<taken_back>("taken_back", side::node, role::node),
    line_for<job_sealed>("job_sealed", side::node, role::node, true),
    line_for<backup_done>("backup_done", side::node, role::node, true),
    line_for<attempt_failed>("attempt_failed", side::node, role::node),
    line_for<partial_lost>("partial_lost", side::node, role::node),
    line_for<job_progress>("job_progress", side::node, role::node),
    line_for<node_drains>("node_drains", side::node, role::node),
};

static_assert(
    [] {
      if (dispatch_table.size() != std::variant_size_v<message>) return false;
      for (std::size_t i = 0; i < dispatch_table.size(); ++i) {
        if (dispatch_table[i].type != i || dispatch_table[i].needed == role::none) return false;
      }
      return true;
    }(),
    "every message needs a line in the dispatch table, in the order of the variant, and a role");

}  // namespace fastgpu::inline v0::detail
