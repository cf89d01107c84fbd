#include "net/credentials.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fastgpu/error.hpp>

#include "net/credential_files.hpp"
#include "net/tls.hpp"

namespace fastgpu::inline v0 {
namespace detail {
namespace {

[[noreturn]] void refuse(const std::string& file, const std::string& why)
{
  throw error{errc::credentials_error, "credentials: " + file + ": " + why};
}

std::string expand_home(const std::string& folder)
{
  if (!folder.starts_with("~/")) return folder;
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') refuse(folder, "there is no HOME in the environment");
  return home + folder.substr(1);
}

void check_dates(const std::string& file, const X509& certificate)
{
  const auto* begin = X509_get0_notBefore(&certificate);
  const auto* end = X509_get0_notAfter(&certificate);
  if (X509_cmp_current_time(begin) >= 0) refuse(file, "is not valid before " + day_of(*begin));
  if (X509_cmp_current_time(end) <= 0) refuse(file, "has expired (" + day_of(*end) + ")");
}

void check_chain(const std::string& file, X509& certificate, const std::vector<certificate_ptr>& authorities)
{
  const store_ptr store{X509_STORE_new()};
  for (const auto& authority : authorities) X509_STORE_add_cert(store.get(), authority.get());
  const store_context_ptr context{X509_STORE_CTX_new()};
  X509_STORE_CTX_init(context.get(), store.get(), &certificate, nullptr);
  X509_STORE_CTX_set_depth(context.get(), 0);
  X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(context.get()), 2);  // as TLS will ask of it
  const bool good = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  if (!good) {
    refuse(file, std::string{"is not of the CA in ca.pem ("} +
                     X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())) + ")");
  }
}

bool same_file(const struct stat& a, const struct stat& b) noexcept
{
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec && a.st_ctim.tv_sec == b.st_ctim.tv_sec &&
         a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

}  // namespace

bool deny_list::denies(const certified_name& name, const std::string& serial) const
{
  const std::scoped_lock lock{mutex_};
  read_if_changed();
  return paths_.contains(name.path()) || serials_.contains(serial);
}

void deny_list::read_if_changed() const
{
  struct stat info{};
  if (::stat(file_.c_str(), &info) != 0) {
    if (errno != ENOENT) refuse(file_, std::strerror(errno));
    seen_ = {};
    paths_.clear();
    serials_.clear();
    return;
  }
  if (same_file(info, seen_)) return;

  std::unordered_set<std::string> paths;
  std::unordered_set<std::string> serials;
  const auto text = read_trusted_file(file_, false);
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    auto line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    line.erase(std::min(line.find('#'), line.size()));
    std::erase_if(line, [](char c) { return c == ' ' || c == '\t' || c == '\r'; });
    if (line.empty()) continue;
    if (const auto name = parse_uri_name(line)) {
      paths.insert(name->path());
      continue;
    }
    std::erase(line, ':');
    for (auto& c : line) c = c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c;
    if (line.find_first_not_of("0123456789abcdef") != line.npos) {
      refuse(file_, "line " + std::to_string(number) + " is neither a URI name nor a serial number in hex");
    }
    line.erase(0, std::min(line.find_first_not_of('0'), line.size()));
    serials.insert(line);
  }
  paths_ = std::move(paths);
  serials_ = std::move(serials);
  seen_ = info;
}

credentials_data::credentials_data(const std::string& given) : denied_{expand_home(given) + "/deny.txt"}
{
  const auto folder = expand_home(given);
  const auto certificate_file = folder + "/certificate.pem";
  check_folder(folder);
  const auto key = read_key(folder + "/key.pem");
  const auto certificates = read_certificates(certificate_file);
  const auto authorities = read_certificates(folder + "/ca.pem");
  if (certificates.size() != 1) refuse(certificate_file, "holds more than one certificate");

  auto& certificate = *certificates.front();
  check_dates(certificate_file, certificate);
  for (const auto& authority : authorities) check_dates(folder + "/ca.pem", *authority);
  if (X509_check_private_key(&certificate, key.get()) != 1) {
    ERR_clear_error();
    refuse(certificate_file, "is not of the key in key.pem");
  }
  auto name = name_of(certificate);
  if (!name) refuse(certificate_file, name.error().detail);
  self_ = std::move(name).value();
  for (const bool server : {false, true}) {
    if (const auto unfit = unfitness_of(certificate, server)) refuse(certificate_file, unfit->detail);
  }
  check_chain(certificate_file, certificate, authorities);
  (void)denied_.denies(self_, serial_of(certificate));  // a file that cannot be read is told of now

  server_ = make_tls_context(true, certificate, *key, authorities);
  client_ = make_tls_context(false, certificate, *key, authorities);
}

}  // namespace detail

credentials::credentials(detail::ref<const detail::credentials_data> data) noexcept : data_{std::move(data)} {}

credentials credentials::load(const std::string& folder)
{
  return credentials{detail::ref<const detail::credentials_data>{new detail::credentials_data{folder}}};
}

credentials::credentials(const credentials&) noexcept = default;
credentials::credentials(credentials&&) noexcept = default;
credentials& credentials::operator=(const credentials&) noexcept = default;
credentials& credentials::operator=(credentials&&) noexcept = default;
credentials::~credentials() = default;

const std::string& credentials::name() const noexcept { return data_->self().name; }
const std::string& credentials::trust_domain() const noexcept { return data_->self().trust_domain; }

}  // namespace fastgpu::inline v0
