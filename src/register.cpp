#include <fastgpu/register.hpp>

#include <algorithm>
#include <mutex>
#include <vector>

#include <fastgpu/detail/gpu_entry.hpp>

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
