#pragma once

#include <string>

/// @file
/// The machine that measurements are of.

namespace fastgpu::inline v0::detail {

/// "AMD EPYC 9654"; the architecture's name where processors have none.
[[nodiscard]] std::string processor_name();

}  // namespace fastgpu::inline v0::detail
