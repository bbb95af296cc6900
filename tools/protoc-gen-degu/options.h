// Options: Degu's own field and method options, read from descriptors.
#pragma once

#include <google/protobuf/descriptor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gen {

/// The rules of one field; absent means unlimited.
struct FieldRules {
  bool required = false;
  std::optional<uint32_t> min_len, max_len;
  std::optional<double> min, max;
  std::string pattern, pattern_hint;
  std::string header;

  bool checks_anything() const { return required || min_len || max_len || min || max || !pattern.empty(); }
};

FieldRules rules_of(const google::protobuf::FieldDescriptor* field);

/// One REST route, already in the router's syntax.
struct Route {
  struct Binding {
    std::string param;  // the router's parameter
    std::string field;  // path of the field it sets, as "order.id"
  };

  std::string verb;  // "GET"
  std::string path;  // "/api/v1/orders/:id:cancel"
  std::string body;  // "*", a field or ""
  std::string response_body;
  std::vector<Binding> bindings;
  bool auth = false;
  int status = 200;
};

/// The routes of a method, additional bindings included. False with `error` set when a rule cannot be served.
bool routes_of(const google::protobuf::MethodDescriptor* method, std::vector<Route>* routes,
               std::string* error);

}  // namespace gen
