#include <degu/base/error.h>
#include <degu/http/api_key.h>
#include <degu/http/basic_auth.h>
#include <degu/http/internal/authorization.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/ip.h>
#include <degu/http/jwt.h>
#include <degu/http/rate_limit.h>
#include <degu/http/real_ip.h>
#include <degu/resilience/keyed_rate_limiter.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <utility>

namespace degu::http {
namespace {

constexpr unsigned kSubscriberBits = 64;

int64_t seconds_up(std::chrono::nanoseconds time) noexcept {
  return std::chrono::ceil<std::chrono::seconds>(time).count();
}

class RateLimit {
 public:
  explicit RateLimit(RateLimitOptions options)
      : key_(options.key ? std::move(options.key) : by_client_ip()),
        name_(internal::quoted(options.name)),
        policy_(fmt::format("{};q={};w={:.0f}", name_, options.burst,
                            std::ceil(static_cast<double>(options.burst) / options.per_second))),
        limiter_(std::make_unique<KeyedRateLimiter>(
            KeyedRateOptions{{options.per_second, options.burst}, options.max_keys})) {}

  void operator()(Exchange& c) const {
    const RateDecision decision = limiter_->take(key_(c));
    c.add_header("RateLimit-Policy", policy_);
    c.add_header("RateLimit",
                 fmt::format("{};r={};t={}", name_, decision.remaining, seconds_up(decision.reset_after)));
    if (decision.allowed) return c.next();
    const int64_t wait = seconds_up(decision.retry_after);
    c.set_header("Retry-After", fmt::to_string(wait));
    throw HttpError(429, Code::kResourceExhausted, fmt::format("too many requests; try again in {} s", wait));
  }

 private:
  RateKey key_;
  std::string name_;
  std::string policy_;
  std::unique_ptr<KeyedRateLimiter> limiter_;
};

}  // namespace

RateKey by_client_ip() {
  return [](Exchange& c) {
    std::string text = client_ip(c);
    const auto address = internal::IpAddress::parse(text);
    return address && !address->is_v4() ? internal::to_string(address->masked(kSubscriberBits)) : text;
  };
}

RateKey by_header(std::string name) {
  if (!internal::is_token(name)) {
    throw Error(Code::kInvalidArgument, fmt::format("rate_limit: \"{}\" is not a header name", name));
  }
  return [name = std::move(name)](Exchange& c) { return std::string(c.header(name)); };
}

RateKey by_api_key_owner() {
  return [](Exchange& c) {
    const auto* owner = c.get<ApiKeyOwner>();
    return owner == nullptr ? std::string() : owner->name;
  };
}

RateKey by_basic_user() {
  return [](Exchange& c) {
    const auto* user = c.get<BasicUser>();
    return user == nullptr ? std::string() : user->name;
  };
}

RateKey by_jwt_subject() {
  return [](Exchange& c) {
    const auto* claims = c.get<JwtClaims>();
    if (claims == nullptr) return std::string();
    return fmt::format("{}:{}{}", claims->issuer.size(), claims->issuer, claims->subject);
  };
}

Handler rate_limit(RateLimitOptions options) {
  const bool printable =
      std::all_of(options.name.begin(), options.name.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
  if (options.name.empty() || !printable) {
    throw Error(Code::kInvalidArgument, "rate_limit: the name is empty or not printable ASCII");
  }
  return RateLimit(std::move(options));
}

}  // namespace degu::http
