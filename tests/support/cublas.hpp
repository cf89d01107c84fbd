#pragma once

#include <dlfcn.h>

#include <cublas_v2.h>

/// @file
/// cuBLAS, looked up when a test asks for it: machines that run tests need not have it.

namespace support {

struct cublas {
  decltype(&cublasCreate_v2) create = nullptr;
  decltype(&cublasSetStream_v2) set_stream = nullptr;
  decltype(&cublasDgemm_v2) dgemm = nullptr;

  /// Null where there is no cuBLAS of the toolkit's version.
  static const cublas* find()
  {
    static const cublas found = load();
    return found.dgemm != nullptr ? &found : nullptr;
  }

 private:
  static cublas load()
  {
    cublas c;
    auto* library = dlopen("libcublas.so.13", RTLD_NOW);
    if (library == nullptr) return c;
    c.create = reinterpret_cast<decltype(c.create)>(dlsym(library, "cublasCreate_v2"));
    c.set_stream = reinterpret_cast<decltype(c.set_stream)>(dlsym(library, "cublasSetStream_v2"));
    c.dgemm = reinterpret_cast<decltype(c.dgemm)>(dlsym(library, "cublasDgemm_v2"));
    return c;
  }
};

}  // namespace support
