// SHA-256, for checksums of migrations and fingerprints of requests.
#pragma once

#include <string>
#include <string_view>

namespace degu::store::internal {

/// The digest as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view data);

}  // namespace degu::store::internal
