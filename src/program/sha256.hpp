#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>

/// @file
/// SHA-256 of results, by OpenSSL.

namespace program {

/// Hash over numbers in little-endian bytes, without padding.
class sha256 {
 public:
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

  /// 64 lower-case hex digits. Once.
  [[nodiscard]] std::string hex();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace program
