#include <degu/base/error.h>
#include <degu/base/time.h>
#include <degu/http/internal/authorization.h>
#include <degu/http/internal/base64.h>
#include <degu/http/internal/exchange_access.h>
#include <degu/http/internal/fields.h>
#include <degu/http/json_writer.h>
#include <degu/http/jwt.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace degu::http {
namespace {

using json::Document;
using json::Value;

constexpr std::chrono::seconds kMaxLeeway = std::chrono::minutes(10);
constexpr double kMaxDate =
    1'099'511'627'776;  // 2^40 s: far beyond all dates, and its microseconds fit 64 bits

[[noreturn]] void refuse(const char* why) {
  throw Error(Code::kUnauthenticated, fmt::format("the token is not valid: {}", why));
}

[[noreturn]] void throw_invalid(std::string message) {
  throw Error(Code::kInvalidArgument, std::move(message));
}

struct Parts {
  std::string_view header;
  std::string_view claims;
  std::string_view signature;
  std::string_view signed_text;
};

Parts split(std::string_view token) {
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    refuse("it does not have three parts");
  }
  return {token.substr(0, first), token.substr(first + 1, second - first - 1), token.substr(second + 1),
          token.substr(0, second)};
}

Document parse_object(std::string_view part, const char* fault) {
  const auto text = internal::from_base64url(part);
  if (!text) refuse(fault);
  try {
    Document document = Document::parse(*text);
    if (document.root().type() == json::Type::kObject) return document;
  } catch (const Error& error) {
    if (error.code() != Code::kInvalidArgument) throw;
  }
  refuse(fault);
}

// "" when absent.
std::string text_claim(const Value& claims, std::string_view name, const char* fault) {
  const auto value = claims.find(name);
  if (!value) return {};
  const auto text = value->string();
  if (!text) refuse(fault);
  return std::string(*text);
}

std::optional<JwtTime> date_claim(const Value& claims, std::string_view name, const char* fault) {
  const auto value = claims.find(name);
  if (!value) return std::nullopt;
  const auto whole = value->int64();
  const auto number = whole ? std::optional(static_cast<double>(*whole)) : value->number();
  if (!number || !(*number >= 0) || *number > kMaxDate) refuse(fault);
  return JwtTime(std::chrono::microseconds(whole ? *whole * 1'000'000 : std::llround(*number * 1e6)));
}

std::vector<std::string> audience_claim(const Value& claims) {
  constexpr const char* kFault = "its audience is malformed";
  std::vector<std::string> audience;
  const auto value = claims.find("aud");
  if (!value) return audience;
  if (value->type() != json::Type::kArray) {
    audience.push_back(text_claim(claims, "aud", kFault));
    return audience;
  }
  value->each_element([&](Value element) {
    const auto text = element.string();
    if (!text) refuse(kFault);
    audience.emplace_back(*text);
  });
  return audience;
}

JwtClaims claims_of(Document parsed) {
  JwtClaims claims;
  claims.document = std::make_shared<const Document>(std::move(parsed));
  const Value root = claims.document->root();
  claims.issuer = text_claim(root, "iss", "its issuer is malformed");
  claims.subject = text_claim(root, "sub", "its subject is malformed");
  claims.id = text_claim(root, "jti", "its id is malformed");
  claims.audience = audience_claim(root);
  claims.expires_at = date_claim(root, "exp", "its expiry is malformed");
  claims.not_before = date_claim(root, "nbf", "its beginning is malformed");
  claims.issued_at = date_claim(root, "iat", "its date of issue is malformed");
  return claims;
}

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// The media type that "typ" stands for, its "application/" left out (RFC 7515 section 4.1.9).
bool is_type(std::string_view type, std::string_view wanted) noexcept {
  constexpr std::string_view kPrefix = "application/";
  if (type.size() > kPrefix.size() &&
      internal::equals_ignoring_case(type.substr(0, kPrefix.size()), kPrefix)) {
    type.remove_prefix(kPrefix.size());
  }
  return internal::equals_ignoring_case(type, wanted);
}

struct Cookie {
  std::string_view value;
  std::size_t count = 0;
};

// RFC 6265 section 5.4: "a=b; c=d".
Cookie find_cookie(const Exchange& c, std::string_view name) {
  const RequestHead& head = *internal::ExchangeAccess::state(c).head;
  Cookie found;
  for (std::size_t i = 0; i < head.field_count(); ++i) {
    if (!internal::equals_ignoring_case(head.field_name(i), "cookie")) continue;
    std::string_view left = head.field_value(i);
    while (!left.empty()) {
      const std::size_t end = left.find(';');
      const std::string_view pair = internal::trim(left.substr(0, end));
      left.remove_prefix(end == std::string_view::npos ? left.size() : end + 1);
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos || pair.substr(0, equals) != name) continue;
      ++found.count;
      found.value = pair.substr(equals + 1);
    }
  }
  return found;
}

class JwtCheck {
 public:
  explicit JwtCheck(JwtOptions options)
      : cookie_(options.cookie),
        realm_(options.realm.empty() ? std::string() : "realm=" + internal::quoted(options.realm)),
        optional_(options.optional),
        verifier_(std::move(options)) {}

  void operator()(Exchange& c) const {
    const auto token = token_of(c);
    if (token) {
      try {
        c.set(verifier_.verify(*token));
      } catch (const Error& error) {
        if (error.code() == Code::kUnauthenticated) challenge(c, error.message());
        throw;
      }
    } else if (!optional_) {
      challenge(c, {});
      throw Error(Code::kUnauthenticated, "a token is needed");
    }
    c.next();
  }

 private:
  // "" for two cookies: one of them may have been planted by a neighbouring site.
  std::optional<std::string_view> token_of(const Exchange& c) const {
    const auto bearer = internal::credentials(c, "Bearer");
    if (bearer || cookie_.empty() || internal::counted_field(c, "authorization").count != 0) return bearer;
    const Cookie cookie = find_cookie(c, cookie_);
    if (cookie.count == 0) return std::nullopt;
    return cookie.count == 1 ? cookie.value : std::string_view();
  }

  void challenge(Exchange& c, std::string_view fault) const {
    std::string text = "Bearer";
    if (!realm_.empty()) text += " " + realm_;
    if (!fault.empty()) {
      fmt::format_to(std::back_inserter(text), "{} error=\"invalid_token\", error_description={}",
                     realm_.empty() ? "" : ",", internal::quoted(fault));
    }
    c.set_header("WWW-Authenticate", text);
  }

  std::string cookie_;
  std::string realm_;
  bool optional_;
  JwtVerifier verifier_;
};

std::string sign_parts(const JwtKey& key, std::string_view claims, std::string_view type) {
  std::string header;
  json::Writer writer(header);
  writer.begin_object();
  writer.key("alg");
  writer.value(to_string(key.algorithm()));
  if (!type.empty()) {
    writer.key("typ");
    writer.value(type);
  }
  if (!key.id().empty()) {
    writer.key("kid");
    writer.value(key.id());
  }
  writer.end_object();
  std::string token = internal::to_base64url(header) + '.' + internal::to_base64url(claims);
  token += '.' + internal::to_base64url(key.sign(token));
  if (token.size() > kMaxJwtBytes) {
    throw Error(Code::kOutOfRange,
                fmt::format("the token has {} bytes, at most {}", token.size(), kMaxJwtBytes));
  }
  return token;
}

void write_text(json::Writer& writer, std::string_view name, const std::string& text) {
  if (text.empty()) return;
  writer.key(name);
  writer.value(text);
}

void write_date(json::Writer& writer, std::string_view name, const std::optional<JwtTime>& date) {
  if (!date) return;
  writer.key(name);
  writer.value(std::chrono::floor<std::chrono::seconds>(*date).time_since_epoch().count());
}

}  // namespace

JwtVerifier::JwtVerifier(JwtOptions options) : options_(std::move(options)) {
  if (options_.keys.empty()) throw_invalid("jwt: there is no key");
  for (std::size_t i = 0; i < options_.keys.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!options_.keys[i].id().empty() && options_.keys[i].id() == options_.keys[j].id()) {
        throw_invalid(fmt::format("jwt: two keys have the id \"{}\"", options_.keys[i].id()));
      }
    }
  }
  if (options_.require_issuer && options_.issuers.empty())
    throw_invalid("jwt: an issuer is required but none is given");
  if (contains(options_.issuers, "")) throw_invalid("jwt: an issuer is empty");
  if (options_.require_audience && options_.audience.empty()) {
    throw_invalid("jwt: an audience is required but none is given");
  }
  if (options_.leeway.count() < 0 || options_.leeway > kMaxLeeway) {
    throw_invalid(fmt::format("jwt: the leeway of {} s is not from 0 to {} s", options_.leeway.count(),
                              kMaxLeeway.count()));
  }
}

JwtClaims JwtVerifier::verify(std::string_view token) const {
  if (token.size() > kMaxJwtBytes) refuse("it is too long");
  const Parts parts = split(token);
  const Document header = parse_object(parts.header, "its header is malformed");
  check_header(header.root());
  const JwtKey& key = key_for(header.root());
  const auto signature = internal::from_base64url(parts.signature);
  if (!signature || !key.verify(parts.signed_text, *signature)) refuse("its signature is wrong");
  JwtClaims claims = claims_of(parse_object(parts.claims, "its claims are malformed"));
  check_claims(claims);
  return claims;
}

void JwtVerifier::check_header(const Value& header) const {
  if (header.find("crit")) refuse("it demands an extension");
  const auto type = header.find("typ");
  const auto text = type ? type->string() : std::nullopt;
  const bool fits = text ? is_type(*text, options_.type.empty() ? std::string_view("JWT") : options_.type)
                         : !type && options_.type.empty();
  if (!fits) refuse("it is of another type");
}

const JwtKey& JwtVerifier::key_for(const Value& header) const {
  const auto member = header.find("alg");
  const auto algorithm = member ? member->string() : std::nullopt;
  if (!algorithm) refuse("it names no algorithm");
  const auto kid = header.find("kid");
  const auto id = kid ? kid->string() : std::nullopt;
  if (kid && (!id || id->empty())) refuse("its key is not known");
  const JwtKey* found = nullptr;
  for (const JwtKey& key : options_.keys) {
    if (id ? key.id() != *id : to_string(key.algorithm()) != *algorithm) continue;
    if (found != nullptr) refuse("it does not say which key it is signed by");
    found = &key;
  }
  if (found == nullptr) refuse("its key is not known");
  // What verifies is the key's algorithm; the token has to agree.
  if (to_string(found->algorithm()) != *algorithm) refuse("its algorithm is not that of the key");
  return *found;
}

void JwtVerifier::check_claims(const JwtClaims& claims) const {
  const Value root = claims.document->root();
  if (options_.require_issuer || (root.find("iss") && !options_.issuers.empty())) {
    if (!contains(options_.issuers, claims.issuer)) refuse("its issuer is not accepted");
  }
  if (options_.require_audience || (root.find("aud") && !options_.audience.empty())) {
    if (!contains(claims.audience, options_.audience)) refuse("it is meant for others");
  }
  if (options_.require_expiry && !claims.expires_at) refuse("it does not say when it expires");
  if (options_.require_not_before && !claims.not_before) refuse("it does not say from when it is valid");
  const auto now = std::chrono::floor<std::chrono::microseconds>(wall_now());
  if (claims.expires_at && now >= *claims.expires_at + options_.leeway) refuse("it has expired");
  if (claims.not_before && now + options_.leeway < *claims.not_before) refuse("it is not valid yet");
}

Handler jwt(JwtOptions options) {
  internal::check_realm("jwt", options.realm);
  if (!options.cookie.empty() && !internal::is_token(options.cookie)) {
    throw_invalid(fmt::format("jwt: \"{}\" is not the name of a cookie", options.cookie));
  }
  return JwtCheck(std::move(options));
}

std::string sign_jwt(const JwtKey& key, const JwtClaims& claims, std::string_view type) {
  std::string text;
  json::Writer writer(text);
  writer.begin_object();
  write_text(writer, "iss", claims.issuer);
  write_text(writer, "sub", claims.subject);
  if (!claims.audience.empty()) {
    writer.key("aud");
    writer.begin_array();
    for (const std::string& audience : claims.audience) writer.value(audience);
    writer.end_array();
  }
  write_date(writer, "exp", claims.expires_at);
  write_date(writer, "nbf", claims.not_before);
  write_date(writer, "iat", claims.issued_at);
  write_text(writer, "jti", claims.id);
  writer.end_object();
  return sign_parts(key, text, type);
}

std::string sign_jwt(const JwtKey& key, std::string_view claims, std::string_view type) {
  if (Document::parse(claims).root().type() != json::Type::kObject)
    throw_invalid("the claims are not a JSON object");
  return sign_parts(key, claims, type);
}

}  // namespace degu::http
