#include "detail/crc32c.hpp"

#include <array>

namespace fastgpu::inline v0::detail {
namespace {

constexpr std::uint32_t polynomial = 0x82f63b78;  // 0x1edc6f41, lowest bit first

using table = std::array<std::array<std::uint32_t, 256>, 8>;

/// tables[k][b]: of byte b with k bytes of 0 behind it, so that eight bytes are looked up at a time ("slicing by 8").
constexpr table make_tables()
{
  table tables{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    auto crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0);
    tables[0][b] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t b = 0; b < 256; ++b) {
      tables[k][b] = (tables[k - 1][b] >> 8) ^ tables[0][tables[k - 1][b] & 255];
    }
  }
  return tables;
}
constexpr table tables = make_tables();

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before) noexcept
{
  auto crc = ~before;
  const auto at = [&](std::size_t i) { return static_cast<std::uint32_t>(bytes[i]); };
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    const auto low = crc ^ (at(0) | at(1) << 8 | at(2) << 16 | at(3) << 24);
    crc = tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^ tables[4][low >> 24] ^
          tables[3][at(4)] ^ tables[2][at(5)] ^ tables[1][at(6)] ^ tables[0][at(7)];
  }
  for (const auto b : bytes) crc = (crc >> 8) ^ tables[0][(crc ^ static_cast<std::uint32_t>(b)) & 255];
  return ~crc;
}

}  // namespace fastgpu::inline v0::detail
