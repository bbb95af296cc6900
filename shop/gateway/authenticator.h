// Who calls: from the Authorization header to the metadata entry "x-user-id".
#pragma once

#include <degu/rpc/rest.h>
#include <shop/proto/user.degu.h>

#include <memory>

namespace shop::gateway {

/// Takes bearer tokens and has the user service verify each. No Authorization header: an anonymous caller.
/// Another scheme, or a token that is not valid: Error(kUnauthenticated).
std::shared_ptr<degu::rpc::Authenticator> make_bearer_authenticator(
    std::shared_ptr<user::v1::UserService> users);

}  // namespace shop::gateway
