#include <degu/base/error.h>
#include <degu/http/operation.h>
#include <degu/rpc/rest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace degu::rpc {

http::RouteOptions described(const RestOptions& options, http::Operation operation, bool auth) {
  http::RouteOptions route = options.route;
  if (auth) operation.authenticated(std::string(options.scheme));
  route.operation = std::move(operation);
  return route;
}

void check_rest_options(std::string_view service, const RestOptions& options) {
  if (options.authenticator != nullptr) return;
  throw Error(Code::kFailedPrecondition,
              "routes of " + std::string(service) + " need a caller: give mount() an authenticator");
}

RestCall::RestCall(http::Exchange& exchange, const RestRoute& route, const RestOptions& options)
    : exchange_(exchange), route_(route), options_(options) {
  bool known = false;
  if (options.authenticator != nullptr) {
    try {
      known = options.authenticator->authenticate(exchange, metadata_);
    } catch (const Error& error) {
      if (route.auth || error.code() != Code::kUnauthenticated) throw;
      metadata_ = {};
    }
  }
  if (route.auth && !known) throw Error(Code::kUnauthenticated, "this call needs credentials");
}

void RestCall::bind_query(void* message, ReadText read) {
  std::vector<std::string_view> set;  // fields that take one value and have it
  for (const http::Param& param : exchange_.query_params()) {
    const bool in_path = std::any_of(route_.params.begin(), route_.params.end(),
                                     [&](const RestBinding& binding) { return binding.field == param.name; });
    if (in_path || std::find(set.begin(), set.end(), param.name) != set.end()) {
      errors_.add(param.name, "is given more than once");
      continue;
    }
    const auto result =
        route_.query ? read(message, param.name, param.value, errors_) : codec::Text::kUnknown;
    if (result == codec::Text::kUnknown) errors_.add(param.name, "is not a known query parameter");
    if (result == codec::Text::kSet) set.push_back(param.name);
  }
}

void RestCall::bind_texts(void* message, ReadText read) {
  bind_query(message, read);
  for (const RestBinding& binding : route_.params)
    read(message, binding.field, exchange_.param(binding.source), errors_);
  // An absent header clears its field, so that no other part of the request can set it.
  for (const RestBinding& binding : route_.headers) {
    const std::string_view text = exchange_.header(binding.source);
    const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
    if (!ascii) errors_.add(binding.source, "must be ASCII");
    read(message, binding.field, ascii ? text : std::string_view(), errors_);
  }
}

void RestCall::run_call(internal::BodyRef body) {
  const MetadataScope scope(std::move(metadata_));
  internal::run_intercepted(route_.call, options_.interceptors, body);
}

}  // namespace degu::rpc
