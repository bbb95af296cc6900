// SHA-256 digests, to compare secrets by: all are of one length, and equal() takes the same time for all.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace degu::http::internal {

using Digest = std::array<uint8_t, 32>;

Digest sha256(std::string_view bytes);
/// 20 bytes, for protocols that want it; secures nothing.
std::string sha1(std::string_view bytes);
/// In a time that does not depend on where they differ.
bool equal(const Digest& a, const Digest& b) noexcept;

/// 64 hexadecimal digits, lower case.
std::string to_hex(const Digest& digest);
/// nullopt unless `text` is 64 hexadecimal digits of either case.
std::optional<Digest> digest_from_hex(std::string_view text) noexcept;

}  // namespace degu::http::internal
