#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include "execute/checkpoint_format.hpp"

/// @file
/// A checkpoint without a file.

namespace support {

class memory_checkpoint final : public fastgpu::detail::checkpoint_bytes {
 public:
  /// `bytes` outlive it.
  explicit memory_checkpoint(std::span<const std::byte> bytes) : bytes_{bytes} {}

  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
  void read(std::uint64_t at, std::span<std::byte> to) const override
  {
    if (at > bytes_.size() || to.size() > bytes_.size() - at) std::abort();
    if (!to.empty()) std::memcpy(to.data(), bytes_.data() + at, to.size());
  }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace support
