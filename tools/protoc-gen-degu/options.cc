#include "options.h"

#include <algorithm>
#include <string_view>

#include "degu/api/options.pb.h"
#include "google/api/annotations.pb.h"

namespace gen {
namespace {

// Splits "{name}" and "{name=pattern}"; only one segment ("*") and the rest of the path ("**") can be bound.
bool bind_variable(std::string_view variable, Route* route, std::string* error) {
  const size_t equals = variable.find('=');
  const std::string field(variable.substr(0, equals));
  const std::string_view pattern = equals == std::string_view::npos ? "*" : variable.substr(equals + 1);
  if (field.empty() || (pattern != "*" && pattern != "**")) {
    *error =
        "path variable {" + std::string(variable) + "}: only {field}, {field=*} and {field=**} can be routed";
    return false;
  }
  std::string param = field;
  std::replace(param.begin(), param.end(), '.', '_');
  route->path += (pattern == "**" ? "*" : ":") + param;
  route->bindings.push_back({param, field});
  return true;
}

bool translate_path(std::string_view path, Route* route, std::string* error) {
  if (!path.starts_with('/')) {
    *error = "path \"" + std::string(path) + "\" does not begin with /";
    return false;
  }
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '{') {
      if (path[i] == '*') {
        *error = "path \"" + std::string(path) + "\" has a wildcard that binds nothing";
        return false;
      }
      route->path += path[i];
      continue;
    }
    const size_t end = path.find('}', i);
    if (end == std::string_view::npos || !bind_variable(path.substr(i + 1, end - i - 1), route, error)) {
      if (error->empty()) *error = "path \"" + std::string(path) + "\" has a { without }";
      return false;
    }
    i = end;
  }
  return true;
}

bool translate(const google::api::HttpRule& rule, Route* route, std::string* error) {
  using Rule = google::api::HttpRule;
  std::string path;
  switch (rule.pattern_case()) {
    case Rule::kGet:
      route->verb = "GET", path = rule.get();
      break;
    case Rule::kPut:
      route->verb = "PUT", path = rule.put();
      break;
    case Rule::kPost:
      route->verb = "POST", path = rule.post();
      break;
    case Rule::kDelete:
      route->verb = "DELETE", path = rule.delete_();
      break;
    case Rule::kPatch:
      route->verb = "PATCH", path = rule.patch();
      break;
    case Rule::kCustom:
      route->verb = rule.custom().kind(), path = rule.custom().path();
      break;
    case Rule::PATTERN_NOT_SET:
      *error = "google.api.http without a verb";
      return false;
  }
  route->body = rule.body();
  route->response_body = rule.response_body();
  return translate_path(path, route, error);
}

}  // namespace

FieldRules rules_of(const google::protobuf::FieldDescriptor* field) {
  const auto& options = field->options();
  FieldRules rules;
  rules.required = options.GetExtension(degu::required);
  if (options.HasExtension(degu::min_len)) rules.min_len = options.GetExtension(degu::min_len);
  if (options.HasExtension(degu::max_len)) rules.max_len = options.GetExtension(degu::max_len);
  if (options.HasExtension(degu::min)) rules.min = options.GetExtension(degu::min);
  if (options.HasExtension(degu::max)) rules.max = options.GetExtension(degu::max);
  rules.pattern = options.GetExtension(degu::pattern);
  rules.pattern_hint = options.GetExtension(degu::pattern_hint);
  rules.header = options.GetExtension(degu::header);
  return rules;
}

bool routes_of(const google::protobuf::MethodDescriptor* method, std::vector<Route>* routes,
               std::string* error) {
  const auto& options = method->options();
  if (!options.HasExtension(google::api::http)) return true;
  const google::api::HttpRule& rule = options.GetExtension(google::api::http);
  std::vector<const google::api::HttpRule*> rules = {&rule};
  for (const google::api::HttpRule& more : rule.additional_bindings()) rules.push_back(&more);
  for (const google::api::HttpRule* each : rules) {
    Route route;
    route.auth = options.GetExtension(degu::auth);
    if (options.HasExtension(degu::success_status)) route.status = options.GetExtension(degu::success_status);
    if (!translate(*each, &route, error)) return false;
    routes->push_back(std::move(route));
  }
  return true;
}

}  // namespace gen
