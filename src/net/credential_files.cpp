#include "net/credential_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <openssl/pem.h>

#include <fastgpu/error.hpp>

namespace fastgpu::inline v0::detail {
namespace {

constexpr std::size_t file_bytes_max = 1 << 20;

[[noreturn]] void refuse(const std::string& file, const std::string& why)
{
  throw error{errc::credentials_error, "credentials: " + file + ": " + why};
}

bio_ptr reader(const std::string& text) { return bio_ptr{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))}; }

/// A key with a passphrase would be asked for at the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

void check_folder(const std::string& folder)
{
  struct stat info{};
  if (::stat(folder.c_str(), &info) != 0) refuse(folder, std::strerror(errno));
  if (!S_ISDIR(info.st_mode)) refuse(folder, "is not a folder");
  if (info.st_uid != ::geteuid() && info.st_uid != 0) refuse(folder, "belongs to another user");
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) refuse(folder, "others can write to it: chmod 700");
}

std::string read_trusted_file(const std::string& file, bool secret)
{
  const int opened = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (opened < 0) refuse(file, std::strerror(errno));
  struct closer {
    int file;
    ~closer() { ::close(file); }
  } const close_at_end{opened};

  struct stat info{};
  if (::fstat(opened, &info) != 0) refuse(file, std::strerror(errno));
  if (!S_ISREG(info.st_mode)) refuse(file, "is not a file");
  if (info.st_uid != ::geteuid() && info.st_uid != 0) refuse(file, "belongs to another user");
  if (secret && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0) refuse(file, "others have access to it: chmod 600");
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) refuse(file, "others can write to it: chmod 600");
  if (static_cast<std::size_t>(info.st_size) > file_bytes_max) refuse(file, "is too large");

  std::string text(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t at = 0;
  while (at < text.size()) {
    const auto count = ::read(opened, text.data() + at, text.size() - at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) refuse(file, std::strerror(errno));
    if (count == 0) break;
    at += static_cast<std::size_t>(count);
  }
  text.resize(at);
  return text;
}

key_ptr read_key(const std::string& file)
{
  auto text = read_trusted_file(file, true);
  key_ptr key{PEM_read_bio_PrivateKey(reader(text).get(), nullptr, no_passphrase, nullptr)};
  OPENSSL_cleanse(text.data(), text.size());
  ERR_clear_error();
  if (!key) refuse(file, "holds no PEM private key without a passphrase");
  return key;
}

std::vector<certificate_ptr> read_certificates(const std::string& file)
{
  const auto text = read_trusted_file(file, false);
  const auto from = reader(text);
  std::vector<certificate_ptr> all;
  while (certificate_ptr one{PEM_read_bio_X509(from.get(), nullptr, no_passphrase, nullptr)}) all.push_back(std::move(one));
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (all.empty() || !at_end) refuse(file, "holds no certificate in PEM, or a damaged one");
  return all;
}

}  // namespace fastgpu::inline v0::detail
