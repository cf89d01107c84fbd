#include "net/authority.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <set>
#include <utility>

#include <openssl/pem.h>
#include <openssl/rand.h>

#include <fastgpu/error.hpp>

#include "net/certificate.hpp"
#include "net/credential_files.hpp"
#include "net/openssl.hpp"

namespace fastgpu::inline v0::detail {
namespace {

constexpr long seconds_per_day = 24 * 60 * 60;
constexpr long clock_skew_s = 5 * 60;  // a machine whose clock is a little behind takes a new certificate
constexpr int days_max = 36500;

[[noreturn]] void fail_file(const std::string& file, int problem = errno)
{
  throw error{errc::file_error, file + ": " + std::strerror(problem)};
}
[[noreturn]] void refuse(const std::string& what, const std::string& why)
{
  throw error{errc::credentials_error, "credentials: " + what + ": " + why};
}
/// OpenSSL has no reason to refuse what is asked of it here, but for a lack of memory or entropy.
void need(bool good)
{
  if (!good) throw error{errc::credentials_error, "credentials: OpenSSL: " + openssl_reason()};
}

/// A file's bytes are on the disk when it returns.
void write_file(const std::string& file, const std::string& text, ::mode_t mode)
{
  const int opened = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (opened < 0) fail_file(file);
  std::size_t at = 0;
  int problem = 0;
  while (at < text.size() && problem == 0) {
    const auto count = ::write(opened, text.data() + at, text.size() - at);
    if (count >= 0) {
      at += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      problem = errno;
    }
  }
  if (problem == 0 && ::fsync(opened) != 0) problem = errno;
  ::close(opened);
  if (problem != 0) fail_file(file, problem);
}

void synchronize_folder(const std::string& folder)
{
  const int opened = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) fail_file(folder);
  const int problem = ::fsync(opened) == 0 ? 0 : errno;
  ::close(opened);
  if (problem != 0) fail_file(folder, problem);
}

/// Files under a name that nobody looks for, until publish().
class folder_in_the_making {
 public:
  folder_in_the_making(const std::string& parent, const std::string& name) : parent_{parent}, target_{parent + "/" + name}
  {
    refuse_existing();
    draft_ = parent + "/." + name + ".XXXXXX";
    if (::mkdtemp(draft_.data()) == nullptr) fail_file(parent);  // of mode 0700
  }
  folder_in_the_making(const folder_in_the_making&) = delete;
  folder_in_the_making& operator=(const folder_in_the_making&) = delete;
  ~folder_in_the_making()
  {
    if (published_) return;
    for (const auto& file : files_) ::unlink(file.c_str());
    ::rmdir(draft_.c_str());
  }

  void add(const std::string& name, const std::string& text, ::mode_t mode)
  {
    files_.push_back(draft_ + "/" + name);
    write_file(files_.back(), text, mode);
  }

  void publish()
  {
    synchronize_folder(draft_);
    refuse_existing();
    if (::rename(draft_.c_str(), target_.c_str()) != 0) {
      if (errno == EEXIST || errno == ENOTEMPTY) refuse(target_, "is there already");
      fail_file(target_);
    }
    published_ = true;
    synchronize_folder(parent_);
  }

 private:
  void refuse_existing() const
  {
    struct stat info{};
    if (::lstat(target_.c_str(), &info) == 0) refuse(target_, "is there already");
  }

  std::string parent_;
  std::string target_;
  std::string draft_;
  std::vector<std::string> files_;
  bool published_ = false;
};

template <class Write>
std::string to_pem(const Write& write)
{
  const bio_ptr to{BIO_new(BIO_s_secmem())};
  need(to != nullptr && write(to.get()) == 1);
  char* data = nullptr;
  const auto length = BIO_get_mem_data(to.get(), &data);
  return {data, static_cast<std::size_t>(length)};
}
std::string to_pem(X509& certificate)
{
  return to_pem([&](BIO* to) { return PEM_write_bio_X509(to, &certificate); });
}
std::string to_pem(EVP_PKEY& key)
{
  return to_pem([&](BIO* to) { return PEM_write_bio_PKCS8PrivateKey(to, &key, nullptr, nullptr, 0, nullptr, nullptr); });
}

std::string random_hex(std::size_t bytes)
{
  std::vector<unsigned char> random(bytes);
  need(RAND_bytes(random.data(), static_cast<int>(bytes)) == 1);
  std::string text;
  for (const auto byte : random) {
    constexpr const char* digits = "0123456789abcdef";
    text += {digits[byte >> 4], digits[byte & 15]};
  }
  return text;
}

void set_random_serial(X509& certificate)
{
  std::array<unsigned char, 16> random{};
  need(RAND_bytes(random.data(), random.size()) == 1);
  random[0] = static_cast<unsigned char>((random[0] & 0x7f) | 0x40);  // positive, and always of 128 bits
  using number_ptr = std::unique_ptr<BIGNUM, free_with<BN_free>>;
  const number_ptr number{BN_bin2bn(random.data(), random.size(), nullptr)};
  need(number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) != nullptr);
}

void add_extension(X509& certificate, X509& issuer, int kind, const std::string& value)
{
  X509V3_CTX context;
  X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
  using extension_ptr = std::unique_ptr<X509_EXTENSION, free_with<X509_EXTENSION_free>>;
  const extension_ptr extension{X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str())};
  need(extension && X509_add_ext(&certificate, extension.get(), -1) == 1);
}

/// What all certificates have, unsigned; `issuer` is null where it is to sign itself.
certificate_ptr begin_certificate(const std::string& common_name, EVP_PKEY& key, X509* issuer, int days)
{
  certificate_ptr made{X509_new()};
  need(made != nullptr && X509_set_version(made.get(), X509_VERSION_3) == 1);
  set_random_serial(*made);
  need(X509_gmtime_adj(X509_getm_notBefore(made.get()), -clock_skew_s) != nullptr);
  need(X509_time_adj_ex(X509_getm_notAfter(made.get()), days, 0, nullptr) != nullptr);
  if (issuer != nullptr && ASN1_TIME_compare(X509_get0_notAfter(made.get()), X509_get0_notAfter(issuer)) > 0) {
    need(X509_set1_notAfter(made.get(), X509_get0_notAfter(issuer)) == 1);
  }
  auto* subject = X509_get_subject_name(made.get());
  need(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common_name.c_str()),
                                  -1, -1, 0) == 1);
  need(X509_set_issuer_name(made.get(), issuer != nullptr ? X509_get_subject_name(issuer) : subject) == 1);
  need(X509_set_pubkey(made.get(), &key) == 1);
  return made;
}

key_ptr new_key()
{
  key_ptr key{EVP_EC_gen("P-256")};
  need(key != nullptr);
  return key;
}

struct authority {
  key_ptr key;
  certificate_ptr certificate;
  std::string trust_domain;
};

constexpr const char* authority_name_prefix = "fastgpu CA ";

authority new_authority(int days)
{
  authority made{new_key(), nullptr, random_hex(16)};
  made.certificate = begin_certificate(authority_name_prefix + made.trust_domain, *made.key, nullptr, days);
  auto& certificate = *made.certificate;
  add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(certificate, certificate, NID_subject_key_identifier, "hash");
  add_extension(certificate, certificate, NID_subject_alt_name, "URI:fastgpu://" + made.trust_domain);
  need(X509_sign(&certificate, made.key.get(), EVP_sha256()) > 0);
  return made;
}

authority load_authority(const std::string& folder)
{
  const auto key_file = folder + "/ca/key.pem";
  const auto certificate_file = folder + "/ca/ca.pem";
  check_folder(folder);
  check_folder(folder + "/ca");
  authority loaded;
  loaded.key = read_key(key_file);
  loaded.certificate = std::move(read_certificates(certificate_file).front());
  if (X509_check_private_key(loaded.certificate.get(), loaded.key.get()) != 1) {
    refuse(certificate_file, "is not of the key in ca/key.pem");
  }
  if (X509_cmp_current_time(X509_get0_notAfter(loaded.certificate.get())) <= 0) {
    refuse(certificate_file, "has expired (" + day_of(*X509_get0_notAfter(loaded.certificate.get())) + ")");
  }

  char name[256] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(loaded.certificate.get()), NID_commonName, name, sizeof name);
  loaded.trust_domain = name;
  if (!loaded.trust_domain.starts_with(authority_name_prefix)) refuse(certificate_file, "is not of a CA of fastgpu's");
  loaded.trust_domain.erase(0, std::strlen(authority_name_prefix));
  return loaded;
}

void make_principal(const std::string& folder, const authority& by, const std::string& role_path, const std::string& name,
                    int days)
{
  folder_in_the_making made{folder, name};
  const auto key = new_key();
  const auto certificate = begin_certificate(name, *key, by.certificate.get(), days);
  auto& issuer = *by.certificate;
  add_extension(*certificate, issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(*certificate, issuer, NID_key_usage, "critical,digitalSignature");
  // Both for all: a node may dial in, and who waits for it is then the server.
  add_extension(*certificate, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
  add_extension(*certificate, issuer, NID_subject_key_identifier, "hash");
  add_extension(*certificate, issuer, NID_authority_key_identifier, "keyid");
  add_extension(*certificate, issuer, NID_subject_alt_name, "URI:fastgpu://" + by.trust_domain + "/" + role_path + "/" + name);
  need(X509_sign(certificate.get(), by.key.get(), EVP_sha256()) > 0);

  made.add("key.pem", to_pem(*key), 0600);
  made.add("certificate.pem", to_pem(*certificate), 0600);
  made.add("ca.pem", to_pem(issuer), 0600);
  made.publish();
}

void check(const std::string& folder, const principals& who, validity days)
{
  if (days.principal_days < 1 || days.principal_days > days_max || days.authority_days < 1 ||
      days.authority_days > days_max) {
    throw error{errc::invalid_argument, "credentials: valid for 1 to 36500 days"};
  }
  std::set<std::string> names{"ca"};
  for (const auto* list : {&who.nodes, &who.clients, &who.operators}) {
    for (const auto& name : *list) {
      if (!is_principal_name(name)) {
        throw error{errc::invalid_argument, "credentials: '" + name + "': expected a name of a-z, 0-9, '.', '_' and '-'"};
      }
      if (!names.insert(name).second) {
        throw error{errc::invalid_argument, "credentials: '" + name + "': a name can be given once, and 'ca' is taken"};
      }
      struct stat info{};
      if (::lstat((folder + "/" + name).c_str(), &info) == 0) refuse(folder + "/" + name, "is there already");
    }
  }
}

void make_principals(const std::string& folder, const authority& by, const principals& who, int days)
{
  for (const auto& name : who.nodes) make_principal(folder, by, "node", name, days);
  for (const auto& name : who.clients) make_principal(folder, by, "client", name, days);
  for (const auto& name : who.operators) make_principal(folder, by, "operator", name, days);
}

}  // namespace

void create_credentials(const std::string& folder, const principals& who, validity days)
{
  check(folder, who, days);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) fail_file(folder);
  check_folder(folder);

  const auto made = new_authority(days.authority_days);
  folder_in_the_making ca{folder, "ca"};
  ca.add("key.pem", to_pem(*made.key), 0600);
  ca.add("ca.pem", to_pem(*made.certificate), 0600);
  ca.publish();
  make_principals(folder, made, who, days.principal_days);
}

void add_credentials(const std::string& folder, const principals& who, validity days)
{
  check(folder, who, days);
  make_principals(folder, load_authority(folder), who, days.principal_days);
}

}  // namespace fastgpu::inline v0::detail
