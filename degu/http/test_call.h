// http::test::call: a request to a router without a socket, for tests of handlers.
#pragma once

#include <degu/http/client.h>
#include <degu/http/router.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::http::test {

/// Runs one request through parsing, routing and the chain of handlers, and gives what a client would see.
/// Needs no running server; handlers that wait need a goroutine to run in (degu::run). A non-empty body that
/// starts with '{' or
/// '[' is sent as application/json unless `headers` say otherwise. `peer` is the client's "address:port".
Response call(const Router& router, std::string_view method, std::string_view target,
              std::string_view body = {},
              const std::vector<std::pair<std::string, std::string>>& headers = {},
              std::string_view peer = {});

}  // namespace degu::http::test
