// Router: which chain of handlers serves a method and path.
#pragma once

#include <degu/http/exchange.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace degu::http {

class Operation;

namespace internal {
class RouteTable;
}

struct RouteOptions {
  /// Longest request body; a longer one is 413. 0 = the server's default.
  std::size_t max_body_bytes = 0;
  /// Deadline of the request's context; the client's x-request-timeout-ms may shorten it. 0 = none.
  std::chrono::nanoseconds timeout{0};
  /// The handler begins when the head has come and reads the body from Exchange::body_stream(); body(), bind() and the like
  /// see none. max_body_bytes counts all the same.
  bool stream_body = false;
  /// For streams (event_stream.h, websocket.h): neither x-request-timeout-ms nor the middleware timeout() ends the
  /// request. It ends with its handler, its client or the server. Not together with `timeout`.
  bool long_lived = false;
  /// What openapi_document() tells about the route (operation.h); null leaves it out.
  std::shared_ptr<const Operation> operation = nullptr;
};

/// A prefix with middleware. A cheap handle: copies share the router's table, which lives as long as any of
/// them.
///
/// Patterns start with '/'. A segment is literal text, `:name` (one non-empty segment), `:name:verb` (a
/// segment that ends in ":verb", the custom method of google.api.http) or, last, `*name` (the rest, which may
/// be empty). Literal text beats `:name:verb` beats `:name` beats `*name`, with backtracking, whatever the
/// order of registration. Names may differ between routes that share a position. GET routes answer HEAD too;
/// OPTIONS and 405 with Allow need no routes.
///
/// Registration is not thread-safe and belongs before the server starts. A malformed pattern or one that can
/// match exactly what another one of the same method does throws Error(kInvalidArgument / kAlreadyExists)
/// naming both.
class RouterGroup {
 public:
  RouterGroup group(std::string_view prefix) const;
  /// Middleware for the routes that this group registers from now on, and for groups made from now on.
  void use(Handler middleware);

  void get(std::string_view path, Handler handler, RouteOptions options = {}) const;
  void post(std::string_view path, Handler handler, RouteOptions options = {}) const;
  void put(std::string_view path, Handler handler, RouteOptions options = {}) const;
  void patch(std::string_view path, Handler handler, RouteOptions options = {}) const;
  void del(std::string_view path, Handler handler, RouteOptions options = {}) const;
  void handle(std::string_view method, std::string_view path, Handler handler,
              RouteOptions options = {}) const;

 protected:
  RouterGroup(std::shared_ptr<internal::RouteTable> table, std::string prefix,
              std::vector<const Handler*> chain);

  std::shared_ptr<internal::RouteTable> table_;
  std::string prefix_;
  std::vector<const Handler*> chain_;  // owned by the table
  bool root_ = false;
};

/// The root group. Its middleware also surrounds the answers 404, 405 and automatic OPTIONS.
class Router : public RouterGroup {
 public:
  Router();

  /// "GET /users/:id" for each route, sorted.
  std::vector<std::string> routes() const;

  const std::shared_ptr<internal::RouteTable>& table() const noexcept { return table_; }
};

}  // namespace degu::http
