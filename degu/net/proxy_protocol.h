// The PROXY protocol, version 2: a proxy tells whom a connection comes from.
#pragma once

#include <degu/net/tcp.h>

namespace degu::net {

/// `stream` of a listener that only proxies reach, each of which begins with a PROXY header in binary (HAProxy's
/// proxy-protocol.txt, section 2.2; AWS's load balancers, Envoy and nginx send it). The first read takes the header, which
/// has to be there and to have at most 2 KiB with its extensions, else it fails with EPROTO; from then on peer() and local()
/// are what the header says, but for LOCAL (the proxy's own checks) and for families that it does not know. Whoever else may
/// connect could claim any address.
TcpStream behind_proxy(TcpStream stream);

/// Reads the header of such a stream now, instead of in the first read; at once if it was read already, and for any other
/// stream. 0 or an errno: EPROTO, ETIMEDOUT at `deadline`, ECANCELED by the context.
int take_proxy_header(Stream& stream, TimePoint deadline) noexcept;

}  // namespace degu::net
