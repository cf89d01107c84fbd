#include "device/numeric_class.hpp"

#if __has_include(<gnu/libc-version.h>)
#include <gnu/libc-version.h>
#endif

namespace fastgpu::inline v0::detail {
namespace {

/// On x86-64 its level in the sense of the psABI, by those of its features that compilers can be asked for.
const char* instruction_set()
{
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool v2 =
      __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
  const bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  return v4 ? "x86-64-v4" : v3 ? "x86-64-v3" : v2 ? "x86-64-v2" : "x86-64-v1";
#elif defined(__aarch64__)
  return "aarch64";
#elif defined(__riscv)
  return "riscv64";
#elif defined(__powerpc64__)
  return "ppc64";
#else
  return "other";
#endif
}

std::string c_library()
{
#if __has_include(<gnu/libc-version.h>)
  return std::string{"glibc-"} + gnu_get_libc_version();
#else
  return "libc";
#endif
}

}  // namespace

std::string host_numeric_class() { return std::string{"host "} + instruction_set() + " " + c_library(); }

}  // namespace fastgpu::inline v0::detail
