#include <degu/base/error.h>
#include <degu/http/basic_auth.h>
#include <degu/http/internal/authorization.h>
#include <degu/http/internal/base64.h>
#include <degu/http/internal/digest.h>
#include <degu/http/internal/utf8.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace degu::http {
namespace {

constexpr std::size_t kMaxCredentialBytes = 4096;

// RFC 7617 section 2: neither may have control characters.
bool is_fit(std::string_view text) noexcept {
  return internal::is_utf8(text) &&
         std::none_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < 0x20) || c == 0x7F; });
}

std::optional<BasicCredential> parse(std::string_view encoded) {
  if (encoded.size() > kMaxCredentialBytes / 3 * 4) return std::nullopt;
  const auto text = internal::from_base64(encoded);
  if (!text || !is_fit(*text)) return std::nullopt;
  const std::size_t colon = text->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return BasicCredential{text->substr(0, colon), text->substr(colon + 1)};
}

class BasicAuth {
 public:
  explicit BasicAuth(BasicAuthOptions options)
      : verify_(std::move(options.verify)),
        challenge_(fmt::format("Basic realm={}, charset=\"UTF-8\"", internal::quoted(options.realm))) {
    for (const BasicCredential& user : options.users) {
      users_.push_back({internal::sha256(user.name), internal::sha256(user.password)});
    }
  }

  void operator()(Exchange& c) const {
    const auto encoded = internal::credentials(c, "Basic");
    std::optional<BasicCredential> given = encoded ? parse(*encoded) : std::nullopt;
    if (!given || !accepts(*given)) {
      c.set_header("WWW-Authenticate", challenge_);
      throw Error(Code::kUnauthenticated,
                  encoded ? "the name or the password is wrong" : "a password is needed");
    }
    c.set(BasicUser{std::move(given->name)});
    c.next();
  }

 private:
  struct User {
    internal::Digest name;
    internal::Digest password;
  };

  bool accepts(const BasicCredential& given) const {
    if (verify_) return verify_(given.name, given.password);
    const internal::Digest name = internal::sha256(given.name);
    const internal::Digest password = internal::sha256(given.password);
    unsigned matches = 0;  // no early way out: the time must not tell a known name
    for (const User& user : users_) {
      const auto same_name = static_cast<unsigned>(internal::equal(user.name, name));
      matches |= same_name & static_cast<unsigned>(internal::equal(user.password, password));
    }
    return matches != 0;
  }

  UniqueFunction<bool(std::string_view, std::string_view)> verify_;
  std::vector<User> users_;
  std::string challenge_;
};

}  // namespace

Handler basic_auth(BasicAuthOptions options) {
  if (options.users.empty() == !options.verify) {
    throw Error(Code::kInvalidArgument, "basic_auth: give either users or verify");
  }
  for (const BasicCredential& user : options.users) {
    if (user.name.empty() || user.name.find(':') != std::string::npos || !is_fit(user.name) ||
        !is_fit(user.password)) {
      throw Error(Code::kInvalidArgument,
                  "basic_auth: a name is empty, has a colon, or it or its password has control "
                  "characters or is not UTF-8");
    }
  }
  internal::check_realm("basic_auth", options.realm);
  return BasicAuth(std::move(options));
}

}  // namespace degu::http
