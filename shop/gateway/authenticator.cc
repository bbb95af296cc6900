#include <degu/base/error.h>
#include <shop/gateway/authenticator.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace shop::gateway {
namespace {

using degu::Code;
using degu::Error;

constexpr std::size_t kMaxToken = 4096;

// RFC 9110 §11.1: the scheme's case does not matter. Empty when the header is another scheme's.
std::string_view bearer_token(std::string_view header) {
  constexpr std::string_view kScheme = "bearer ";
  if (header.size() < kScheme.size()) return {};
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    const char c =
        header[i] >= 'A' && header[i] <= 'Z' ? static_cast<char>(header[i] - 'A' + 'a') : header[i];
    if (c != kScheme[i]) return {};
  }
  header.remove_prefix(kScheme.size());
  return header.substr(std::min(header.find_first_not_of(' '), header.size()));
}

// False: no credentials.
bool authenticate(user::v1::UserService& users, const degu::http::Exchange& exchange, bool takes_cookie,
                  degu::rpc::Metadata& metadata) {
  const std::string_view header = exchange.header("authorization");
  std::string_view token;
  if (!header.empty()) {
    token = bearer_token(header);
    if (token.empty()) throw Error(Code::kUnauthenticated, "only bearer tokens are accepted");
  } else if (takes_cookie) {
    token = exchange.cookie(kEventsCookie);
  }
  if (token.empty()) return false;
  if (token.size() > kMaxToken) throw Error(Code::kUnauthenticated, "the token is not valid: it is too long");
  user::v1::VerifyTokenRequest request;
  request.token = token;
  metadata.set("x-user-id", users.verify_token(request).user_id);
  return true;
}

std::shared_ptr<degu::rpc::Authenticator> make(std::shared_ptr<user::v1::UserService> users,
                                               bool takes_cookie) {
  return degu::rpc::make_authenticator([users = std::move(users), takes_cookie](
                                           degu::http::Exchange& exchange, degu::rpc::Metadata& metadata) {
    return authenticate(*users, exchange, takes_cookie, metadata);
  });
}

}  // namespace

std::shared_ptr<degu::rpc::Authenticator> make_bearer_authenticator(
    std::shared_ptr<user::v1::UserService> users) {
  return make(std::move(users), false);
}

std::shared_ptr<degu::rpc::Authenticator> make_events_authenticator(
    std::shared_ptr<user::v1::UserService> users) {
  return make(std::move(users), true);
}

}  // namespace shop::gateway
