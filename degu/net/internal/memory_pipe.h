// The endpoints of net::pipe().
#pragma once

#include <degu/net/internal/endpoint.h>

#include <utility>

namespace degu::net::internal {

/// Each end is owned by the caller.
std::pair<Endpoint*, Endpoint*> make_memory_pipe();

}  // namespace degu::net::internal
