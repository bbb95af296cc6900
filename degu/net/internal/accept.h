// accept_or_throw: what listeners share.
#pragma once

#include <degu/net/socket.h>

namespace degu::net::internal {

/// The next connection of a listening socket; throws as TcpListener::accept() says.
Socket accept_or_throw(Socket& listener);

}  // namespace degu::net::internal
