#include <degu/base/error.h>
#include <degu/http/csrf.h>
#include <degu/http/internal/exchange_access.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/origin.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace degu::http {
namespace {

using internal::CountedField;

bool is_safe(std::string_view method) noexcept {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

void check_bypass(std::string_view text) {
  const std::size_t space = text.find(' ');
  const bool has_method = space != std::string_view::npos;
  const std::string_view pattern = has_method ? text.substr(space + 1) : text;
  const bool fine = pattern.starts_with('/') && pattern.find(' ') == std::string_view::npos &&
                    (!has_method || internal::is_token(text.substr(0, space)));
  if (fine) return;
  throw Error(Code::kInvalidArgument,
              fmt::format("csrf: \"{}\" is not the pattern of a route; write \"/hooks/:name\" or "
                          "\"POST /hooks/:name\"",
                          text));
}

class Csrf {
 public:
  explicit Csrf(CsrfOptions options) : options_(std::move(options)) {
    for (const std::string& origin : options_.trusted_origins) internal::check_origin(origin);
    for (const std::string& bypass : options_.bypass) check_bypass(bypass);
  }

  void operator()(Exchange& c) const {
    if (is_safe(c.method())) return c.next();
    const CountedField origin = internal::counted_field(c, "origin");
    if (comes_from_here(c, origin) || is_trusted(origin) || is_bypassed(c)) return c.next();
    throw HttpError(403, Code::kPermissionDenied, "the request comes from a page of another origin");
  }

 private:
  static bool comes_from_here(const Exchange& c, const CountedField& origin) {
    const CountedField site = internal::counted_field(c, "sec-fetch-site");
    if (site.count > 1 || origin.count > 1) return false;
    if (!site.value.empty()) return site.value == "same-origin" || site.value == "none";
    if (origin.value.empty()) return true;
    const std::string_view authority = internal::origin_authority(origin.value);
    return !authority.empty() && internal::equals_ignoring_case(authority, c.host());
  }

  bool is_trusted(const CountedField& origin) const {
    const auto& trusted = options_.trusted_origins;
    return origin.count == 1 && std::find(trusted.begin(), trusted.end(), origin.value) != trusted.end();
  }

  // By the route that was chosen, not by the path: no second reading of it that could differ.
  bool is_bypassed(const Exchange& c) const {
    const std::string_view route = c.route();
    if (route.empty()) return false;
    return std::any_of(options_.bypass.begin(), options_.bypass.end(), [&](std::string_view bypass) {
      const std::size_t space = bypass.find(' ');
      if (space == std::string_view::npos) return bypass == route;
      return bypass.substr(0, space) == c.method() && bypass.substr(space + 1) == route;
    });
  }

  CsrfOptions options_;
};

}  // namespace

Handler csrf(CsrfOptions options) { return Csrf(std::move(options)); }

}  // namespace degu::http
