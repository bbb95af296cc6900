// Rest: mount(), which adds a service's google.api.http routes to a router.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>

#include "text.h"

namespace gen {

void write_rest_declarations(const google::protobuf::FileDescriptor* file, Text& out);
void write_rest_definitions(const google::protobuf::FileDescriptor* file, Text& out);

/// What is wrong with the routes of a method, or "".
std::string route_fault(const google::protobuf::MethodDescriptor* method);

}  // namespace gen
