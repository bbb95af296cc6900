// secure_headers: response fields that make browsers strict.
#pragma once

#include <degu/http/exchange.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace degu::http {

/// When Strict-Transport-Security is sent.
enum class HstsWhen : uint8_t {
  kOverTls,  ///< with answers to Exchange::secure() requests: RFC 6797 section 7.2 forbids it elsewhere
  kAlways,   ///< for TLS that ends at a proxy which does not say so
  kNever,
};

/// An empty text leaves that field out.
struct SecureHeadersOptions {
  HstsWhen hsts = HstsWhen::kOverTls;
  std::chrono::seconds hsts_max_age = std::chrono::hours(24 * 365);
  /// A promise about all subdomains, also those that other servers have.
  bool hsts_include_subdomains = false;
  /// Asks for a place in the browsers' own lists, which is hard to leave; needs subdomains and a year.
  bool hsts_preload = false;

  /// X-Content-Type-Options: nosniff.
  bool no_sniff = true;
  std::string content_security_policy =
      "default-src 'self'; base-uri 'self'; form-action 'self'; object-src 'none'";
  /// Who may show the page in a frame: the CSP directive, added to the policy above unless that has its own, and
  /// X-Frame-Options for "'none'" and "'self'", which is all that can be said there.
  std::string frame_ancestors = "'none'";
  /// Not "no-referrer": browsers then send "Origin: null" with the site's own forms, and csrf() would refuse them.
  std::string referrer_policy = "strict-origin-when-cross-origin";
  std::string cross_origin_opener_policy = "same-origin";
  std::string cross_origin_resource_policy = "same-origin";
  std::string permissions_policy = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";
};

/// Sets the fields before the rest of the chain runs: a handler replaces one by set_header. Answers that are problems
/// or 404 have them too when it is used on the Router. Sources: RFC 6797 (HSTS), RFC 7034 (X-Frame-Options), Content
/// Security Policy Level 3, Fetch (nosniff, CORP), HTML (COOP), Referrer Policy, Permissions Policy.
///
/// Throws Error(kInvalidArgument) for a value that is no field value, a negative age, and hsts_preload without what
/// hstspreload.org asks for.
Handler secure_headers(SecureHeadersOptions options = {});

}  // namespace degu::http
