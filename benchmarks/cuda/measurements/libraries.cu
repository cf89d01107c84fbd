#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <dlfcn.h>

#include "cuda/measurements/measurement.hpp"
#include "support/gpu.hpp"

/// @file
/// Kernels that arrive as data: loading PTX and cubins, finding a kernel's parameters and filling them by offset, and
/// what a driver says of PTX that is too new for it.

namespace {

using bench::check;

// to[i] = factor * i for i < n, by one thread each.
constexpr const char* body = R"(
.target sm_75
.address_size 64
.visible .entry scale(.param .u64 to, .param .f32 factor, .param .u32 n)
{
  .reg .pred %p<2>;
  .reg .f32 %f<4>;
  .reg .b32 %r<6>;
  .reg .b64 %d<5>;
  ld.param.u64 %d1, [to];
  ld.param.f32 %f1, [factor];
  ld.param.u32 %r1, [n];
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %tid.x;
  mad.lo.s32 %r5, %r2, %r3, %r4;
  setp.ge.u32 %p1, %r5, %r1;
  @%p1 bra done;
  cvta.to.global.u64 %d2, %d1;
  mul.wide.u32 %d3, %r5, 4;
  add.s64 %d4, %d2, %d3;
  cvt.rn.f32.u32 %f2, %r5;
  mul.f32 %f3, %f2, %f1;
  st.global.f32 [%d4], %f3;
done:
  ret;
}
)";

constexpr const char* source = R"(
extern "C" __global__ void scale(float* to, float factor, unsigned n)
{
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) to[i] = factor * i;
}
)";

struct unload {
  using pointer = cudaLibrary_t;
  void operator()(cudaLibrary_t library) const noexcept { (void)cudaLibraryUnload(library); }
};
using library = std::unique_ptr<cudaLibrary_t, unload>;

library load(const char* code)
{
  cudaLibrary_t loaded = nullptr;
  check(cudaLibraryLoadData(&loaded, code, nullptr, nullptr, 0, nullptr, nullptr, 0), "cudaLibraryLoadData");
  return library{loaded};
}

cudaKernel_t kernel_of(const library& from)
{
  cudaKernel_t kernel = nullptr;
  check(cudaLibraryGetKernel(&kernel, from.get(), "scale"), "cudaLibraryGetKernel");
  return kernel;
}

struct parameter {
  std::size_t offset;
  std::size_t bytes;
};
std::vector<parameter> parameters_of(cudaKernel_t kernel)
{
  std::vector<parameter> all;
  for (parameter p{};
       cudaFuncGetParamInfo(reinterpret_cast<const void*>(kernel), all.size(), &p.offset, &p.bytes) == cudaSuccess;) {
    all.push_back(p);
  }
  (void)cudaGetLastError();  // past the last one
  return all;
}

/// Launches from one block of bytes, as they would come from afar.
void launch_by_offsets(cudaKernel_t kernel, const std::vector<parameter>& parameters)
{
  constexpr unsigned n = 1000;
  const bench::gpu_array<float> to{n};
  const float factor = 0.5f;
  auto* target = to.data();
  alignas(16) std::byte bytes[64] = {};
  std::memcpy(bytes + parameters.at(0).offset, &target, sizeof target);
  std::memcpy(bytes + parameters.at(1).offset, &factor, sizeof factor);
  std::memcpy(bytes + parameters.at(2).offset, &n, sizeof n);
  std::vector<void*> pointers;
  for (const auto& p : parameters) pointers.push_back(bytes + p.offset);
  check(cudaLaunchKernel(reinterpret_cast<const void*>(kernel), dim3{4}, dim3{256}, pointers.data(), 0, nullptr),
        "cudaLaunchKernel");
  std::vector<float> got(n);
  check(cudaMemcpy(got.data(), to.data(), to.bytes(), cudaMemcpyDefault), "a kernel or copy");
  for (unsigned i = 0; i < n; ++i) {
    if (got[i] != factor * static_cast<float>(i)) throw std::runtime_error{"the loaded kernel gave wrong values"};
  }
}

/// NVRTC is loaded where it is found: nothing here is linked to it.
class nvrtc {
 public:
  explicit nvrtc(int major)
  {
    const auto name = "libnvrtc.so." + std::to_string(major);
    handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) throw measured::skipped{"no " + name + ": PTX alone was measured"};
  }
  [[nodiscard]] std::vector<char> compile(int compute_capability) const
  {
    const auto option = "-arch=sm_" + std::to_string(compute_capability);
    const char* options[] = {option.c_str()};
    void* program = nullptr;
    std::size_t bytes = 0;
    expect(find<int(void**, const char*, const char*, int, const char* const*, const char* const*)>(
        "nvrtcCreateProgram")(&program, source, "scale.cu", 0, nullptr, nullptr));
    expect(find<int(void*, int, const char* const*)>("nvrtcCompileProgram")(program, 1, options));
    expect(find<int(void*, std::size_t*)>("nvrtcGetCUBINSize")(program, &bytes));
    std::vector<char> cubin(bytes);
    expect(find<int(void*, char*)>("nvrtcGetCUBIN")(program, cubin.data()));
    expect(find<int(void**)>("nvrtcDestroyProgram")(&program));
    return cubin;
  }

 private:
  template <class Function>
  Function* find(const char* name) const
  {
    auto* found = dlsym(handle_, name);
    if (found == nullptr) throw std::runtime_error{std::string{"libnvrtc has no "} + name};
    return reinterpret_cast<Function*>(found);
  }
  static void expect(int status)
  {
    if (status != 0) throw std::runtime_error{"NVRTC: error " + std::to_string(status)};
  }
  void* handle_;
};

void libraries(measured::figures& found)
{
  check(cudaFree(nullptr), "making the context");
  const auto ptx = std::string{".version 6.4"} + body;
  auto begin = measured::now_us();
  const auto loaded = load(ptx.c_str());
  const auto kernel = kernel_of(loaded);
  const auto parameters = parameters_of(kernel);
  found.add("load_ptx_us", measured::now_us() - begin);
  found.add("parameters", static_cast<double>(parameters.size()));
  if (parameters.size() != 3) throw std::runtime_error{"three parameters were expected"};
  launch_by_offsets(kernel, parameters);

  const auto too_new = std::string{".version 99.0"} + body;
  cudaLibrary_t refused = nullptr;
  const auto status = cudaLibraryLoadData(&refused, too_new.c_str(), nullptr, nullptr, 0, nullptr, nullptr, 0);
  (void)cudaGetLastError();
  found.add("error_of_newer_ptx", std::string{cudaGetErrorName(status)});

  const auto& gpu = bench::gpu_here();
  const nvrtc compiler{gpu.runtime / 1000};
  begin = measured::now_us();
  (void)compiler.compile(gpu.compute_capability);
  found.add("first_compilation_ms", (measured::now_us() - begin) / 1e3);
  begin = measured::now_us();
  const auto cubin = compiler.compile(gpu.compute_capability);
  found.add("compilation_ms", (measured::now_us() - begin) / 1e3);
  found.add("cubin_bytes", static_cast<double>(cubin.size()));
  begin = measured::now_us();
  const auto second = load(cubin.data());
  const auto second_kernel = kernel_of(second);
  found.add("load_cubin_us", measured::now_us() - begin);
  launch_by_offsets(second_kernel, parameters_of(second_kernel));
}

const measured::registration added{
    6, {"libraries", "kernels as data: PTX and cubins, parameters by offset, PTX that is too new", &libraries}};

}  // namespace
