#pragma once

#include <utility>

#include <fastgpu/config.hpp>

/// @file
/// Shared ownership by an intrusive count. Public headers use it instead of std::shared_ptr because <memory>
/// alone would double their compile time.

namespace fastgpu::inline v0::detail {

/// Base of what `ref` owns. The count is atomic; the last ref deletes.
class FASTGPU_API ref_counted {
 public:
  ref_counted() = default;
  ref_counted(const ref_counted&) = delete;
  ref_counted& operator=(const ref_counted&) = delete;
  virtual ~ref_counted();

  void retain() const noexcept;
  void release() const noexcept;

 private:
  mutable unsigned count_ = 0;  // touched through std::atomic_ref in src/detail/ref.cpp only
};

template <class T>
class ref {
 public:
  ref() = default;
  explicit ref(T* object) noexcept : object_{object}
  {
    if (object_) object_->retain();
  }
  ref(const ref& other) noexcept : ref{other.object_} {}
  ref(ref&& other) noexcept : object_{std::exchange(other.object_, nullptr)} {}
  template <class U>
    requires requires(U* u) { static_cast<T*>(u); }
  ref(const ref<U>& other) noexcept : ref{static_cast<T*>(other.get())}
  {
  }
  ref& operator=(ref other) noexcept
  {
    std::swap(object_, other.object_);
    return *this;
  }
  ~ref()
  {
    if (object_) object_->release();
  }

  [[nodiscard]] T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

}  // namespace fastgpu::inline v0::detail
