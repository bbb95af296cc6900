// Operation: what the OpenAPI document says of a route, from its method, comment, messages and options.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>

#include "options.h"
#include "text.h"

namespace gen {

/// The field that a dotted path names, or null.
const google::protobuf::FieldDescriptor* find_field(const google::protobuf::Descriptor* message,
                                                    const std::string& path);

/// A function `name` that gives the route's degu::http::Operation. `number` counts the bindings of the
/// method from 0.
void write_operation(const google::protobuf::MethodDescriptor* method, const Route& route, int number,
                     const std::string& name, Text& out);

}  // namespace gen
