#pragma once

#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "net/openssl.hpp"

/// @file
/// Keys and certificates as they should not be, for tests of who is refused.

namespace support {

using fastgpu::detail::bio_ptr;
using fastgpu::detail::certificate_ptr;
using fastgpu::detail::free_with;
using fastgpu::detail::key_ptr;

inline void need(bool good, const char* what)
{
  if (!good) throw std::runtime_error{std::string{"OpenSSL: "} + what};
}

/// What TLS shows: a key, its certificate and those that lead to a CA. All null: nothing.
struct shown_credentials {
  key_ptr key;
  certificate_ptr certificate;
  std::vector<certificate_ptr> chain;
};

inline certificate_ptr read_certificate(const std::string& file)
{
  const bio_ptr from{BIO_new_file(file.c_str(), "r")};
  certificate_ptr one{PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr)};
  need(one != nullptr, file.c_str());
  return one;
}
inline key_ptr read_key(const std::string& file)
{
  const bio_ptr from{BIO_new_file(file.c_str(), "r")};
  key_ptr one{PEM_read_bio_PrivateKey(from.get(), nullptr, nullptr, nullptr)};
  need(one != nullptr, file.c_str());
  return one;
}
inline shown_credentials read_credentials(const std::string& folder)
{
  return {read_key(folder + "/key.pem"), read_certificate(folder + "/certificate.pem"), {}};
}

inline key_ptr new_p256() { return key_ptr{EVP_EC_gen("P-256")}; }

/// The secret half of one key with the public half of another.
inline key_ptr mixed_key(EVP_PKEY& secret, EVP_PKEY& open)
{
  BIGNUM* number = nullptr;
  need(EVP_PKEY_get_bn_param(&secret, OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1, "private number");
  const std::unique_ptr<BIGNUM, free_with<BN_free>> owned{number};
  unsigned char point[256];
  std::size_t size = 0;
  need(EVP_PKEY_get_octet_string_param(&open, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &size) == 1, "point");
  const std::unique_ptr<OSSL_PARAM_BLD, free_with<OSSL_PARAM_BLD_free>> builder{OSSL_PARAM_BLD_new()};
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, number);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point, size);
  const std::unique_ptr<OSSL_PARAM, free_with<OSSL_PARAM_free>> parameters{OSSL_PARAM_BLD_to_param(builder.get())};
  const std::unique_ptr<EVP_PKEY_CTX, free_with<EVP_PKEY_CTX_free>> context{EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr)};
  EVP_PKEY* made = nullptr;
  need(EVP_PKEY_fromdata_init(context.get()) == 1 &&
           EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_KEYPAIR, parameters.get()) == 1,
       "mixed key");
  return key_ptr{made};
}

/// A certificate, described. The defaults are good.
struct forgery {
  std::vector<std::string> uris{};    ///< Raw bytes.
  std::vector<std::string> hosts{};   ///< DNS names beside them.
  bool names_twice = false;           ///< Two lists of alternative names.
  int begin_days = -1;
  int end_days = 30;
  std::string usage = "serverAuth,clientAuth";  ///< Extended; empty: none is stated.
  bool is_authority = false;
  const EVP_MD* hash = EVP_sha256();
  std::function<key_ptr()> make_key = new_p256;
};

inline void add_extension(X509& to, X509& issuer, int kind, const std::string& value)
{
  X509V3_CTX context;
  X509V3_set_ctx(&context, &issuer, &to, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, free_with<X509_EXTENSION_free>> made{
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str())};
  need(made && X509_add_ext(&to, made.get(), -1) == 1, "extension");
}

inline void add_names(X509& to, const forgery& what)
{
  const std::unique_ptr<GENERAL_NAMES, free_with<GENERAL_NAMES_free>> names{GENERAL_NAMES_new()};
  const auto add = [&](const std::string& text, int kind) {
    auto* name = GENERAL_NAME_new();
    auto* string = ASN1_IA5STRING_new();
    ASN1_STRING_set(string, text.data(), static_cast<int>(text.size()));
    GENERAL_NAME_set0_value(name, kind, string);
    sk_GENERAL_NAME_push(names.get(), name);
  };
  for (const auto& uri : what.uris) add(uri, GEN_URI);
  for (const auto& host : what.hosts) add(host, GEN_DNS);
  need(X509_add1_ext_i2d(&to, NID_subject_alt_name, names.get(), 0, X509V3_ADD_APPEND) == 1, "names");
}

/// Issued by `by`; by itself where that is null.
inline shown_credentials forge(const forgery& what, const shown_credentials* by)
{
  shown_credentials made{what.make_key(), certificate_ptr{X509_new()}, {}};
  auto& certificate = *made.certificate;
  X509_set_version(&certificate, X509_VERSION_3);
  static long serial = 1000;
  ASN1_INTEGER_set(X509_get_serialNumber(&certificate), ++serial);
  X509_time_adj_ex(X509_getm_notBefore(&certificate), what.begin_days, 0, nullptr);
  X509_time_adj_ex(X509_getm_notAfter(&certificate), what.end_days, 0, nullptr);
  auto* subject = X509_get_subject_name(&certificate);
  const auto name = "forged " + std::to_string(serial);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  auto& issuer = by != nullptr ? *by->certificate : certificate;
  X509_set_issuer_name(&certificate, X509_get_subject_name(&issuer));
  X509_set_pubkey(&certificate, made.key.get());
  add_extension(certificate, issuer, NID_basic_constraints, what.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!what.usage.empty()) add_extension(certificate, issuer, NID_ext_key_usage, what.usage);
  if (!what.uris.empty() || !what.hosts.empty()) add_names(certificate, what);
  if (what.names_twice) add_names(certificate, what);
  need(X509_sign(&certificate, by != nullptr ? by->key.get() : made.key.get(), what.hash) > 0, "signature");
  return made;
}

}  // namespace support
