#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <fastgpu/detail/program.hpp>

/// @file
/// Programs as other processes know them: by the kernel's registered name and the program's types.

namespace fastgpu::inline v0::detail {

/// All types of a program, as text: the same in every process of one build, whether g++ or nvcc read the source.
[[nodiscard]] std::string signature_of(const program& code);

/// The programs registered under kernel `kernel`, each once.
/// @par Threads  Any.
[[nodiscard]] std::vector<const program*> programs_named(std::string_view kernel);

/// The program of this name and these types. Null where there is none, and where several cannot be told apart: two
/// lambdas of one function, say, or types of unnamed namespaces, may have the same text.
/// @par Threads  Any.
[[nodiscard]] const program* find_program(std::string_view kernel, std::string_view signature);

}  // namespace fastgpu::inline v0::detail
