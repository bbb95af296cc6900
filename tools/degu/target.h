// Target: where the requests of a run go.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace degu::bench {

/// Of "http://host:port/path?query" or https; the port may be absent, and so may the path.
struct Target {
  bool tls = false;
  bool http2 = false;     ///< not of the URL: what is spoken there
  std::string host;       ///< a name or an address, without brackets
  std::string authority;  ///< as in the URL: what the Host field says
  std::string host_port;  ///< what to connect to
  std::string path;       ///< path and query, at least "/"
};

/// Throws Error(kInvalidArgument) for another scheme, user information, or characters that a request line cannot hold.
/// A fragment is left out.
Target parse_target(std::string_view url);

}  // namespace degu::bench
