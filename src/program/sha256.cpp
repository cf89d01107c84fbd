#include "program/sha256.hpp"

#include <openssl/evp.h>

#include <stdexcept>

namespace program {

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

std::string sha256::hex()
{
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(state_->context, digest, &size) != 1) throw std::runtime_error{"OpenSSL: SHA-256 failed"};
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += digits[digest[i] >> 4];
    text += digits[digest[i] & 15];
  }
  return text;
}

}  // namespace program
