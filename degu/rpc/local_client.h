// local_client: a service in the same process, called as if it were far away.
#pragma once

#include <degu/http/json_reader.h>
#include <degu/rpc/interceptor.h>
#include <degu/rpc/message.h>

#include <memory>
#include <optional>
#include <utility>

namespace degu::rpc {

struct LocalOptions {
  Interceptors interceptors;  ///< the first one outermost
};

/// Wraps an implementation of a generated service. A call through the client
/// - does not start when the current context has ended: DeadlineExceeded or Cancelled;
/// - checks the field rules of the request: Error(kInvalidArgument) with every violation;
/// - runs on the caller's goroutine in the caller's context, inside the interceptors;
/// - throws degu::Error and nothing else: other exceptions become kUnknown and are logged;
/// - isolates messages: the request is const, the response is the caller's own.
/// Thread-safe when the service is.
template <class Service>
std::shared_ptr<Service> local_client(std::shared_ptr<Service> service, LocalOptions options = {}) {
  return make_local_client(std::move(service), std::move(options));
}
template <class Service>
std::shared_ptr<Service> local_client(std::shared_ptr<Service> service, Interceptors interceptors) {
  return make_local_client(std::move(service), LocalOptions{std::move(interceptors)});
}

namespace internal {
/// Throws when the current context has ended.
void check_context();
[[noreturn]] void throw_no_answer(const CallInfo& call);
}  // namespace internal

/// For generated clients.
template <class Response, class Request, class Invoke>
Response local_call(const CallInfo& call, const LocalOptions& options, const Request& request,
                    Invoke invoke) {
  internal::check_context();
  json::FieldErrors errors;
  validate(request, errors);
  errors.throw_if_any();
  std::optional<Response> response;
  internal::run_intercepted(call, options.interceptors, [&] { response.emplace(invoke()); });
  if (!response) internal::throw_no_answer(call);
  return *std::move(response);
}

}  // namespace degu::rpc
