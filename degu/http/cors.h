// cors: which other origins' pages may read the answers.
#pragma once

#include <degu/base/function.h>
#include <degu/http/exchange.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace degu::http {

struct CorsOptions {
  /// "https://shop.example", compared exactly; or only "*": every origin, without credentials.
  std::vector<std::string> origins = {};
  /// Asked about an origin that is not in `origins`, never about "null" or what is none. Called concurrently.
  UniqueFunction<bool(std::string_view origin)> allow_origin = {};
  std::vector<std::string> methods = {"GET", "HEAD", "POST"};
  /// Request fields beyond those that Fetch lets every page send. "*" stands for all but Authorization.
  std::vector<std::string> headers = {};
  /// Response fields that a page may read beyond those that Fetch lets it read anyway.
  std::vector<std::string> exposed = {};
  /// Cookies, client certificates and Authorization may come along. No "*" in any list then: Fetch reads it as a name.
  bool credentials = false;
  /// How long a browser may remember the answer to a preflight; browsers cap it (Chromium at 2 h).
  std::chrono::seconds max_age{600};
};

/// The server's side of the CORS protocol (Fetch standard, "CORS protocol"). Use it on the Router itself and before
/// what authenticates: a preflight matches no route and carries no credentials.
///
/// A preflight is answered here: 204 with what is allowed, which the browser compares with what it wants; 403 for an
/// origin that is not allowed. Other requests go on, whatever their origin: an origin that is not allowed only gets no
/// permission to read the answer. (To refuse them, see csrf().) Answers that depend on the origin say so in Vary, also
/// those to requests without one; handlers that add to Vary use add_header. Requests from public pages to private
/// networks are never granted (no Access-Control-Allow-Private-Network).
///
/// Throws Error(kInvalidArgument) for options that allow nobody, contradict themselves or name no origin, method or
/// field.
Handler cors(CorsOptions options);

}  // namespace degu::http
