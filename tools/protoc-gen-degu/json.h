// Json: write_json, read_json and read_text of each message.
#pragma once

#include <google/protobuf/descriptor.h>

#include "text.h"

namespace gen {

void write_json_declarations(const google::protobuf::FileDescriptor* file, Text& out);
void write_json_definitions(const google::protobuf::FileDescriptor* file, Text& out);

}  // namespace gen
