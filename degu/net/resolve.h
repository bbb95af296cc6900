// resolve: the addresses of a name.
#pragma once

#include <degu/net/address.h>

#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

namespace degu::net {

/// The addresses of `host` with `port`, best first as the system orders them (getaddrinfo, RFC 6724), without
/// duplicates. Numeric addresses need no lookup; an empty host is the loopback. Names are looked up by getaddrinfo on
/// a thread that may block. The end of the current context ends the wait, not the lookup: throws Cancelled or
/// DeadlineExceeded. Throws Error(kNotFound) when there is no such name, kUnavailable when the servers did not answer.
std::vector<Address> resolve(std::string_view host, uint16_t port = 0);

/// Keeps what resolve() has looked up for `time`, of at most 256 names; zero, the default, keeps nothing. Failures are
/// not kept. For programs without a caching resolver on the machine. Thread-safe.
void set_resolve_cache(std::chrono::nanoseconds time) noexcept;

}  // namespace degu::net
