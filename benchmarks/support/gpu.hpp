#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>

#include <cuda_runtime_api.h>

/// @file
/// The GPU that is measured on, the first one, and owners of what it lends. All of this throws std::runtime_error with
/// one line.

namespace bench {

void check(cudaError_t status, const char* doing);

/// What the first GPU says of itself.
struct gpu_facts {
  std::string why_none;  ///< Empty where there is a GPU.
  std::string name;
  int compute_capability = 0;  ///< 10 x major + minor
  int multiprocessors = 0;
  std::uint64_t memory_bytes = 0;
  double bytes_a_second = 0;  ///< Peak bandwidth of its memory; 0: unknown.
  int driver = 0;             ///< 1000 x major + 10 x minor of the CUDA version that the driver serves; 0: no driver.
  int runtime = 0;            ///< The same of the runtime that is linked.

  [[nodiscard]] bool there() const { return why_none.empty(); }
};

/// Asked once, at the first call.
[[nodiscard]] const gpu_facts& gpu_here();

/// "13.0" of 13000.
[[nodiscard]] std::string cuda_version(int number);

/// Bytes of the GPU's memory that nobody has.
[[nodiscard]] std::size_t free_gpu_bytes();

namespace detail {
struct free_gpu {
  void operator()(void* memory) const noexcept { (void)cudaFree(memory); }
};
struct free_pinned {
  void operator()(void* memory) const noexcept { (void)cudaFreeHost(memory); }
};
struct destroy_stream {
  using pointer = cudaStream_t;
  void operator()(cudaStream_t stream) const noexcept { (void)cudaStreamDestroy(stream); }
};
struct destroy_event {
  using pointer = cudaEvent_t;
  void operator()(cudaEvent_t event) const noexcept { (void)cudaEventDestroy(event); }
};
[[nodiscard]] void* allocate_gpu(std::size_t bytes);
[[nodiscard]] void* allocate_pinned(std::size_t bytes);
}  // namespace detail

/// Uninitialised elements in the GPU's memory, or in page-locked memory of the host.
template <class T, class Free>
class array_of {
 public:
  explicit array_of(std::size_t n) : size_{n}
  {
    void* memory = std::is_same_v<Free, detail::free_gpu> ? detail::allocate_gpu(n * sizeof(T))
                                                          : detail::allocate_pinned(n * sizeof(T));
    data_.reset(static_cast<T*>(memory));
  }
  [[nodiscard]] T* data() const noexcept { return data_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return size_ * sizeof(T); }

 private:
  std::unique_ptr<T, Free> data_;
  std::size_t size_;
};
template <class T>
using gpu_array = array_of<T, detail::free_gpu>;
template <class T>
using pinned_array = array_of<T, detail::free_pinned>;

class gpu_stream {
 public:
  gpu_stream();
  [[nodiscard]] cudaStream_t get() const noexcept { return handle_.get(); }
  void wait() const;

 private:
  std::unique_ptr<cudaStream_t, detail::destroy_stream> handle_;
};

/// Without a time stamp.
class gpu_event {
 public:
  gpu_event();
  [[nodiscard]] cudaEvent_t get() const noexcept { return handle_.get(); }

 private:
  std::unique_ptr<cudaEvent_t, detail::destroy_event> handle_;
};

/// Blocks of a kernel that are on the GPU at a time.
template <class Kernel>
[[nodiscard]] int resident_blocks(Kernel kernel, int threads)
{
  int of_one = 0;
  check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&of_one, kernel, threads, 0), "asking for the occupancy");
  return of_one * gpu_here().multiprocessors;
}

}  // namespace bench
