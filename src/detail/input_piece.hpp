#pragma once

/// @file
/// How inputs travel to nodes.

namespace fastgpu::inline v0::detail {

/// Bytes of input that are sent with a grant, about: a node begins with a subtask when its piece is there.
inline constexpr double input_piece_bytes = 4 << 20;

}  // namespace fastgpu::inline v0::detail
