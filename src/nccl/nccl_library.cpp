#include "nccl/nccl_library.hpp"

#include <dlfcn.h>

#include <cstdlib>

namespace fastgpu::inline v0::detail {
namespace {

constexpr const char* usual_name = "libnccl.so.2";

failure unusable(const std::string& what)
{
  return {make_error_code(errc::no_usable_device), "NCCL: " + what + "; GPUs reduce over the host"};
}

std::string told(int version)
{
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

/// Looks up functions, and remembers the first that is missing.
class symbols {
 public:
  explicit symbols(void* library) : library_{library} {}

  template <class Function>
  void find(Function& function, const char* name)
  {
    function = reinterpret_cast<Function>(::dlsym(library_, name));
    if (function == nullptr && missing_ == nullptr) missing_ = name;
  }
  [[nodiscard]] const char* missing() const noexcept { return missing_; }

 private:
  void* library_;
  const char* missing_ = nullptr;
};

}  // namespace

result<nccl_library> load_nccl(const std::string& path)
{
  const auto* name = path.empty() ? usual_name : path.c_str();
  void* handle = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const auto* why = ::dlerror();
    return unusable(why != nullptr ? why : std::string{name} + " cannot be loaded");
  }
  nccl_library library;
  symbols from{handle};
  from.find(library.get_version, "ncclGetVersion");  // alone: an old library may lack others
  if (from.missing() != nullptr) return unusable(std::string{name} + " has no ncclGetVersion");
  if (library.get_version(&library.version) != ncclSuccess) return unusable(std::string{name} + " has no version");
  if (library.version < nccl_version_min) {
    return unusable(std::string{name} + " is " + told(library.version) + ", at least " + told(nccl_version_min) +
                    " is needed");
  }
  from.find(library.get_unique_id, "ncclGetUniqueId");
  from.find(library.comm_init_rank_config, "ncclCommInitRankConfig");
  from.find(library.comm_get_async_error, "ncclCommGetAsyncError");
  from.find(library.comm_abort, "ncclCommAbort");
  from.find(library.reduce, "ncclReduce");
  from.find(library.all_gather, "ncclAllGather");
  from.find(library.get_error_string, "ncclGetErrorString");
  from.find(library.get_last_error, "ncclGetLastError");
  if (from.missing() != nullptr) return unusable(std::string{name} + " has no " + from.missing());
  return library;
}

const result<nccl_library>& nccl()
{
  static const auto loaded = [] {
    const auto* named = ::secure_getenv("FASTGPU_NCCL_LIBRARY");  // not for who runs with another's rights
    return load_nccl(named != nullptr ? named : "");
  }();
  return loaded;
}

}  // namespace fastgpu::inline v0::detail
