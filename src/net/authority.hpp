#pragma once

#include <string>
#include <vector>

/// @file
/// Makes what credentials::load() reads: a CA and the folders of its principals.

namespace fastgpu::inline v0::detail {

/// Names: [a-z0-9._-], at most 63 of them; no name twice, whatever its role; not "ca".
struct principals {
  std::vector<std::string> nodes{};
  std::vector<std::string> clients{};    ///< May submit and observe.
  std::vector<std::string> operators{};  ///< May drain nodes, too.
};

struct validity {
  int principal_days = 365;
  int authority_days = 3650;
};

/// Makes a CA with a new trust domain in `folder`/ca, and a folder `folder`/NAME for each principal, whole, to be
/// copied to its machine. The CA's key, which can make more of them, stays in `folder`/ca. Keys are ECDSA P-256, readable
/// by their owner only. Each folder appears complete or not at all; nothing is overwritten.
///
/// @throws error  errc::invalid_argument for names; errc::credentials_error where something is there already;
///                errc::file_error.
void create_credentials(const std::string& folder, const principals& who, validity days = {});

/// More principals of the CA in `folder`/ca.
/// @throws error  As above, and errc::credentials_error where there is no CA.
void add_credentials(const std::string& folder, const principals& who, validity days = {});

}  // namespace fastgpu::inline v0::detail
