#include "net/certificate.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

#include "detail/format.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr int strength_min_bits = 112;  // RSA-2048, SHA-224

failure refused(std::string why) { return {make_error_code(errc::refused), std::move(why)}; }

bool is_name_character(char c) noexcept
{
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool is_name(std::string_view name, std::size_t length_max) noexcept
{
  return !name.empty() && name.size() <= length_max && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), is_name_character);
}

std::optional<role> roles_of(std::string_view path)
{
  if (path == "node") return role::node;
  if (path == "client") return role::submit | role::observe;
  if (path == "operator") return role::submit | role::observe | role::operate;
  return std::nullopt;
}

}  // namespace

bool is_principal_name(std::string_view name) noexcept { return is_name(name, 63); }

std::optional<certified_name> parse_uri_name(std::string_view uri)
{
  const auto scheme = uri.find("://");
  if (scheme == uri.npos || (uri.substr(0, scheme) != "fastgpu" && uri.substr(0, scheme) != "spiffe")) return {};
  uri.remove_prefix(scheme + 3);
  const auto first = uri.find('/');
  const auto second = first == uri.npos ? first : uri.find('/', first + 1);
  if (second == uri.npos) return {};

  const auto domain = uri.substr(0, first);
  const auto path = uri.substr(first + 1, second - first - 1);
  const auto name = uri.substr(second + 1);
  const auto roles = roles_of(path);
  if (!roles || !is_name(domain, 255) || !is_principal_name(name)) return {};
  return certified_name{std::string{domain}, std::string{path}, std::string{name}, *roles};
}

result<certified_name> name_of(const X509& certificate)
{
  int critical = 0;
  using names_ptr = std::unique_ptr<GENERAL_NAMES, free_with<GENERAL_NAMES_free>>;
  const names_ptr names{
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, &critical, nullptr))};
  if (!names) {
    if (critical == -1) return refused("has no URI name");
    return refused("has alternative names that cannot be read");  // or more than one list of them
  }

  const ASN1_IA5STRING* uri = nullptr;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const auto* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    if (uri != nullptr) return refused("has more than one URI name");
    uri = name->d.uniformResourceIdentifier;
  }
  if (uri == nullptr) return refused("has no URI name");

  // With its length, not up to a NUL: what follows one must not be overlooked.
  const std::string_view text{reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                              static_cast<std::size_t>(ASN1_STRING_length(uri))};
  auto name = parse_uri_name(text);
  if (!name) return refused("has a URI name that is not fastgpu://DOMAIN/node|client|operator/NAME");
  return std::move(*name);
}

std::optional<failure> unfitness_of(X509& certificate, bool as_server)
{
  const auto* key = X509_get0_pubkey(&certificate);
  if (key == nullptr || EVP_PKEY_get_security_bits(key) < strength_min_bits) return refused("has a key that is too weak");

  int hash = NID_undef;
  int strength = 0;
  if (X509_get_signature_info(&certificate, &hash, nullptr, &strength, nullptr) != 1 || strength < strength_min_bits) {
    return refused("has a signature that is too weak");
  }
  if (X509_check_ca(&certificate) != 0) return refused("is a CA's");

  // OpenSSL takes an absent list for permission; here each end states what it is for.
  const auto usage = X509_get_extended_key_usage(&certificate);
  if (usage == UINT32_MAX || (usage & (as_server ? XKU_SSL_SERVER : XKU_SSL_CLIENT)) == 0) {
    return refused(as_server ? "is not for servers (extended key usage)" : "is not for clients (extended key usage)");
  }
  return std::nullopt;
}

std::string serial_of(const X509& certificate)
{
  const auto* serial = X509_get0_serialNumber(&certificate);
  using number_ptr = std::unique_ptr<BIGNUM, free_with<BN_free>>;
  const number_ptr number{ASN1_INTEGER_to_BN(serial, nullptr)};
  if (!number) return {};
  char* hex = BN_bn2hex(number.get());
  if (hex == nullptr) return {};
  std::string text = hex;
  OPENSSL_free(hex);
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'A' && c <= 'F' ? char(c + 32) : c; });
  text.erase(0, std::min(text.find_first_not_of('0'), text.size()));
  return text;
}

std::string day_of(const ASN1_TIME& time)
{
  std::tm at{};
  if (ASN1_TIME_to_tm(&time, &at) != 1) return "an unreadable date";
  return format("%04d-%02d-%02d", at.tm_year + 1900, at.tm_mon + 1, at.tm_mday);
}

}  // namespace fastgpu::inline v0::detail
