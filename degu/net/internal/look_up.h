// What resolve() asks, to be replaced in tests.
#pragma once

#include <degu/net/address.h>

#include <string>
#include <vector>

namespace degu::net::internal {

struct Answer {
  int error = 0;  ///< as getaddrinfo's
  std::vector<Address> addresses;
};

/// Asks for a name; may block the thread.
using LookUp = Answer (*)(const std::string& host);

/// Null: getaddrinfo again.
void set_look_up_for_test(LookUp fn) noexcept;

}  // namespace degu::net::internal
