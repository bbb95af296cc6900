// Check: what the generator refuses, before it writes anything.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>

namespace gen {

/// "" or every fault of the file, one a line, each with file, line and element.
std::string faults_of(const google::protobuf::FileDescriptor* file);

}  // namespace gen
