// Who calls.
#pragma once

#include <degu/base/error.h>
#include <degu/rpc/call.h>

#include <string>

namespace shop::order {

/// The user in the metadata "x-user-id". Throws Error(kUnauthenticated) when there is none.
inline std::string caller() {
  const std::string_view user = degu::rpc::metadata().get("x-user-id");
  if (user.empty()) throw degu::Error(degu::Code::kUnauthenticated, "please log in");
  return std::string(user);
}

}  // namespace shop::order
