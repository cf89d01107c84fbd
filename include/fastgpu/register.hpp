#pragma once

#include <cstddef>
#include <string_view>

#include <fastgpu/config.hpp>
#include <fastgpu/detail/program.hpp>

/// @file
/// Registration: the names under which other processes and back ends know kernels.

namespace fastgpu::inline v0 {

namespace detail {

struct gpu_entry;

/// A back end, as registration knows it: its name, the programs it takes, and what it adds for them.
struct host_backend {
  static constexpr const char* name = "host";
  template <class Program>
  static constexpr bool takes()
  {
    return true;
  }
  template <class Program>
  static constexpr const gpu_entry* gpu_entry_of()  // a program's host entry is in the program itself
  {
    return nullptr;
  }
};

/// Found only where no overload for the kernel's own type is: kernels without a name run in this process.
constexpr const char* fastgpu_kernel_name(const void*) { return ""; }

template <class Kernel>
constexpr const char* kernel_name()
{
  return fastgpu_kernel_name(static_cast<const Kernel*>(nullptr));
}

/// Adds a program's entry of one back end to the process's registry. Several object files may bring the same one.
FASTGPU_API bool add_to_registry(const program& code, const char* backend, const gpu_entry* entry) noexcept;

/// Whether `code` has an entry for `backend`.
[[nodiscard]] FASTGPU_API bool is_registered(const program& code, std::string_view backend) noexcept;

/// The entry of `code` for `backend`, null where there is none.
[[nodiscard]] FASTGPU_API const gpu_entry* find_gpu_entry(const program& code, std::string_view backend) noexcept;

/// Kernels that the entries for `backend` launch, over all programs.
[[nodiscard]] FASTGPU_API std::size_t registered_gpu_kernels(std::string_view backend) noexcept;

/// One entry of the registry, added before main(). What it does must not depend on the compiler that reads it: that is
/// why the back end is a parameter.
template <class Program, class Backend>
struct registrar {
  static const bool registered;
};
template <class Program, class Backend>
const bool registrar<Program, Backend>::registered =
    add_to_registry(Program::entry, Backend::name, Backend::template gpu_entry_of<Program>());

/// Registers `Program` where `Backend` takes it. By address: a compiler that sees a registrar unused leaves it out, and
/// the kernel with it.
template <class Program, class Backend>
void register_for()
{
  if constexpr (Backend::template takes<Program>()) (void)&registrar<Program, Backend>::registered;
}

}  // namespace detail

/// Number of programs that are registered under kernel `name` with an entry for `backend` ("host").
/// @par Threads  Any, after static initialisation.
[[nodiscard]] FASTGPU_API std::size_t registered_programs(std::string_view name,
                                                          std::string_view backend = "host") noexcept;

}  // namespace fastgpu::inline v0
