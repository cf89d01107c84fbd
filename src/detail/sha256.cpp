#include "detail/sha256.hpp"

#include <openssl/evp.h>

#include <stdexcept>

namespace fastgpu::inline v0::detail {

struct sha256::state {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~state() { EVP_MD_CTX_free(context); }
};

sha256::sha256() : state_{std::make_unique<state>()}
{
  if (state_->context == nullptr || EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error{"OpenSSL has no SHA-256"};
  }
}

sha256::~sha256() = default;

sha256& sha256::add_bytes(const void* bytes, std::size_t count)
{
  if (EVP_DigestUpdate(state_->context, bytes, count) != 1) throw std::runtime_error{"OpenSSL: SHA-256 failed"};
  return *this;
}

sha256::digest_bytes sha256::digest()
{
  digest_bytes digest{};
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(state_->context, digest.data(), &size) != 1) {
    throw std::runtime_error{"OpenSSL: SHA-256 failed"};
  }
  return digest;
}

std::string sha256::hex()
{
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const auto byte : digest()) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

}  // namespace fastgpu::inline v0::detail
