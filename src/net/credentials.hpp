#pragma once

#include <sys/stat.h>

#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include <fastgpu/cluster/credentials.hpp>
#include <fastgpu/detail/ref.hpp>

#include "net/certificate.hpp"
#include "net/openssl.hpp"

/// @file
/// Credentials as the transport sees them.

namespace fastgpu::inline v0::detail {

/// Those who are kept out, from a file that may change.
///
/// @par Threads  Any.
class deny_list {
 public:
  explicit deny_list(std::string file) : file_{std::move(file)} {}

  /// Whether a certificate is on the list as it is now. Says yes of everybody where the file is there and cannot be
  /// used: who had been denied would be let in.
  /// @throws error  errc::credentials_error in that case, with the reason.
  [[nodiscard]] bool denies(const certified_name& name, const std::string& serial) const;

 private:
  void read_if_changed() const;

  std::string file_;
  mutable std::mutex mutex_;                              // leaf
  mutable struct stat seen_{};                            // guarded by mutex_
  mutable std::unordered_set<std::string> paths_;         // guarded by mutex_
  mutable std::unordered_set<std::string> serials_;       // guarded by mutex_
};

/// A principal's key and certificate, checked, with TLS contexts for both ends.
class credentials_data final : public ref_counted {
 public:
  /// @throws error  errc::credentials_error
  explicit credentials_data(const std::string& folder);

  [[nodiscard]] const certified_name& self() const noexcept { return self_; }
  [[nodiscard]] const deny_list& denied() const noexcept { return denied_; }
  [[nodiscard]] SSL_CTX& context(bool server) const noexcept { return server ? *server_ : *client_; }

 private:
  certified_name self_;
  deny_list denied_;
  tls_context_ptr server_;
  tls_context_ptr client_;
};

}  // namespace fastgpu::inline v0::detail
