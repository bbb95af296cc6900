#include <degu/base/error.h>
#include <degu/http/cors.h>
#include <degu/http/internal/exchange_access.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/origin.h>
#include <degu/http/internal/response_fields.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace degu::http {
namespace {

[[noreturn]] void throw_invalid(std::string message) {
  throw Error(Code::kInvalidArgument, std::move(message));
}

bool has_wildcard(const std::vector<std::string>& list) {
  return std::find(list.begin(), list.end(), "*") != list.end();
}

void check_origins(const CorsOptions& options) {
  if (options.origins.empty() && !options.allow_origin) throw_invalid("cors: no origin is allowed");
  if (has_wildcard(options.origins)) {
    if (options.credentials)
      throw_invalid("cors: \"*\" and credentials exclude each other; list the origins");
    if (options.origins.size() > 1 || options.allow_origin) {
      throw_invalid("cors: \"*\" allows every origin; leave the others out");
    }
    return;
  }
  for (const std::string& origin : options.origins) internal::check_origin(origin);
}

void check_names(const CorsOptions& options, const std::vector<std::string>& names, std::string_view what) {
  for (const std::string& name : names) {
    if (!internal::is_token(name)) throw_invalid(fmt::format("cors: \"{}\" is not a {}", name, what));
  }
  if (options.credentials && has_wildcard(names)) {
    throw_invalid(fmt::format("cors: with credentials \"*\" means nothing; list each {}", what));
  }
}

// Puts Vary back if the rest of the chain has replaced it, also when that ends by an exception.
class KeepVary {
 public:
  explicit KeepVary(Exchange& c) : c_(c) {
    internal::add_vary(internal::ExchangeAccess::state(c).fields, "Origin");
  }
  KeepVary(const KeepVary&) = delete;
  KeepVary& operator=(const KeepVary&) = delete;
  ~KeepVary() {
    try {
      internal::add_vary(internal::ExchangeAccess::state(c_).fields, "Origin");
    } catch (...) {
      // No memory for twelve bytes: a cache that mixes answers up is worse than no answer.
      internal::ExchangeAccess::state(c_).broken = true;
    }
  }

 private:
  Exchange& c_;
};

class Cors {
 public:
  explicit Cors(CorsOptions options)
      : options_(std::move(options)),
        any_origin_(has_wildcard(options_.origins)),
        methods_(fmt::to_string(fmt::join(options_.methods, ", "))),
        headers_(fmt::to_string(fmt::join(options_.headers, ", "))),
        exposed_(fmt::to_string(fmt::join(options_.exposed, ", "))),
        max_age_(fmt::to_string(options_.max_age.count())) {}

  void operator()(Exchange& c) const {
    const internal::CountedField origin = internal::counted_field(c, "origin");
    const bool allowed = origin.count == 1 && allows(origin.value);
    const bool preflight =
        c.method() == "OPTIONS" && origin.count != 0 && !c.header("access-control-request-method").empty();
    if (preflight) return answer_preflight(c, origin.value, allowed);
    if (any_origin_) {
      if (allowed) permit(c, origin.value);
      return c.next();
    }
    const KeepVary keep(c);
    if (allowed) permit(c, origin.value);
    c.next();
  }

 private:
  bool allows(std::string_view origin) const {
    if (any_origin_) return true;
    if (std::find(options_.origins.begin(), options_.origins.end(), origin) != options_.origins.end())
      return true;
    return options_.allow_origin && !internal::origin_authority(origin).empty() &&
           options_.allow_origin(origin);
  }

  void permit(Exchange& c, std::string_view origin) const {
    name_origin(c, origin);
    if (!exposed_.empty()) c.set_header("Access-Control-Expose-Headers", exposed_);
  }

  void name_origin(Exchange& c, std::string_view origin) const {
    c.set_header("Access-Control-Allow-Origin", any_origin_ ? std::string_view("*") : origin);
    if (options_.credentials) c.set_header("Access-Control-Allow-Credentials", "true");
  }

  void answer_preflight(Exchange& c, std::string_view origin, bool allowed) const {
    for (const std::string_view name :
         {"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"}) {
      internal::add_vary(internal::ExchangeAccess::state(c).fields, name);
    }
    if (!allowed)
      throw HttpError(403, Code::kPermissionDenied, "pages of this origin may not use this server");
    name_origin(c, origin);
    c.set_header("Access-Control-Allow-Methods", methods_);
    if (!headers_.empty()) c.set_header("Access-Control-Allow-Headers", headers_);
    c.set_header("Access-Control-Max-Age", max_age_);
    c.empty(204);
  }

  CorsOptions options_;
  bool any_origin_;
  std::string methods_;
  std::string headers_;
  std::string exposed_;
  std::string max_age_;
};

}  // namespace

Handler cors(CorsOptions options) {
  check_origins(options);
  check_names(options, options.methods, "method");
  check_names(options, options.headers, "header name");
  check_names(options, options.exposed, "header name");
  if (options.methods.empty()) throw_invalid("cors: no method is allowed");
  if (options.max_age.count() < 0) throw_invalid("cors: max_age is negative");
  return Cors(std::move(options));
}

}  // namespace degu::http
