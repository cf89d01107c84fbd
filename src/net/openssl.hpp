#pragma once

#include <memory>
#include <string>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/// @file
/// OpenSSL's objects with owners, and its errors as text.

namespace fastgpu::inline v0::detail {

template <auto Free>
struct free_with {
  template <class T>
  void operator()(T* object) const noexcept
  {
    Free(object);
  }
};

using bio_ptr = std::unique_ptr<BIO, free_with<BIO_free_all>>;
using key_ptr = std::unique_ptr<EVP_PKEY, free_with<EVP_PKEY_free>>;
using certificate_ptr = std::unique_ptr<X509, free_with<X509_free>>;
using store_ptr = std::unique_ptr<X509_STORE, free_with<X509_STORE_free>>;
using store_context_ptr = std::unique_ptr<X509_STORE_CTX, free_with<X509_STORE_CTX_free>>;
using tls_context_ptr = std::unique_ptr<SSL_CTX, free_with<SSL_CTX_free>>;
using tls_ptr = std::unique_ptr<SSL, free_with<SSL_free>>;

/// What OpenSSL said first of what went wrong last in this thread; forgets the rest.
inline std::string openssl_reason()
{
  const auto code = ERR_get_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "error " + std::to_string(code);
}

}  // namespace fastgpu::inline v0::detail
