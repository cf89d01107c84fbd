#pragma once

#include <string>
#include <vector>

#include "net/openssl.hpp"

/// @file
/// Keys and certificates as they lie in folders. What others could have changed, or read of what is secret, is refused.

namespace fastgpu::inline v0::detail {

/// @throws error  errc::credentials_error, as all here, where `folder` is none or somebody else may write to it.
void check_folder(const std::string& folder);

/// All of a file, opened once, so that what is checked is what is read.
/// @param secret  Nobody else may read it.
[[nodiscard]] std::string read_trusted_file(const std::string& file, bool secret);

/// A private key without a passphrase.
[[nodiscard]] key_ptr read_key(const std::string& file);

/// All certificates in a file, at least one.
[[nodiscard]] std::vector<certificate_ptr> read_certificates(const std::string& file);

}  // namespace fastgpu::inline v0::detail
