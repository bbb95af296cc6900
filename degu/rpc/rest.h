// REST for generated services: authentication, binding of a request's parts to its message, the answer.
#pragma once

#include <degu/http/exchange.h>
#include <degu/http/router.h>
#include <degu/rpc/codec.h>
#include <degu/rpc/interceptor.h>

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace degu::rpc {

/// Finds out who calls. One object serves many requests at once: it must be safe to call concurrently.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  /// Puts what is known of the caller ("x-user-id") into `metadata` and returns true; returns false when the
  /// request carries no credentials; throws Error(kUnauthenticated) when it carries bad ones. Routes without
  /// (degu.auth) take both for an anonymous caller.
  virtual bool authenticate(http::Exchange& exchange, Metadata& metadata) = 0;
};

/// An authenticator from a callable `bool(http::Exchange&, Metadata&)`.
template <class F>
std::shared_ptr<Authenticator> make_authenticator(F function) {
  class Made final : public Authenticator {
   public:
    explicit Made(F f) : function_(std::move(f)) {}
    bool authenticate(http::Exchange& exchange, Metadata& metadata) override {
      return function_(exchange, metadata);
    }

   private:
    F function_;
  };
  return std::make_shared<Made>(std::move(function));
}

/// How a service is mounted.
struct RestOptions {
  /// Needed by services with (degu.auth) routes: mount() throws Error(kFailedPrecondition) without it.
  std::shared_ptr<Authenticator> authenticator = nullptr;
  /// Around each call, after binding. A service that is a local client has its own as well.
  Interceptors interceptors = {};
  /// Its `operation` is of no account: each route has its own, made from the .proto file.
  http::RouteOptions route = {};
  /// What the OpenAPI document says that (degu.auth) routes want: an authentication scheme (RFC 9110 §11.1), a literal.
  std::string_view scheme = "bearer";
};

/// A path parameter or header and the field it sets.
struct RestBinding {
  std::string_view source;
  std::string_view field;
};

/// What generated code knows of a route.
struct RestRoute {
  CallInfo call;
  std::span<const RestBinding> params;
  std::span<const RestBinding> headers;
  bool query = true;  // may the query set fields?
  bool auth = false;
  int status = 200;
};

/// The options of one route: those of all routes with what the document says of this one.
http::RouteOptions described(const RestOptions& options, http::Operation operation, bool auth);

/// Throws when `options` lack what routes of the service need.
void check_rest_options(std::string_view service, const RestOptions& options);

/// One request to a route, in the order of its members: authenticate, read the body, bind the rest, run,
/// reply. Lives on the stack of the handler. Fails by throwing degu::Error, which http turns into a problem
/// document.
class RestCall {
 public:
  /// Authenticates. Throws Error(kUnauthenticated).
  RestCall(http::Exchange& exchange, const RestRoute& route, const RestOptions& options);

  /// The JSON body, nothing when it is empty.
  std::optional<json::Value> body() { return exchange_.json_body(); }
  json::FieldErrors& errors() noexcept { return errors_; }

  /// Reads query, path and headers into the request, checks its field rules, and throws
  /// Error(kInvalidArgument) with everything that was wrong with it, the body included. A later source wins;
  /// headers and path beat the body.
  template <class Request>
  void bind(Request& request) {
    bind_texts(&request,
               [](void* message, std::string_view name, std::string_view text, json::FieldErrors& errors) {
                 return read_text(*static_cast<Request*>(message), name, text, errors);
               });
    validate(std::as_const(request), errors_);
    errors_.throw_if_any();
  }

  /// Runs `body` inside the interceptors, in a context that carries the caller's metadata.
  template <class F>
  void run(F body) {
    run_call(internal::BodyRef(body));
  }

  template <class Response>
  void reply(const Response& response) {
    json::Writer writer(exchange_.begin_body(route_.status, "application/json"));
    const json::Writer::Batch batch(writer);
    write_json(writer, response);
  }
  template <codec::Form F = codec::Form::kPlain, class T>
  void reply_part(const T& part) {
    json::Writer writer(exchange_.begin_body(route_.status, "application/json"));
    const json::Writer::Batch batch(writer);
    codec::write_value<F>(writer, part);
  }

 private:
  using ReadText = codec::Text (*)(void*, std::string_view, std::string_view, json::FieldErrors&);
  void bind_texts(void* message, ReadText read);
  void bind_query(void* message, ReadText read);
  void run_call(internal::BodyRef body);

  http::Exchange& exchange_;
  const RestRoute& route_;
  const RestOptions& options_;
  Metadata metadata_;
  json::FieldErrors errors_;
};

}  // namespace degu::rpc
