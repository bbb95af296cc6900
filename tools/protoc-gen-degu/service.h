// Service: the abstract class of each service and the client that calls an implementation in the same
// process.
#pragma once

#include <google/protobuf/descriptor.h>

#include "text.h"

namespace gen {

void write_service_declarations(const google::protobuf::FileDescriptor* file, Text& out);
void write_service_definitions(const google::protobuf::FileDescriptor* file, Text& out);

}  // namespace gen
