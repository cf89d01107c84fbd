#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

/// @file
/// SHA-256, by OpenSSL.

namespace fastgpu::inline v0::detail {

/// Hash over bytes, and numbers as little-endian bytes without padding.
class sha256 {
 public:
  using digest_bytes = std::array<std::uint8_t, 32>;

  sha256();
  ~sha256();
  sha256(const sha256&) = delete;
  sha256& operator=(const sha256&) = delete;

  sha256& add_bytes(const void* bytes, std::size_t count);

  template <class T>
    requires std::is_arithmetic_v<T>
  sha256& add(T number)
  {
    unsigned char bytes[sizeof(T)];
    std::memcpy(bytes, &number, sizeof(T));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (std::size_t i = 0; i < sizeof(T) / 2; ++i) std::swap(bytes[i], bytes[sizeof(T) - 1 - i]);
#endif
    return add_bytes(bytes, sizeof(T));
  }

  /// The hash. Once.
  [[nodiscard]] digest_bytes digest();
  /// The same as 64 lower-case hex digits. Once.
  [[nodiscard]] std::string hex();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace fastgpu::inline v0::detail
