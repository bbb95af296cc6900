// Who calls: from the Authorization header to the metadata entry "x-user-id".
#pragma once

#include <degu/rpc/rest.h>
#include <shop/proto/user.degu.h>

#include <memory>
#include <string_view>

namespace shop::gateway {

/// Takes bearer tokens and has the user service verify each. No Authorization header: an anonymous caller.
/// Another scheme, or a token that is not valid: Error(kUnauthenticated).
std::shared_ptr<degu::rpc::Authenticator> make_bearer_authenticator(
    std::shared_ptr<user::v1::UserService> users);

/// The name of the cookie that make_events_authenticator() takes.
inline constexpr std::string_view kEventsCookie = "shop-events";

/// The same, and without an Authorization header the token in the cookie kEventsCookie: a page's EventSource sends cookies but
/// no header. For routes that only tell: a cookie may come along with what pages of other origins ask for.
std::shared_ptr<degu::rpc::Authenticator> make_events_authenticator(
    std::shared_ptr<user::v1::UserService> users);

}  // namespace shop::gateway
