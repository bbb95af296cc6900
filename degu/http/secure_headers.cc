#include <degu/base/error.h>
#include <degu/http/internal/fields.h>
#include <degu/http/secure_headers.h>
#include <fmt/format.h>

#include <string_view>
#include <utility>
#include <vector>

namespace degu::http {
namespace {

constexpr std::string_view kFrameAncestors = "frame-ancestors";

struct Field {
  std::string_view name;
  std::string value;
};

// Directives are separated by ';', their names end at white space and ignore case (CSP3 section 2.2.1).
bool has_frame_ancestors(std::string_view policy) {
  while (!policy.empty()) {
    const std::size_t end = policy.find(';');
    const std::string_view directive = internal::trim(policy.substr(0, end));
    if (internal::equals_ignoring_case(directive.substr(0, directive.find_first_of(" \t")), kFrameAncestors))
      return true;
    if (end == std::string_view::npos) return false;
    policy.remove_prefix(end + 1);
  }
  return false;
}

std::string security_policy(const SecureHeadersOptions& options) {
  std::string policy = options.content_security_policy;
  if (options.frame_ancestors.empty() || has_frame_ancestors(policy)) return policy;
  if (!policy.empty()) policy += internal::trim(policy).ends_with(';') ? " " : "; ";
  return policy.append(kFrameAncestors).append(" ").append(options.frame_ancestors);
}

std::string frame_options(std::string_view ancestors) {
  if (ancestors == "'none'") return "DENY";
  return ancestors == "'self'" ? "SAMEORIGIN" : "";
}

std::string strict_transport_security(const SecureHeadersOptions& options) {
  if (options.hsts_max_age.count() < 0) {
    throw Error(Code::kInvalidArgument, "secure_headers: hsts_max_age is negative");
  }
  if (options.hsts_preload &&
      (!options.hsts_include_subdomains || options.hsts_max_age < std::chrono::hours(24 * 365))) {
    throw Error(Code::kInvalidArgument,
                "secure_headers: hsts_preload needs hsts_include_subdomains and an hsts_max_age of a year");
  }
  return fmt::format("max-age={}{}{}", options.hsts_max_age.count(),
                     options.hsts_include_subdomains ? "; includeSubDomains" : "",
                     options.hsts_preload ? "; preload" : "");
}

std::vector<Field> fields_of(const SecureHeadersOptions& options) {
  std::vector<Field> fields;
  const auto add = [&](std::string_view name, std::string value) {
    if (value.empty()) return;
    if (!internal::is_field_value(value)) {
      throw Error(Code::kInvalidArgument,
                  fmt::format("secure_headers: the value of {} has control characters", name));
    }
    fields.push_back({name, std::move(value)});
  };
  if (options.no_sniff) add("X-Content-Type-Options", "nosniff");
  add("Content-Security-Policy", security_policy(options));
  add("X-Frame-Options", frame_options(options.frame_ancestors));
  add("Referrer-Policy", options.referrer_policy);
  add("Cross-Origin-Opener-Policy", options.cross_origin_opener_policy);
  add("Cross-Origin-Resource-Policy", options.cross_origin_resource_policy);
  add("Permissions-Policy", options.permissions_policy);
  return fields;
}

}  // namespace

Handler secure_headers(SecureHeadersOptions options) {
  return [fields = fields_of(options), hsts = strict_transport_security(options),
          when = options.hsts](Exchange& c) {
    for (const Field& field : fields) c.set_header(field.name, field.value);
    if (when == HstsWhen::kAlways || (when == HstsWhen::kOverTls && c.secure())) {
      c.set_header("Strict-Transport-Security", hsts);
    }
    c.next();
  };
}

}  // namespace degu::http
