#pragma once

#include <string>

#include <fastgpu/config.hpp>
#include <fastgpu/detail/ref.hpp>

/// @file
/// What a process proves with who it is: a key and a certificate of the cluster's CA.

namespace fastgpu::inline v0 {

namespace detail {
class credentials_data;
}

/// Key, certificate and CA of one principal, e.g. a node or a user. A copy is the same credentials, not a second set.
///
/// A folder of credentials holds `key.pem`, `certificate.pem`, `ca.pem` and, where somebody is to be kept out,
/// `deny.txt`: serial numbers in hex and URI names, one a line, `#` before comments. That file is read again whenever
/// it has changed; the others are read once.
///
/// @par Threads  Any.
class FASTGPU_API credentials {
 public:
  /// From a folder; `~/` in front means the home folder.
  /// @throws error  errc::credentials_error, naming the file that is missing, open to other users, expired, not of the
  ///                key or the CA beside it, or cannot be read.
  [[nodiscard]] static credentials load(const std::string& folder);

  credentials(const credentials&) noexcept;
  credentials(credentials&&) noexcept;
  credentials& operator=(const credentials&) noexcept;
  credentials& operator=(credentials&&) noexcept;
  ~credentials();

  /// E.g. "gpu7".
  [[nodiscard]] const std::string& name() const noexcept;

  /// Which cluster: the principals of one CA share it, those of two never do.
  [[nodiscard]] const std::string& trust_domain() const noexcept;

  [[nodiscard]] const detail::ref<const detail::credentials_data>& data() const noexcept { return data_; }

 private:
  explicit credentials(detail::ref<const detail::credentials_data> data) noexcept;

  detail::ref<const detail::credentials_data> data_;
};

}  // namespace fastgpu::inline v0
