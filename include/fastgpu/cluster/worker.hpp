#pragma once

#include <optional>

#include <fastgpu/config.hpp>

/// @file
/// Devices in a process of their own, so that what ends a process ends no more than that one.

namespace fastgpu::inline v0 {

/// Where devices live.
enum class isolation : unsigned char {
  none,     ///< In this process.
  process,  ///< In a child, which is started anew when it dies; what it had not sealed runs again.
};

/// First in main() of a program that uses isolation::process: its children are the same program, and this is where they
/// become workers.
///
///     int main(int argc, char** argv)
///     {
///       if (const auto status = fastgpu::run_as_worker(argc, argv)) return *status;
///       ...
///
/// @return  In a child, once its parent needs it no more or is gone: the exit status. Nothing in any other process.
[[nodiscard]] FASTGPU_API std::optional<int> run_as_worker(int argc, char** argv);

}  // namespace fastgpu::inline v0
