#include <fastgpu/register.hpp>

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include <fastgpu/detail/gpu_entry.hpp>

#include "detail/programs.hpp"

namespace fastgpu::inline v0 {
namespace detail {
namespace {

struct registry_entry {
  const program* code;
  const char* backend;
  const gpu_entry* entry;
};

struct registry {
  std::mutex mutex;  // libraries may be loaded, and so register, while others look up
  std::vector<registry_entry> entries;
};

/// Made at its first use: registrars run before main() in any order.
registry& the_registry()
{
  static registry instance;
  return instance;
}

}  // namespace

bool add_to_registry(const program& code, const char* backend, const gpu_entry* entry) noexcept
{
  auto& all = the_registry();
  const std::scoped_lock lock{all.mutex};
  all.entries.push_back({&code, backend, entry});
  return true;
}

bool is_registered(const program& code, std::string_view backend) noexcept
{
  auto& all = the_registry();
  const std::scoped_lock lock{all.mutex};
  return std::any_of(all.entries.begin(), all.entries.end(),
                     [&](const registry_entry& e) { return e.code == &code && backend == e.backend; });
}

const gpu_entry* find_gpu_entry(const program& code, std::string_view backend) noexcept
{
  auto& all = the_registry();
  const std::scoped_lock lock{all.mutex};
  const auto at = std::find_if(all.entries.begin(), all.entries.end(),
                               [&](const registry_entry& e) { return e.code == &code && backend == e.backend; });
  return at == all.entries.end() ? nullptr : at->entry;
}

std::vector<const program*> programs_named(std::string_view kernel)
{
  auto& all = the_registry();
  const std::scoped_lock lock{all.mutex};
  std::vector<const program*> found;
  for (const auto& e : all.entries) {
    if (kernel == e.code->kernel && std::find(found.begin(), found.end(), e.code) == found.end()) {
      found.push_back(e.code);
    }
  }
  return found;
}

std::string signature_of(const program& code)
{
  // nvcc gives namespaces without a name one of their own: _GLOBAL__N__, a hash and the file.
  static constexpr std::string_view unnamed = "_GLOBAL__N_";
  static constexpr std::string_view as_gcc = "{anonymous}";
  std::string text = code.types;
  for (std::size_t at = 0; (at = text.find(unnamed, at)) != std::string::npos; at += as_gcc.size()) {
    const auto end = std::min(text.find("::", at), text.size());
    text.replace(at, end - at, as_gcc);
  }
  return text + ", built by " + code.build;
}

const program* find_program(std::string_view kernel, std::string_view signature)
{
  const program* found = nullptr;
  for (const auto* code : programs_named(kernel)) {
    if (signature_of(*code) != signature) continue;
    if (found != nullptr) return nullptr;
    found = code;
  }
  return found;
}

std::size_t registered_gpu_kernels(std::string_view backend) noexcept
{
  auto& all = the_registry();
  const std::scoped_lock lock{all.mutex};
  std::size_t kernels = 0;
  for (const auto& e : all.entries) kernels += e.entry != nullptr && backend == e.backend ? e.entry->kernels : 0;
  return kernels;
}

}  // namespace detail

std::size_t registered_programs(std::string_view name, std::string_view backend) noexcept
{
  auto& all = detail::the_registry();
  const std::scoped_lock lock{all.mutex};
  std::size_t count = 0;
  for (const auto& entry : all.entries) count += name == entry.code->kernel && backend == entry.backend;
  return count;
}

}  // namespace fastgpu::inline v0
