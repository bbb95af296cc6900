// Rules: validate() of each message, from the field rules of the .proto file.
#pragma once

#include <google/protobuf/descriptor.h>

#include "text.h"

namespace gen {

void write_rule_declarations(const google::protobuf::FileDescriptor* file, Text& out);
void write_rule_definitions(const google::protobuf::FileDescriptor* file, Text& out);

/// What is wrong with the rules of a field ("pattern on a number"), or "".
std::string rule_fault(const google::protobuf::FieldDescriptor* field);

}  // namespace gen
