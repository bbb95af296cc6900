// Elements of Forwarded (RFC 7239) and X-Forwarded-For, read from the right: there stand those of the nearest proxies.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace degu::http::internal {

/// Takes the last element, trimmed, off a comma-separated list; nothing left: nullopt. Commas within quotes do not
/// count. Read from the right, what a client put in front of it, quotes that never end included, cannot change how
/// the element of a proxy is read.
std::optional<std::string_view> take_last_element(std::string_view& list, bool quotes) noexcept;

struct ForwardedElement {
  std::string node;   // the value of "for"
  std::string proto;  // the value of "proto", in lower case
};

/// nullopt when the element is malformed, repeats a parameter or has no "for".
std::optional<ForwardedElement> parse_forwarded_element(std::string_view element);

}  // namespace degu::http::internal
